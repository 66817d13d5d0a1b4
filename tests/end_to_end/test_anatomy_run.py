"""The app with an atlas, from end to end: tables of regions, other spaces, transforms used again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess

import nibabel as nb
import numpy as np
import pytest
from nibabel.processing import resample_from_to

from bidsqsm.__main__ import main
from bidsqsm.cli.validation import find_validator
from bidsqsm.demo.demo_dataset import write_demo
from bidsqsm.demo.demo_options import DemoOptions
from bidsqsm.files.nifti import save_volume
from helpers.app import App

#: Voxels of 4 mm bear no finer deformation
SMOOTH = 'greedy:resolution=4,update_smoothing=6,warp_smoothing=4'
QUICK = (
    '--background',
    'vsharp',
    '--dipole',
    'tkd',
    '--registration',
    SMOOTH,
    '--skip-bids-validation',
    '--nprocs',
    '2',
)
#: FreeSurfer's values of what the demo calls otherwise
ASEG = {1: 11, 2: 50, 3: 12, 4: 51, 5: 13, 6: 52}


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """A head of 4 mm, the atlas of the average head, and what others made of the subject."""
    root = tmp_path_factory.mktemp('heads') / 'ds'
    write_demo(root, DemoOptions(voxel_size=(4.0, 4.0, 4.0), shape=(46, 54, 46)))
    truth = nb.load(root / 'derivatives' / 'truth' / 'sub-01' / 'anat' / 'sub-01_dseg.nii.gz')
    t1w = nb.load(root / 'sub-01' / 'anat' / 'sub-01_T1w.nii.gz')
    there = np.asarray(resample_from_to(truth, t1w, order=0).dataobj).astype(int)
    aseg = np.zeros(there.shape, np.int32)
    for value, theirs in ASEG.items():
        aseg[there == value] = theirs
    folder = root.parent / 'fs' / 'sub-01' / 'anat'
    save_volume(aseg, t1w.affine, folder / 'sub-01_space-T1w_desc-aseg_dseg.nii.gz')
    about = {'Name': 'fs', 'BIDSVersion': '1.10.0', 'DatasetType': 'derivative'}
    (root.parent / 'fs' / 'dataset_description.json').write_text(json.dumps(about))
    (root.parent / 'no_t1w.json').write_text('{"t1w": {"acquisition": "nowhere"}}')
    return root


@pytest.fixture(scope='module')
def atlas(dataset):
    return dataset / 'derivatives' / 'atlas'


@pytest.fixture(scope='module')
def first(app, dataset, atlas):
    """With the T1w, with a segmentation, with maps in the atlas's space."""
    return app(
        dataset,
        'one',
        *QUICK,
        '--atlases',
        str(atlas),
        '--output-spaces',
        str(atlas),
        '-d',
        f'fs={dataset.parent / "fs"}',
    )


@pytest.fixture(scope='module')
def again(app, dataset, atlas, first):
    """The same in a new folder, with the transforms of the first call."""
    return app(dataset, 'two', *QUICK, '--atlases', str(atlas), '-d', f'before={first.out}')


@pytest.fixture(scope='module')
def alone(app, dataset, atlas):
    """Without the T1w; besides, an atlas whose template is no head."""
    noise = dataset.parent / 'noise'
    shutil.copytree(atlas, noise)
    image = nb.load(noise / 'template.nii.gz')
    (noise / 'mask.nii.gz').unlink()
    random = np.random.default_rng(0).uniform(100, 1000, image.shape).astype(np.int16)
    save_volume(random, image.affine, noise / 'template.nii.gz')
    about = {'Name': 'Noise', 'Template': 'NoiseTemplate'}
    (noise / 'atlas.json').write_text(json.dumps(about))
    return app(
        dataset,
        'three',
        *QUICK,
        '--atlases',
        str(atlas),
        str(noise),
        '--bids-filter-file',
        str(dataset.parent / 'no_t1w.json'),
    )


def anat(call):
    return call.out / 'sub-01' / 'anat'


def image(call, name):
    return nb.load(anat(call) / f'sub-01_{name}.nii.gz')


def labels_of(call, name='atlas-Demo'):
    return np.asarray(image(call, f'{name}_dseg').dataobj).astype(int)


def rows_of(path):
    with path.open() as stream:
        return {row['name']: row for row in csv.DictReader(stream, delimiter='\t')}


def table_of(call, name='atlas-Demo'):
    return rows_of(anat(call) / f'sub-01_{name}_dseg.tsv')


def truth_of(dataset):
    path = dataset / 'derivatives' / 'truth' / 'sub-01' / 'anat' / 'sub-01_dseg.nii.gz'
    return np.asarray(nb.load(path).dataobj).astype(int)


def middle(affine, where):
    return affine[:3, :3] @ np.argwhere(where).mean(0) + affine[:3, 3]


def test_labels_lie_on_the_nuclei_of_the_head(first, alone, dataset):
    truth, affine = truth_of(dataset), image(first, 'Chimap').affine
    for call, limit in ((first, 4.0), (alone, 5.0)):
        assert call.code == 0, call.printed
        found = labels_of(call)
        for value in range(1, 9):  # caudate, putamen, pallidum, thalamus
            apart = middle(affine, found == value) - middle(affine, truth == value)
            assert np.linalg.norm(apart) < limit, (value, apart)


def test_the_report_shows_run_t1w_and_template_in_one_place(first, alone):
    for call, names in ((first, ['own_t1w', 'template_t1w']), (alone, ['template_t1w'])):
        page = (call.out / 'sub-01.html').read_text(encoding='utf-8')
        assert page.count('<input type="radio" name="sub-01-flicker') == 1 + len(names)
        assert 'id="sub-01-edges"' in page
        brain = image(call, 'desc-qsm_mask').get_fdata() > 0
        work = call.out.with_name(f'{call.out.name}_work')
        carried = {
            path.stem: nb.load(path).get_fdata()[brain] for path in work.rglob('carry_heads/*.nii')
        }
        assert sorted(carried) == names
        if len(names) == 2:
            assert np.corrcoef([*carried.values()])[0, 1] > 0.7
        assert not [*call.out.rglob('*carry*'), *call.out.rglob('*own_t1w*')]


def checked(call, name):
    """Mean, standard deviation and count of every label in every map, with NumPy alone."""
    labels = labels_of(call, name)
    mask = image(call, 'desc-qsm_mask').get_fdata() > 0
    files = {
        'chi': anat(call) / 'sub-01_Chimap.nii.gz',
        'r2star': anat(call) / 'sub-01_R2starmap.nii.gz',
        't2star': anat(call) / 'sub-01_T2starmap.nii.gz',
        'local_field': call.out / 'sub-01' / 'fmap' / 'sub-01_desc-local_fieldmap.nii.gz',
    }
    maps = {key: nb.load(path).get_fdata(dtype=np.float32) for key, path in files.items()}
    found = {}
    for value in np.unique(labels[labels > 0]):
        inside = (labels == value) & mask
        for key, volume in maps.items():
            own = volume[inside].astype(np.float64)
            own = own[own > 0] if key in ('r2star', 't2star') else own
            start = '' if key == 'chi' else f'{key}_'
            if inside.sum() >= 0.5 * (labels == value).sum() <= 2 * own.size:
                found[value, f'{start}mean'] = own.mean()
                found[value, f'{start}median'] = np.median(own)
                found[value, f'{start}max'] = own.max()
            found[value, 'n_voxels'] = inside.sum()
    return found


@pytest.mark.parametrize('name', ['atlas-Demo', 'atlas-Demo_desc-refined', 'atlas-aseg'])
def test_the_table_has_the_values_of_the_files(first, name):
    rows = {int(row['index']): row for row in table_of(first, name).values()}
    expected = checked(first, name)
    assert len(expected) > 20
    for (value, column), number in expected.items():
        assert rows[value][column] == f'{number:.9g}', (value, column)


def test_the_command_writes_the_tables_of_the_app(first, tmp_path):
    assert main(['roi', str(first.out), '--out', str(tmp_path)]) == 0
    tables = sorted(path.relative_to(first.out) for path in first.out.rglob('*_dseg.tsv'))
    assert len(tables) == 3
    for table in tables:
        assert (tmp_path / table).read_text() == (first.out / table).read_text()


def test_labels_that_others_made_of_the_subject_have_a_table_of_their_own(first, dataset):
    rows = table_of(first, 'atlas-aseg')
    assert {row['structure'] for row in rows.values()} >= {'putamen', 'caudate', 'pallidum'}
    assert rows['Left-Putamen']['hemisphere'] == 'L'
    found, truth = labels_of(first, 'atlas-aseg'), truth_of(dataset)
    both = (found == 12) & (truth == 3)
    assert 2 * both.sum() > 0.8 * ((found == 12).sum() + (truth == 3).sum())


def test_maps_in_the_space_of_the_template_have_their_values_in_its_nuclei(first, atlas):
    dseg = nb.load(atlas / 'dseg.nii.gz')
    chi = image(first, 'space-DemoTemplate_Chimap')
    assert chi.shape == dseg.shape
    np.testing.assert_allclose(chi.affine, dseg.affine, atol=1e-4)
    values = chi.get_fdata()
    for value, row in enumerate(table_of(first).values(), start=1):
        if value in (3, 4, 5, 6):
            inside = values[np.asarray(dseg.dataobj) == value]
            assert inside.mean() == pytest.approx(float(row['mean']), abs=0.02), row['name']
    about = json.loads((anat(first) / 'sub-01_space-DemoTemplate_Chimap.json').read_text())
    assert about['Units'] == 'ppm'
    assert about['SpatialReference'].endswith('template.nii.gz')
    assert (anat(first) / 'sub-01_space-DemoTemplate_desc-qsm_mask.nii.gz').is_file()


def test_transforms_are_written_and_used_again(first, again):
    assert again.code == 0, again.printed
    names = {path.name for path in anat(first).glob('*_xfm.*')}
    assert names == {
        'sub-01_from-orig_to-T1w_mode-image_xfm.txt',
        'sub-01_from-T1w_to-orig_mode-image_xfm.txt',
        'sub-01_from-T1w_to-DemoTemplate_mode-image_xfm.h5',
        'sub-01_from-DemoTemplate_to-T1w_mode-image_xfm.h5',
    }
    assert 'register' in first.log
    assert 'register' not in again.log.partition('bidsqsm:')[2].partition('\n')[2]
    one, two = labels_of(first), labels_of(again)
    for value in np.unique(one[one > 0]):
        both = ((one == value) & (two == value)).sum()
        assert 2 * both >= 0.9 * ((one == value).sum() + (two == value).sum())


def test_without_a_t1w_the_maps_lead_as_well(alone, first):
    found = json.loads((anat(alone) / 'sub-01_Chimap.json').read_text())['Decisions']
    assert found['alignment']['orig to DemoTemplate']['contrasts'] == ['magnitude', 'chi']
    assert found['alignment']['orig to DemoTemplate']['likeness'] > 0.5
    names = {path.name for path in anat(alone).glob('*_xfm.*')}
    assert names == {
        'sub-01_from-orig_to-DemoTemplate_mode-image_xfm.h5',
        'sub-01_from-DemoTemplate_to-orig_mode-image_xfm.h5',
    }
    said = 'once more with susceptibility beside the magnitude'
    assert said in (alone.out / 'logs' / 'CITATION.md').read_text()
    assert said not in (first.out / 'logs' / 'CITATION.md').read_text()


def test_an_atlas_that_cannot_be_registered_has_no_values_and_the_run_goes_on(alone):
    assert alone.code == 0, alone.printed
    status = alone.status('sub-01')
    assert status['status'] == 'ok'
    said = [text for text in status['warnings'] if 'NoiseTemplate' in text]
    assert 'no region of an atlas is measured' in said[0]
    rows = table_of(alone, 'atlas-Noise')
    assert len(rows) > 16
    assert {row['mean'] for row in rows.values()} == {'n/a'}
    assert not labels_of(alone, 'atlas-Noise').any()
    assert {row['mean'] for row in table_of(alone).values()} != {'n/a'}
    assert not [*anat(alone).glob('*NoiseTemplate*_xfm*')]


def test_the_atlas_is_in_the_methods_and_nothing_was_written_elsewhere(app, first, again, alone):
    text = (first.out / 'logs' / 'CITATION.md').read_text()
    assert 'registered with the template' in text
    assert '@avants2008' in text
    assert 'The regions of the atlas were refined by moving their borders' in text
    assert 'registered with the template' not in (again.out / 'logs' / 'CITATION.md').read_text()
    assert app.strays() == []


def test_missing_templates_end_the_call_before_anything_is_computed(app, dataset):
    call = app(dataset, 'none', '--atlases', 'MASSP20', '--skip-bids-validation')
    assert call.code == 127
    assert 'tpl-MNI152NLin2009cAsym_res-01_T1w.nii.gz' in call.last_line
    assert 'bidsqsm fetch-templates' in call.last_line
    assert not call.out.exists()


@pytest.mark.skipif(find_validator() is None, reason='needs bids-validator-deno')
def test_the_validator_takes_labels_tables_transforms_and_spaces(first):
    done = subprocess.run(  # noqa: S603, the program is our own test dependency
        [str(find_validator()), str(first.out), '--format', 'json'],
        capture_output=True,
        text=True,
        check=False,
    )
    issues = json.loads(done.stdout)['issues']['issues']
    odd = [one for one in issues if one['severity'] == 'error' or one['code'].startswith('TSV')]
    assert odd == []

"""bidsqsm roi: the same values as the app, on maps made by anyone, and plain refusals."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.__main__ import main
from bidsqsm.atlases.structures import make_label
from bidsqsm.cli.roi import add_arguments, check_arguments
from bidsqsm.inputs.participants import ages_of
from bidsqsm.interfaces.anatomy.rois import MeasureRois
from bidsqsm.rois.region_table import roi_table, write_table

AFFINE = np.array([[0, 0, 1.5, 0], [1.2, 0, 0, 3], [0, 1.1, 0, 0], [0, 0, 0, 1]])
SHAPE = (12, 20, 24)
FREQUENCY = 123.2587654
NAMES = [
    make_label(1, 'left putamen'),
    make_label(2, 'right putamen'),
    make_label(3, 'L GPe'),
    make_label(4, 'L GPi'),
]


def write(path, values, **sidecar):
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.Nifti1Image(values, AFFINE).to_filename(path)
    if sidecar:
        path.with_name(path.name.partition('.')[0] + '.json').write_text(json.dumps(sidecar))
    return path


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    labels = np.zeros(SHAPE, np.uint8)
    for index in range(1, 5):
        labels[3:9, 4 * index - 2 : 4 * index + 1, 6:18] = index
    mask = np.zeros(SHAPE, bool)
    mask[2:10, 2:18, 2:16] = True
    tissue = random.normal(0.05, 0.02, SHAPE)
    return {
        'labels': labels,
        'mask': mask.astype(np.uint8),
        'chi': (tissue * mask).astype(np.float32),
        'r2star': (random.uniform(10, 40, SHAPE) * (labels > 0) + 2 * mask).astype(np.float32),
        't2star': random.uniform(0.02, 0.2, SHAPE).astype(np.float32),
        'local_field': (tissue / 3 * mask).astype(np.float32),
        'total_field': (tissue / 3 + np.linspace(0, 1, SHAPE[0])[:, None, None]).astype(
            np.float32
        ),
        'noise': random.uniform(0.001, 0.004, SHAPE).astype(np.float32),
    }


@pytest.fixture
def derivatives(arrays, tmp_path):
    """The files that the app writes of a run, and its table from the interface."""
    root = tmp_path / 'out'
    anat, fmap = root / 'sub-01' / 'anat', root / 'sub-01' / 'fmap'
    hz = np.float32(FREQUENCY)
    known = {'ImagingFrequency': round(FREQUENCY, 6)}
    write(anat / 'sub-01_Chimap.nii.gz', arrays['chi'], Units='ppm', ReferenceRegion='none')
    write(anat / 'sub-01_desc-qsm_mask.nii.gz', arrays['mask'])
    write(anat / 'sub-01_R2starmap.nii.gz', arrays['r2star'], Units='1/s')
    write(anat / 'sub-01_T2starmap.nii.gz', arrays['t2star'], Units='s')
    for key, desc in (('local_field', 'local'), ('total_field', 'total'), ('noise', 'noise')):
        name = f'sub-01_desc-{desc}_fieldmap.nii.gz'
        write(fmap / name, arrays[key] * hz, Units='Hz', **known)
    write(anat / 'sub-01_atlas-X_dseg.nii.gz', arrays['labels'], SpatialReference='orig')
    work = tmp_path / 'work'
    files = {name: str(write(work / f'{name}.nii', values)) for name, values in arrays.items()}
    files['in_mask'] = files.pop('mask')
    measured = MeasureRois(
        names=[asdict(n) for n in NAMES], imaging_frequency=FREQUENCY, age=66.0, **files
    )
    table = measured.run(cwd=work).outputs.table
    (anat / 'sub-01_atlas-X_dseg.tsv').write_bytes(open(table, 'rb').read())  # noqa: SIM115, PTH123
    (root / 'participants.tsv').write_text('participant_id\tage\nsub-01\t66\nsub-02\tn/a\n')
    return root


def rows_of(path):
    with path.open() as stream:
        return {row['name']: row for row in csv.DictReader(stream, delimiter='\t')}


def test_the_command_gives_the_table_of_the_app_byte_for_byte(derivatives, tmp_path):
    assert main(['roi', str(derivatives), '--out', str(tmp_path / 'new')]) == 0
    name = 'sub-01/anat/sub-01_atlas-X_dseg.tsv'
    again = (tmp_path / 'new' / name).read_text()
    assert again == (derivatives / name).read_text()
    row = rows_of(tmp_path / 'new' / name)['pallidum_L']
    assert float(row['se']) > 0
    assert (row['mean_csf'], row['hemisphere']) != ('n/a', 'n/a')
    assert row['local_field_mean'] != 'n/a'


def test_single_files_give_the_same_table_as_their_folder(derivatives, tmp_path):
    anat, fmap = derivatives / 'sub-01' / 'anat', derivatives / 'sub-01' / 'fmap'
    stem = f'{anat}/sub-01'
    words = [
        'roi',
        '--chi',
        f'{stem}_Chimap.nii.gz',
        '--labels',
        f'{stem}_atlas-X_dseg.nii.gz',
        '--names',
        f'{stem}_atlas-X_dseg.tsv',
        '--mask',
        f'{stem}_desc-qsm_mask.nii.gz',
        '--r2star',
        f'{stem}_R2starmap.nii.gz',
        '--t2star',
        f'{stem}_T2starmap.nii.gz',
        '--local-field',
        f'{fmap}/sub-01_desc-local_fieldmap.nii.gz',
        '--total-field',
        f'{fmap}/sub-01_desc-total_fieldmap.nii.gz',
        '--noise',
        f'{fmap}/sub-01_desc-noise_fieldmap.nii.gz',
        '--age',
        '66',
        '--out',
        str(tmp_path / 'x.tsv'),
    ]
    assert main(words) == 0
    assert (tmp_path / 'x.tsv').read_text() == (anat / 'sub-01_atlas-X_dseg.tsv').read_text()
    about = json.loads((tmp_path / 'x.json').read_text())
    assert about['mean']['Units'] == 'ppm'
    assert about['MeasuredFiles']['chi'].endswith('_Chimap.nii.gz')
    assert about['Measurement']['MapReference'] == 'none'


def test_further_maps_are_found_beside_the_map_or_named(derivatives, arrays, tmp_path):
    anat = derivatives / 'sub-01' / 'anat'
    iron = write(anat / 'sub-01_ironmap.nii.gz', arrays['chi'] * 1000, Units='mg/kg')
    write(anat / 'sub-01_run-2_gadoliniummap.nii.gz', arrays['chi'])
    assert main(['roi', str(derivatives), '--out', str(tmp_path / 'new')]) == 0
    rows = rows_of(tmp_path / 'new' / 'sub-01/anat/sub-01_atlas-X_dseg.tsv')
    row = rows['left putamen']
    assert float(row['iron_mean']) == pytest.approx(1000 * float(row['mean']), rel=1e-6)
    assert 'gadolinium_mean' not in row
    iron.with_name('sub-01_ironmap.json').write_text('{"Units": "mg/100g"}')
    words = [
        'roi',
        '--chi',
        f'{anat}/sub-01_Chimap.nii.gz',
        '--iron',
        f'{iron}',
        '--labels',
        f'{anat}/sub-01_atlas-X_dseg.nii.gz',
        '--mask',
        f'{anat}/sub-01_desc-qsm_mask.nii.gz',
        '--out',
        str(tmp_path / 'x.tsv'),
    ]
    assert main(words) == 0
    single = rows_of(tmp_path / 'x.tsv')['label-1']
    assert float(single['iron_mean']) == pytest.approx(10 * float(row['iron_mean']), rel=1e-6)


def test_a_table_is_not_replaced_unless_asked_and_the_sidecar_of_the_labels_stays(derivatives):
    beside = derivatives / 'sub-01' / 'anat' / 'sub-01_atlas-X_dseg.json'
    words = ['roi', str(derivatives), '--out', str(derivatives)]
    assert main(words) == 1
    assert json.loads(beside.read_text()) == {'SpatialReference': 'orig'}
    assert main([*words, '--overwrite', '--coverage', '0.9']) == 0
    about = json.loads(beside.read_text())
    assert about['SpatialReference'] == 'orig'
    assert 'robust_mean' in about
    row = rows_of(beside.with_suffix('.tsv'))['left putamen']
    assert (row['mean'], row['coverage']) == ('n/a', '0.833333333')


def run_on(tmp_path, arrays, capsys, *more, sidecar=None, **changed):
    files = {**{k: arrays[k] for k in ('chi', 'labels')}, **changed}
    paths = {name: write(tmp_path / f'{name}.nii', values) for name, values in files.items()}
    if sidecar:
        (tmp_path / 'chi.json').write_text(json.dumps(sidecar))
    words = [w for name, path in paths.items() for w in (f'--{name.replace("_", "-")}', str(path))]
    code = main(['roi', *words, '--out', str(tmp_path / 'roi.tsv'), *more])
    return code, capsys.readouterr()


def test_a_map_without_mask_and_names_is_measured_where_it_is_not_zero(tmp_path, arrays, capsys):
    code, said = run_on(tmp_path, arrays, capsys)
    assert code == 0
    assert f'the {int((arrays["chi"] != 0).sum())} voxels where chi is not 0' in said.out
    rows = rows_of(tmp_path / 'roi.tsv')
    assert [*rows] == ['label-1', 'label-2', 'label-3', 'label-4']
    inside = (arrays['labels'] == 2) & (arrays['chi'] != 0)
    assert rows['label-2']['mean'] == f'{arrays["chi"][inside].mean(dtype=float):.9g}'
    assert rows['label-2']['hemisphere'] == 'n/a'


def test_ppb_are_converted_where_the_sidecar_says_so_and_asked_for_where_not(
    tmp_path, arrays, capsys
):
    ppb = arrays['chi'] * 1000
    code, said = run_on(tmp_path, arrays, capsys, chi=ppb)
    assert code == 2
    assert 'it may be in ppb' in said.err
    code, said = run_on(tmp_path, arrays, capsys, chi=ppb, sidecar={'Units': 'ppb'})
    assert code == 0
    assert 'was converted to ppm' in said.out
    told = float(rows_of(tmp_path / 'roi.tsv')['label-1']['mean'])
    code, _ = run_on(tmp_path, arrays, capsys, '--overwrite', '--units', 'ppm', chi=arrays['chi'])
    assert float(rows_of(tmp_path / 'roi.tsv')['label-1']['mean']) == pytest.approx(told, rel=1e-6)


@pytest.mark.parametrize(
    ('changed', 'options', 'sentence'),
    [
        ({'labels': np.zeros(SHAPE, np.uint8)}, (), 'is empty, expected labels'),
        ({'labels': np.ones((5, 20, 24), np.uint8)}, (), 'expected one grid for both'),
        ({'chi': np.ones(SHAPE, np.float32) * 0.1}, (), 'give the mask with --mask'),
        ({'mask': np.zeros(SHAPE, np.uint8)}, (), 'expected the mask of the map'),
        ({'t2star': np.full(SHAPE, 40, np.float32)}, (), 'it may be in ms'),
        ({'noise': np.ones(SHAPE, np.float32)}, (), 'no ImagingFrequency in its sidecar'),
        ({'r2star': np.ones((*SHAPE, 2), np.float32)}, (), 'expected one volume'),
        ({}, ('--coverage', '50'), 'expected a share from 0 to 1'),
        ({}, ('--names', 'nowhere.tsv'), 'nowhere.tsv'),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(
    tmp_path, arrays, capsys, changed, options, sentence
):
    code, said = run_on(tmp_path, arrays, capsys, *options, **changed)
    assert code == 2
    assert sentence in said.err
    assert said.err.startswith('bidsqsm roi failed: ')
    assert said.err.count('\n') == 1
    assert not (tmp_path / 'roi.tsv').exists()


def test_a_folder_without_labels_is_refused(tmp_path, arrays, capsys):
    write(tmp_path / 'out' / 'sub-01' / 'anat' / 'sub-01_Chimap.nii.gz', arrays['chi'])
    assert main(['roi', str(tmp_path / 'out'), '--out', str(tmp_path / 'new')]) == 2
    assert 'has 1 susceptibility maps and no labels' in capsys.readouterr().err


def test_files_and_a_folder_do_not_go_together():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(ValueError, match='--chi names a file, and d a folder'):
        check_arguments(parser.parse_args(['d', '--chi', 'x', '--out', 'y']))
    with pytest.raises(ValueError, match='expected --chi and --labels'):
        check_arguments(parser.parse_args(['--chi', 'x', '--out', 'y']))


def test_ages_come_from_the_dataset_or_from_the_one_it_was_made_from(tmp_path):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'participants.tsv').write_text(
        'participant_id\tage\nsub-01\t31.5\nsub-02\t89+\nsub-03\tn/a\n'
    )
    out = tmp_path / 'out'
    out.mkdir()
    assert ages_of(out, []) == {}
    about = {'DatasetLinks': {'raw': '../raw'}}
    (out / 'dataset_description.json').write_text(json.dumps(about))
    assert ages_of(out, []) == {'01': 31.5}


def test_labels_of_another_run_or_space_are_not_taken(derivatives, arrays, tmp_path):
    anat = derivatives / 'sub-01' / 'anat'
    write(anat / 'sub-01_space-MNI_atlas-X_dseg.nii.gz', arrays['labels'])
    write(anat / 'sub-01_run-2_atlas-X_dseg.nii.gz', arrays['labels'])
    write(anat / 'sub-01_atlas-X_desc-refined_dseg.nii.gz', arrays['labels'])
    assert main(['roi', str(derivatives), '--out', str(tmp_path / 'new')]) == 0
    made = sorted(path.name for path in (tmp_path / 'new').rglob('*.tsv'))
    tables = [name for name in made if name.endswith('_dseg.tsv')]
    assert tables == ['sub-01_atlas-X_desc-refined_dseg.tsv', 'sub-01_atlas-X_dseg.tsv']


def test_equal_values_are_equal_text(arrays, tmp_path):
    size = (1.2, 1.1, 1.5)
    maps, mask = {'chi': arrays['chi']}, arrays['mask'] > 0
    one = roi_table(arrays['labels'], NAMES, maps, mask, size)
    near = roi_table(arrays['labels'], NAMES, maps, mask, (1.2000001, 1.1, 1.4999999))
    write_table(one, tmp_path / 'a.tsv')
    write_table(near, tmp_path / 'b.tsv')
    assert (tmp_path / 'a.tsv').read_text() == (tmp_path / 'b.tsv').read_text()

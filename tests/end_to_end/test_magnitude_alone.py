"""Magnitudes without phase, from end to end: what they give is made, and nothing else is claimed."""

from __future__ import annotations

import csv
import json
import shutil

import nibabel as nb
import numpy as np
import pytest

from helpers import bad_subjects
from helpers.app import App
from helpers.bad_subjects import AFFINE, ECHO_TIMES, ECHOES, SHAPE

R2 = 9.0  # 1/s
ALL = ('--products', 'qsm', 'r2star', 'r2prime', 'swi')
#: What is written of a run, without atlas and template.
MADE = {
    'R2starmap',
    'T2starmap',
    'S0map',
    'desc-rmse_R2starmap',
    'desc-nechoes_R2starmap',
    'R2map',
    'desc-prime_R2map',
    'desc-prime_T2map',
    'part-mag_desc-rss_T2starw',
    'desc-brain_mask',
    'desc-magnitude_mask',
}


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


def truth():
    """Brain and R2* (1/s), from 15 to 45 and different everywhere."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
    return np.sqrt(x**2 + y**2 + z**2) < 0.85, 30 + 8 * x + 4 * y * z + 3 * np.sin(9 * z)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """A subject with the magnitudes of an exact decay and an R2 of its own, and spoilt ones."""
    root = tmp_path_factory.mktemp('magnitudes')

    def exact(subject):
        bad_subjects.no_phase(subject)
        brain, rates = truth()
        for echo, time in zip(ECHOES, ECHO_TIMES, strict=True):
            values = np.where(brain, 900 * np.exp(-rates * time), 0).astype(np.float32)
            subject.save('mag', echo, values)

    def single(subject):
        bad_subjects.no_phase(subject)
        for path in subject.anat.glob('*_echo-[23]_*'):
            path.unlink()

    made = bad_subjects.make_dataset(
        root / 'ds', {'mag': exact, 'single': single, 'part': bad_subjects.no_echo}
    )
    for path in (made / 'sub-01' / 'anat').iterdir():
        path.unlink()
    r2 = root / 'r2' / 'sub-mag' / 'anat' / 'sub-mag_R2map.nii.gz'
    r2.parent.mkdir(parents=True)
    nb.save(nb.Nifti1Image(np.where(truth()[0], R2, 0).astype(np.float32), AFFINE), r2)
    return made


@pytest.fixture(scope='module')
def call(app, dataset):
    return app(
        dataset,
        'out',
        *ALL,
        '--skip-bids-validation',
        '-d',
        f'r2={dataset.parent / "r2"}',
        '--participant-label',
        'mag',
        'single',
        'part',
        '--two-pass',
    )


@pytest.mark.parametrize('slices', [1, 3, 7])
def test_a_thin_slab_with_phase_has_its_rates(app, dataset, tmp_path, slices):
    """Voxel by voxel: no more than a slice is needed, and the phase is left aside."""
    thin = tmp_path / 'ds'
    (thin / 'sub-mag' / 'anat').mkdir(parents=True)
    shutil.copy(dataset / 'dataset_description.json', thin)
    part = slice(SHAPE[2] // 2, SHAPE[2] // 2 + slices)
    for path in (dataset / 'sub-mag' / 'anat').glob('*_MEGRE.*'):
        names = [path.name, path.name.replace('part-mag', 'part-phase')]
        for name in names:
            shutil.copy(path, thin / 'sub-mag' / 'anat' / name)
            if name.endswith('.nii.gz'):
                image = nb.load(path).slicer[:, :, part]
                nb.save(image, thin / 'sub-mag' / 'anat' / name)
    call = app(thin, f'thin{slices}', '--skip-bids-validation')
    status = call.status('sub-mag')
    assert status['status'] == 'ok', call.printed
    assert 'expected 8 voxels or more along each axis for susceptibility' in status['warnings'][0]
    found = values(call, 'R2starmap')
    brain, rates = (one[:, :, part] for one in truth())
    assert np.abs(found - rates)[brain & (found > 0)].max() < 0.1
    assert (found > 0)[brain].mean() > 0.8


def names_of(call, subject):
    start = f'sub-{subject}_'
    files = (call.out / f'sub-{subject}').rglob('*.nii.gz')
    return {path.name.removesuffix('.nii.gz').removeprefix(start) for path in files}


def anat(call, name):
    return call.out / 'sub-mag' / 'anat' / f'sub-mag_{name}'


def values(call, name):
    return nb.load(anat(call, f'{name}.nii.gz')).get_fdata()


def test_the_run_is_ok_and_tells_what_it_lacks(call):
    status = call.status('sub-mag')
    assert (status['status'], status['reason']) == ('ok', None), call.printed
    general, swi = status['warnings']
    assert 'sub-mag_echo-1_part-mag_MEGRE.nii.gz has no phase, expected part-phase' in general
    assert swi == 'swi was left out: sub-mag has no phase.'
    # before anything is computed, it stands on the screen as well
    printed = call.printed.splitlines()
    told = next(n for n, line in enumerate(printed) if general in line)
    assert told < next(n for n, line in enumerate(printed) if 'sub-mag ok' in line)


def test_one_echo_and_a_missing_phase_of_one_of_several_are_skipped(call):
    assert call.code == 1
    assert 'has no phase, expected part-phase' in call.status('sub-single')['reason']
    assert 'echo-2_part-phase_MEGRE.nii.gz is missing' in call.status('sub-part')['reason']
    assert call.last_line.startswith('bidsqsm failed: 1 run ok, 2 skipped')
    assert names_of(call, 'single') == names_of(call, 'part') == set()


def test_what_magnitudes_give_is_there_and_no_product_of_the_phase(call):
    assert names_of(call, 'mag') == MADE
    assert not (call.out / 'sub-mag' / 'fmap').exists()


def test_the_rates_are_those_of_the_decay(call):
    brain, rates = truth()
    mask = values(call, 'desc-brain_mask') > 0
    assert (mask == brain).mean() > 0.995
    inside = mask & brain
    assert np.abs(values(call, 'R2starmap') - rates)[inside].max() < 0.01  # 1/s
    np.testing.assert_allclose(values(call, 'T2starmap')[inside], 1 / rates[inside], rtol=1e-3)
    np.testing.assert_allclose(values(call, 'S0map')[inside], 900, rtol=1e-3)
    assert np.abs(values(call, 'desc-prime_R2map') - rates + R2)[inside].max() < 0.01
    assert (values(call, 'desc-nechoes_R2starmap')[inside] == len(ECHOES)).all()


def test_sidecars_claim_no_phase_and_no_correction_by_its_field(call):
    content = json.loads(anat(call, 'R2starmap.json').read_text())
    assert {*content['Processing']} == {'gradient_correction', 'relaxometry'}
    assert content['Processing']['gradient_correction']['Name'] == 'none'
    assert content['Decisions']['phase'] == {'parts': 'magnitude'}
    assert {*content['Decisions']} == {'phase', 'mask', 'relaxometry', 'r2prime'}
    mask = json.loads(anat(call, 'desc-brain_mask.json').read_text())
    assert mask['Processing']['mask']['Name'] == 'structural'
    assert mask['Decisions']['mask']['mask_sources'] == {'brain': 'magnitude'}


def claims(text):
    """Words that only phase can bear out."""
    words = ('unwrap', 'romeo', 'quality', 'sinc', 'inverted', 'uantitative susceptibility map')
    return [word for word in words if word in text]


def test_methods_text_and_report_speak_of_the_magnitude_alone(call):
    text = (call.out / 'logs' / 'CITATION.md').read_text()
    assert 'There was no phase, so that only the magnitude was used.' in text
    assert 'Dephasing across a voxel was not corrected for' in text
    assert claims(text) == []
    page = (call.out / 'sub-mag.html').read_text()
    assert 'has no phase, expected part-phase' in page
    shown = {
        key
        for key in ('magnitude', 'phase', 'mask', 'r2star', 'r2prime', 'chi')
        if f'id="sub-mag-{key}"' in page
    }
    assert shown == {'magnitude', 'mask', 'r2star', 'r2prime'}
    assert 'could not be drawn' not in page


def test_the_text_without_compute_is_true_as_well(app, dataset):
    call = app(
        dataset,
        'text',
        '--boilerplate-only',
        '--skip-bids-validation',
        '--participant-label',
        'mag',
    )
    assert call.code == 0, call.printed
    (path,) = call.out.glob('logs/*methods.md')
    assert '`structural`' in path.read_text()
    assert claims(path.read_text()) == []


def test_products_of_the_phase_alone_skip_the_run(app, dataset):
    asked = ('--products', 'qsm', 'swi', '--participant-label', 'mag', '--skip-bids-validation')
    call = app(dataset, 'phase', *asked)
    assert call.code == 1
    reason = call.status('sub-mag')['reason']
    assert 'none of the products that were asked for: qsm, swi (sub-mag has no phase);' in reason
    assert 'skipped' in (call.out / 'sub-mag.html').read_text()
    table = app(dataset, 'table', *asked, '--dry-run')
    assert table.code == 0
    assert f'skip: {reason}' in table.printed


@pytest.fixture(scope='module')
def region(app, coarse_dataset, tmp_path_factory):
    """A head without T1w, its atlas, and a space of its own."""
    root = tmp_path_factory.mktemp('heads') / 'ds'
    shutil.copytree(coarse_dataset, root)
    for pattern in ('*part-phase*', '*T1w*'):
        for path in (root / 'sub-01').rglob(pattern):
            path.unlink()
    atlas = str(root / 'derivatives' / 'atlas')
    return app(
        root,
        'regions',
        '--atlases',
        atlas,
        '--output-spaces',
        atlas,
        '--registration',
        'affine',
        '--skip-bids-validation',
    )


def test_regions_of_an_atlas_have_rates_and_no_susceptibility(region):
    assert region.code == 0, region.printed
    with (region.out / 'sub-01/anat/sub-01_atlas-Demo_dseg.tsv').open() as stream:
        rows = {row['name']: row for row in csv.DictReader(stream, delimiter='\t')}
    for row in rows.values():
        assert {row[key] for key in ('mean', 'sd', 'se', 'mean_csf', 'chi_in_range')} == {'n/a'}
    thalamus, pallidum = (
        float(rows[name]['r2star_mean']) for name in ('left_thalamus', 'left_pallidum')
    )
    assert 10 < thalamus < pallidum < 60  # 1/s
    assert float(rows['left_thalamus']['t2star_median']) == pytest.approx(1 / thalamus, rel=0.2)
    page = (region.out / 'sub-01.html').read_text()
    assert 'Table of regions' in page
    assert 'id="sub-01-regions"' in page
    assert 'id="sub-01-values"' not in page


def test_maps_and_masks_go_to_the_space_of_a_template(region):
    assert 'desc-template_mask' in names_of(region, '01')
    moved = {name for name in names_of(region, '01') if name.startswith('space-')}
    assert moved == {
        'space-DemoTemplate_R2starmap',
        'space-DemoTemplate_T2starmap',
        'space-DemoTemplate_desc-brain_mask',
    }

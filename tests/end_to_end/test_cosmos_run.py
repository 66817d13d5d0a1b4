"""Several orientations of a head from end to end: maps, sidecar, report."""

from __future__ import annotations

import json

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.demo.demo_dataset import write_demo
from bidsqsm.demo.demo_options import DemoOptions
from bidsqsm.derivatives.metrics_files import read_metrics
from bidsqsm.qsm.phantom.signal_simulation import Sequence
from helpers.app import App

NAMES = ['acq-1', 'acq-2', 'acq-3']


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A head of 4 mm in three orientations through the app, with its true masks."""
    room = tmp_path_factory.mktemp('turned')
    sequence = Sequence(echo_times=(0.004, 0.010, 0.016), snr=300)
    options = DemoOptions(
        voxel_size=(4, 4, 4), shape=(48, 54, 48), orientations=3, t1w=False, sequence=sequence
    )
    write_demo(room / 'ds', options)
    (room / 'app').mkdir()
    call = App(room / 'app')(
        room / 'ds',
        'out',
        '--orientations',
        'acq',
        '--nprocs',
        '2',
        '--skip-bids-validation',
        '-d',
        f'truth={room / "ds/derivatives/truth"}',
    )
    assert call.code == 0, call.printed
    return room / 'ds', call


def read(path):
    return nb.load(path).get_fdata(dtype=np.float32)


def test_three_orientations_make_a_map_that_fits_the_truth_better_than_one(made):
    data, call = made
    anat, truth = call.out / 'sub-01/anat', data / 'derivatives/truth/sub-01/anat'
    true = read(truth / 'sub-01_acq-1_Chimap.nii.gz')
    mask = read(anat / 'sub-01_desc-cosmos_mask.nii.gz') > 0
    deep = ndimage.binary_erosion(mask, iterations=3)
    assert deep.sum() > 8000

    def fit(name):
        chi = read(anat / f'{name}_Chimap.nii.gz')
        assert not chi[
            ~(read(anat / f'{name.replace("_desc-cosmos", "_acq-1")}_desc-qsm_mask.nii.gz') > 0)
        ].any()
        # without what is smooth, which comes of the removal of the background
        a, b = (v - ndimage.gaussian_filter(v, 3) for v in (chi, true))
        return a[deep] @ b[deep] / (b[deep] @ b[deep]), np.corrcoef(a[deep], b[deep])[0, 1]

    (slope, correlation), single = fit('sub-01_desc-cosmos'), fit('sub-01_acq-1')
    assert slope == pytest.approx(1, abs=0.15)
    assert correlation > 0.93
    assert correlation > single[1]


def test_the_sidecar_names_all_runs_and_how_the_head_was_turned(made):
    _, call = made
    path = call.out / 'sub-01/anat/sub-01_desc-cosmos_Chimap.json'
    content = json.loads(path.read_text())
    assert len(content['Sources']) == 3 * (6 + 2), 'with masks and labels'
    assert all(any(f'acq-{n}' in source for source in content['Sources']) for n in (1, 2, 3))
    joint = content['Decisions']['joint']
    assert joint['rotations'] == pytest.approx([0, 25, 25], abs=0.5)
    assert joint['angles'] == pytest.approx([25, 25, 34.8], abs=0.6)
    assert joint['condition_number'] == pytest.approx(5, abs=0.5)
    assert joint['convergence'][0]['converged']
    assert content['EstimationAlgorithm'].endswith('(COSMOS)')
    assert 'dipole' not in content['Processing']


def test_report_and_methods_tell_of_the_orientations(made):
    _, call = made
    page = (call.out / 'sub-01.html').read_text()
    assert 'Orientations on one grid' in page
    assert 'apart, condition number' in page
    figures = [path.name for path in (call.out / 'sub-01/figures').glob('*cosmos*')]
    assert 'sub-01_desc-cosmosregistered_T2starw.png' in figures
    text = (call.out / 'logs/CITATION.md').read_text()
    assert '[@liu2009]' in text
    assert 'measured in 3 orientations' in text
    assert call.status('sub-01_desc-cosmos')['status'] == 'ok'


def test_the_joint_map_has_its_metrics_and_a_map_without_a_cone_streaks_less(made):
    _, call = made
    joint, single = (
        read_metrics(call.out / f'sub-01/anat/{name}_metrics.json')['Metrics']
        for name in ('sub-01_desc-cosmos', 'sub-01_acq-1')
    )
    assert (
        {'chi_noise', 'streaking', 'mask_volume', 'chi_r2star_correlation'}
        <= joint.keys()
        < single.keys()
    )
    assert joint['chi_r2star_correlation'] > 0.3
    assert joint['streaking'] == pytest.approx(1, abs=0.35)


def test_the_demo_turns_the_head_and_not_the_volume(made):
    data, _ = made
    affines = [
        nb.load(p).affine for p in sorted(data.glob('sub-01/anat/*echo-1_part-mag*.nii.gz'))
    ]
    assert len(affines) == 3
    assert all(np.array_equal(affine, affines[0]) for affine in affines)
    truth = data / 'derivatives/truth/sub-01/anat'
    masks = [read(truth / f'sub-01_{name}_desc-brain_mask.nii.gz') > 0 for name in NAMES]
    assert (masks[0] & masks[1]).sum() < 0.95 * masks[0].sum()
    assert masks[1].sum() == pytest.approx(masks[0].sum(), rel=0.01)

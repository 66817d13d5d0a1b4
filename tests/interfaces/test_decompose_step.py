"""DECOMPOSE as a step of a run: files in, two maps and their facts out, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.config import settled_methods
from bidsqsm.files.nifti import load_volume, save_volume
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.interfaces.contrasts.decompose import Decompose
from bidsqsm.qsm.units import imaging_frequency_of
from bidsqsm.workflows.contrasts.contrast_steps import unavailable
from helpers.bids_skeleton import Skeleton

TIMES = [0.006, 0.014, 0.022, 0.030]
MHZ = imaging_frequency_of(3.0)
SHAPE = (8, 7, 6)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


@pytest.fixture
def files(tmp_path):
    """One kind of source in each half: paramagnetic below, diamagnetic above; a rim without mask."""
    chi = np.full(SHAPE, 0.1, np.float32)
    chi[4:] = -0.06
    mask = np.ones(SHAPE, np.uint8)
    mask[:, 0] = 0
    rate = 15 + 2 * np.pi / (9 * 3**0.5) * 2 * np.pi * MHZ * np.abs(chi)
    magnitude = np.stack([800 * np.exp(-rate * t) for t in TIMES]).astype(np.float32)

    def save(**volumes):
        given = {'chi': chi, 'mask': mask, 'magnitude': magnitude} | volumes
        return {k: str(save_volume(v, AFFINE, tmp_path / f'{k}.nii')) for k, v in given.items()}

    return save, magnitude, chi, mask


def run_step(files, folder):
    step = Decompose(
        in_file=files['chi'],
        in_mask=files['mask'],
        magnitude=files['magnitude'],
        echo_times=TIMES,
        imaging_frequency=MHZ,
        method='three-pool',
    )
    return step.run(cwd=folder).outputs


def test_each_source_is_in_the_map_of_its_sign(files, tmp_path):
    save, _, chi, mask = files
    out = run_step(save(), tmp_path)
    plus, affine = load_volume(out.paramagnetic)
    minus, _ = load_volume(out.diamagnetic)
    np.testing.assert_allclose(plus, np.maximum(chi, 0) * mask, atol=2e-3)
    np.testing.assert_allclose(minus, np.minimum(chi, 0) * mask, atol=2e-3)
    np.testing.assert_allclose(affine, AFFINE)
    assert out.facts['fitted_voxels'] == mask.sum()
    assert out.facts['lost_voxels'] == 0
    assert abs(out.facts['sum_less_chi']['mean']) < 1e-3
    assert 'warnings' not in out.facts


def test_voxels_that_were_lost_are_counted_and_told(files, tmp_path):
    save, magnitude, _, mask = files
    magnitude[2, 0] = -1
    out = run_step(save(magnitude=magnitude), tmp_path)
    plus, _ = load_volume(out.paramagnetic)
    assert not plus[0].any()
    assert plus[1, 1:].all()
    assert out.facts['lost_voxels'] == mask[0].sum()
    assert f'{mask[0].sum()} of {mask.sum()} voxels' in out.facts['warnings'][0]


def test_without_any_signal_the_product_is_left_out_with_a_sentence(files, tmp_path):
    save, magnitude, *_ = files
    out = run_step(save(magnitude=0 * magnitude), tmp_path)
    assert not isdefined(out.paramagnetic)
    assert not isdefined(out.diamagnetic)
    assert out.facts['left_out'] == out.facts['warnings'][0]
    assert 'check the magnitude' in out.facts['left_out']


def test_three_echoes_are_told_before_anything_is_computed(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    skeleton.megre('sub-01', echo_times=TIMES[:3])
    skeleton.megre('sub-02', echo_times=TIMES)
    three, four = find_runs(skeleton.root)
    (said,) = unavailable(three, settled_methods(), ['qsm', 'decompose'])
    assert said == 'decompose was left out: it needs 4 echoes or more, and sub-01 has 3.'
    assert not unavailable(four, settled_methods(), ['decompose'])

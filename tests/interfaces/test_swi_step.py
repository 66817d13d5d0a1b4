"""Susceptibility-weighted images of files, whichever way the phase runs."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.contrasts.swi import WeightMagnitude
from bidsqsm.interfaces.sign import DecideSign


@pytest.fixture
def files(small_head, tmp_path):
    """Field, magnitude, phase and mask of a head, as files; the phase of either handedness."""
    head, affine = small_head.head, small_head.head.affine
    phase = small_head.phase
    volumes = {
        'magnitude': small_head.magnitude,
        'mask': head.mask,
        'right_field': head.total_field,
        'right_phase': phase,
        'left_field': -head.total_field,
        'left_phase': -phase,
    }
    return {
        name: str(save_volume(volume, affine, tmp_path / f'{name}.nii'))
        for name, volume in volumes.items()
    }


def weigh(files, folder, hand, magnitude='magnitude'):
    """Image of either sign, by the sign that the data shows."""
    folder.mkdir()
    sign = DecideSign(
        in_file=files[f'{hand}_field'],
        unwrapped=files[f'{hand}_phase'],
        in_mask=files['mask'],
    )
    decided = sign.run(cwd=folder).outputs.sign
    node = WeightMagnitude(
        step='swi',
        method='phase-mask',
        in_file=files[magnitude],
        in_map=files[f'{hand}_phase'],
        in_mask=files['mask'],
        sign=decided,
        echo_times=[0.004, 0.008, 0.012, 0.016, 0.020],
    )
    return decided, node.run(cwd=folder).outputs


def test_a_left_handed_dataset_gives_the_same_picture(files, tmp_path):
    signs, found = zip(
        *(weigh(files, tmp_path / hand, hand) for hand in ('right', 'left')), strict=True
    )
    assert [*signs] == [1, -1]
    right, left = (nb.load(outputs.swi).get_fdata() for outputs in found)
    np.testing.assert_allclose(left, right, atol=1e-5)
    other = nb.load(found[0].swi_diamagnetic).get_fdata()
    assert abs(other - right).max() > 0.3
    assert found[0].facts['slab_slices'] == 5  # 16 mm of 3 mm


def test_a_magnitude_without_signal_gives_a_sentence_and_no_image(files, tmp_path):
    empty = nb.load(files['magnitude'])
    save_volume(np.zeros((5, *empty.shape[:3])), empty.affine, tmp_path / 'empty.nii')
    files['empty'] = str(tmp_path / 'empty.nii')
    _, found = weigh(files, tmp_path / 'work', 'right', 'empty')
    assert 'no value above zero in the brain' in found.facts['left_out']
    assert found.facts['warnings'] == [found.facts['left_out']]
    assert not isdefined(found.swi)

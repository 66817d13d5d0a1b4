"""Susceptibility-weighted images of files and of a run."""

from __future__ import annotations

import json

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.interfaces.sign import DecideSign
from bidsqsm.interfaces.swi import WeightMagnitude
from bidsqsm.io.demo_dataset import DemoOptions, write_demo
from bidsqsm.io.nifti import save_volume
from helpers.app import App

OPTIONS = ['--dipole', 'tkd', '--swi', 'phase-mask:power=2', '--skip-bids-validation']


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


def test_a_run_writes_the_images_it_was_asked_for(tmp_path_factory):
    room = tmp_path_factory.mktemp('run')  # the longer name of a test is too long for a socket
    write_demo(room / 'ds', DemoOptions(voxel_size=(5.0, 5.0, 5.0), shape=(36, 43, 36)))
    app = App(room)
    call = app(room / 'ds', 'out', '--products', 'swi', 'clear-swi', 'true-swi', *OPTIONS)
    assert call.code == 0, call.printed
    anat = call.out / 'sub-01' / 'anat'
    for desc in ('', '_desc-diamagnetic', '_desc-clear', '_desc-true'):
        image, lowest = (
            nb.load(anat / f'sub-01{desc}_{suffix}.nii.gz').get_fdata()
            for suffix in ('swi', 'minIP')
        )
        assert image.max() > 0
        assert (lowest <= image + 1e-6).all()
        assert (lowest < image).any()
        content = json.loads((anat / f'sub-01{desc}_swi.json').read_text())
        assert content['Units'] == 'arbitrary'
        assert ('dipole' in content['Processing']) == (desc == '_desc-true')
    weighted = json.loads((anat / 'sub-01_swi.json').read_text())
    assert weighted['Processing']['swi']['Parameters']['power'] == 2
    assert weighted['Decisions']['swi']['slice_axis'] == 'k'
    assert weighted['Decisions']['swi']['filter_widths'] == [18, 21]  # half of the matrix
    assert not [*anat.glob('*Chimap*')]
    page = (call.out / 'sub-01.html').read_text()
    assert all(
        title in page for title in ('Susceptibility-weighted images', 'CLEAR-SWI', 'True SWI')
    )
    assert '@haacke2004' in (call.out / 'logs' / 'CITATION.md').read_text()

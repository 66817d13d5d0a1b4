"""Signals are stored as each maker's scanners store them."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.demo.demo_dataset import write_stored
from bidsqsm.demo.scanner_conventions import CONVENTIONS, convention


@pytest.fixture
def signal():
    random = np.random.default_rng(0)
    parts = random.normal(0, 1, (2, 1, 6, 7, 8))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def _decoded(name, files):
    """Phase in rad that grows with +dB0, by each maker's rule written out once more."""
    if name == 'ge':
        turned = files['real'] + 1j * files['imag']
        turned[..., 1::2] *= -1
        return np.angle(np.conj(turned))
    phase = files['phase'].astype(float)
    return {
        'radians': phase,
        'opposite': -phase,
        'siemens': 2 * np.pi * phase / 4096 - np.pi,
        'siemens-signed': np.pi * phase / 4096,
        'philips': phase / 1000,
    }[name]


@pytest.mark.parametrize('name', CONVENTIONS)
def test_each_convention_can_be_decoded_from_its_files(name, signal, tmp_path):
    files = {}
    for image in convention(name).store(signal):
        path = tmp_path / f'{image.part}.nii.gz'
        write_stored(path, image, np.eye(4))
        files[image.part] = np.asarray(nb.load(path).dataobj)
    error = np.angle(np.exp(1j * (_decoded(name, files) - np.angle(signal[0]))))
    strong = np.abs(signal[0]) > 0.3
    assert np.abs(error[strong]).max() < 2.5e-3
    if 'mag' in files:
        np.testing.assert_allclose(files['mag'] / 1500, np.abs(signal[0]), atol=1e-3)


def test_integers_lie_in_the_files_as_scanners_store_them(signal):
    for name, ends in {'siemens': (0, 4095), 'siemens-signed': (-4096, 4094)}.items():
        (phase,) = (s for s in convention(name).store(signal) if s.part == 'phase')
        assert phase.stored.dtype == np.int16
        assert ends == (phase.inter, phase.slope * 4095 + phase.inter)


def test_an_unknown_convention_is_refused():
    with pytest.raises(ValueError, match='there are: radians'):
        convention('canon')

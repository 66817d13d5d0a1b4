"""The head of a mouse has the map of an adult; phantoms run without a word on brains."""

from __future__ import annotations

import json
import shutil

import nibabel as nb
import numpy as np
import pytest

from helpers.app import App

OPTIONS = ('--atlases', 'none', '--nprocs', '1', '--skip-bids-validation')
#: Scale and field strength (T); echo times are such that the phase is the same.
HEADS = {'adult': (1.0, 3.0), 'mouse': (0.1, 9.4)}


@pytest.fixture(scope='module')
def app(tmp_path_factory):
    return App(tmp_path_factory.mktemp('app'))


def scaled(source, root, scale, strength):
    """A copy of a dataset, its images shrunk and measured at another field strength."""
    shutil.copytree(source, root)
    for side in sorted((root / 'sub-01/anat').glob('*_MEGRE.json')):
        told = json.loads(side.read_text())
        slower = told['MagneticFieldStrength'] / strength
        told['EchoTime'] = round(told['EchoTime'] * slower, 9)
        told['ImagingFrequency'] /= slower
        told['MagneticFieldStrength'] = strength
        side.write_text(json.dumps(told))
    for path in sorted(root.rglob('*.nii.gz')):
        image = nb.load(path)
        affine = np.diag([scale, scale, scale, 1.0]) @ image.affine
        smaller = nb.Nifti1Image(np.asanyarray(image.dataobj), affine)
        smaller.header.set_xyzt_units('mm')
        nb.save(smaller, path)
    return root


@pytest.fixture(scope='module')
def calls(app, coarse_dataset, tmp_path_factory):
    """The same head in two sizes, with its true mask, without an option that tells them."""
    room = tmp_path_factory.mktemp('heads')
    found = {}
    for name, how in HEADS.items():
        root = scaled(coarse_dataset, room / name, *how)
        found[name] = app(root, name, *OPTIONS, '-d', f'truth={root}/derivatives/truth')
    return found


def error_of(call, truth):
    """NRMSE in the mask of a map."""
    anat = call.out / 'sub-01/anat'
    chi = nb.load(anat / 'sub-01_Chimap.nii.gz').get_fdata()
    mask = nb.load(next(anat.glob('*_desc-qsm_mask.nii.gz'))).get_fdata() > 0
    true = nb.load(truth / 'sub-01/anat/sub-01_Chimap.nii.gz').get_fdata()
    found, true = chi[mask] - chi[mask].mean(), true[mask] - true[mask].mean()
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def test_a_small_head_has_the_error_of_the_adult(calls, coarse_dataset):
    truth = coarse_dataset / 'derivatives/truth'
    assert calls['mouse'].code == 0, calls['mouse'].printed
    adult, small = (error_of(calls[one], truth) for one in ('adult', 'mouse'))
    assert small == pytest.approx(adult, rel=0.1)
    ours, adults = (calls[one].status('sub-01')['warnings'] for one in ('mouse', 'adult'))
    assert ours == adults


def test_sidecars_tell_the_scale_of_small_heads_alone(calls):
    told = {}
    for name, call in calls.items():
        path = call.out / 'sub-01/anat/sub-01_Chimap.json'
        found = json.loads(path.read_text())
        told[name] = (found.get('Body'), found.get('BodyScale'))
    assert told['adult'] == (None, None)
    assert told['mouse'] == ('small-animal', pytest.approx(0.1, abs=0.005))


def test_a_phantom_is_mapped_without_a_word_on_brains(app, tmp_path):
    from bidsqsm.qsm.forward import field_of
    from bidsqsm.qsm.grid import Grid
    from helpers.bids_skeleton import Skeleton

    x, y, z = np.indices((40, 40, 40)) - 19.5
    ball, vial = x**2 + y**2 + z**2 < 15**2, np.hypot(x - 6, y) < 3
    vial &= np.abs(z) < 8
    chi = np.where(ball, 0.1 * vial, 0.36).astype(np.float32)
    grid = Grid(chi.shape, (3.0, 3.0, 3.0))
    field = field_of(chi, np.ones(chi.shape, bool), grid)
    skeleton = Skeleton(tmp_path / 'ds', chi.shape, np.diag([3.0, 3.0, 3.0, 1.0]))
    rng = np.random.default_rng(0)
    for n, time in enumerate((0.004, 0.010, 0.016), 1):
        signal = ball * np.exp(2j * np.pi * field * 123.2 * time - 10 * time)
        signal = (
            signal + rng.normal(0, 0.01, signal.shape) + 1j * rng.normal(0, 0.01, signal.shape)
        )
        told = {'EchoTime': time, 'MagneticFieldStrength': 3, 'ImagingFrequency': 123.2}
        told['Manufacturer'] = 'Siemens'
        name = 'sub-01_echo-{}_part-{}_MEGRE.nii.gz'
        skeleton.image(name.format(n, 'mag'), data=np.abs(signal), sidecar=told)
        phase = {**told, 'Units': 'rad'}
        skeleton.image(name.format(n, 'phase'), data=np.angle(signal), sidecar=phase)
    call = app(tmp_path / 'ds', 'phantom', *OPTIONS, '--body', 'none')
    assert call.code == 0, call.printed
    assert call.status('sub-01')['warnings'] == []
    anat = call.out / 'sub-01/anat'
    found = nb.load(anat / 'sub-01_Chimap.nii.gz').get_fdata()
    mask = nb.load(next(anat.glob('*_desc-qsm_mask.nii.gz'))).get_fdata() > 0
    assert np.mean(mask[ball]) > 0.8
    assert np.mean(found[vial]) - np.mean(found[mask & ~vial]) == pytest.approx(0.1, rel=0.15)

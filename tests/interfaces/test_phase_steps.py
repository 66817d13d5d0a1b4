"""Phase is prepared whatever a scanner stores, its sign is settled, and the field is fitted to it."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.base import isdefined
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import save_volume
from bidsqsm.inputs.metadata import readout_of
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.fieldmap import FitField
from bidsqsm.interfaces.phase_preparation import prepare_run
from bidsqsm.interfaces.sign import expected_sign, settled_sign
from bidsqsm.qsm.phase.sign import SignDecision

SIZE, STEP = (40, 44, 36), 3.0
TIMES = (0.005, 0.010, 0.015)
MHZ = 123.2
AFFINE = np.diag([STEP, STEP, STEP, 1.0])
INNER = np.zeros(SIZE, bool)
INNER[18:22, 20:24, 16:20] = True
CORRECTIONS = {'alternation': 'auto', 'bipolar': 'auto', 'offset': 'auto'}


@pytest.fixture(scope='module')
def echoes():
    """Magnitude and unwrapped phase of a ball in a smooth field, and the ball."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing='ij')
    ball = x**2 + y**2 + z**2 < 0.8
    field = 0.35 * (x**2 - y**2) + 0.25 * z + 0.02 * np.sin(9 * x)  # ppm
    rng = np.random.default_rng(3)
    magnitude = np.stack([ball * 1000 * np.exp(-20 * t) + rng.uniform(1, 9, SIZE) for t in TIMES])
    phase = np.stack([2 * np.pi * field * MHZ * t for t in TIMES])
    phase = np.where(ball, phase, rng.uniform(-3.1, 3.1, phase.shape))
    return magnitude.astype(np.float32), phase, ball


def wrapped(phase):
    return np.angle(np.exp(1j * phase)).astype(np.float32)


@pytest.fixture
def make_run(tmp_path):
    """Write echoes of some parts and describe them as a run."""

    def make(parts, layout='echo-files', n_channels=1, **metadata):
        files = {}
        for part, values in parts.items():
            files[part] = tuple(
                write(tmp_path / f'sub-01_echo-{i}_part-{part}_MEGRE.nii.gz', echo)
                for i, echo in enumerate(values, 1)
            )
        return GreRun(
            entities={'sub': '01'},
            suffix='MEGRE',
            layout=layout,
            n_channels=n_channels,
            magnitude=files.get('mag', ()),
            phase=files.get('phase', ()),
            real=files.get('real', ()),
            imag=files.get('imag', ()),
            echo_times=TIMES,
            field_strength=MHZ / 42.577,
            imaging_frequency=MHZ,
            shape=SIZE,
            affine=tuple(map(tuple, AFFINE.tolist())),
            metadata=metadata,
        )

    return make


def write(path, values):
    nb.Nifti1Image(values, AFFINE).to_filename(path)
    return path


def prepared(run, **changes):
    settings = {
        'coil': STEPS['coil'].choose('mcpc3ds'),
        'unwrap': STEPS['unwrap'].choose('romeo'),
        'corrections': CORRECTIONS,
        **changes,
    }
    return prepare_run(run, **settings)


def field_between(found, ball):
    """Field in ppm from the phase that grew between the first two echoes, less its mean."""
    grown = np.angle(np.exp(1j * (found.phase[1] - found.phase[0])))
    inner = ndimage.binary_erosion(ball, iterations=2)
    ppm = grown / (2 * np.pi * MHZ * (TIMES[1] - TIMES[0]))
    return ppm[inner]


def test_stored_integers_give_the_phase_that_they_stand_for(echoes, make_run):
    magnitude, phase, ball = echoes
    stored = np.round((wrapped(phase) + np.pi) / (2 * np.pi) * 4096).clip(0, 4095).astype('int16')
    found = prepared(make_run({'mag': magnitude, 'phase': stored}, Manufacturer='Siemens'))
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    difference = field_between(found, ball) - field_between(plain, ball)
    assert np.abs(difference).max() < 2 * np.pi / 4096 / (2 * np.pi * MHZ * 0.005) * 1.1
    assert '4096 steps' in found.facts.scaling
    assert found.phase.dtype == np.float32
    assert found.phase.shape == (3, *SIZE)


def test_real_and_imaginary_images_give_phase_and_magnitude(echoes, make_run):
    magnitude, phase, ball = echoes
    signal = magnitude * np.exp(1j * phase)
    parts = {'real': signal.real.astype('float32'), 'imag': signal.imag.astype('float32')}
    found = prepared(make_run(parts))
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    assert found.magnitude[:, ball] == pytest.approx(magnitude[:, ball], rel=1e-4)
    assert field_between(found, ball) == pytest.approx(field_between(plain, ball), abs=1e-5)


def test_channels_combine_to_the_same_field(echoes, make_run):
    magnitude, phase, ball = echoes
    x = np.linspace(-1, 1, SIZE[0])[:, None, None]
    gains, offsets = [1.5 + x, 1.5 - x, 0.5 + 0 * x], [0.3 + 1.5 * x, -1 - x, 2 + 0 * x]
    stacked = {
        'mag': [np.stack([(m * g).astype('float32') for g in gains], -1) for m in magnitude],
        'phase': [np.stack([wrapped(p + o) for o in offsets], -1) for p in phase],
    }
    run = make_run(stacked, layout='channels-4d', n_channels=3, Units='rad')
    found = prepared(run)
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    assert found.facts.channels == 3
    off = field_between(found, ball) - field_between(plain, ball)
    assert np.percentile(np.abs(off - np.median(off)), 99) < 2e-3
    each = {part: [echo[..., n] for n in range(3) for echo in of] for part, of in stacked.items()}
    apart = prepared(make_run(each, layout='channel-files', n_channels=3, Units='rad'))
    assert np.array_equal(apart.phase, found.phase)
    assert np.array_equal(apart.magnitude, found.magnitude)


@pytest.mark.parametrize('layout', ['channels', 'combined'])
def test_magnitudes_below_zero_change_no_more_than_their_own_voxels(echoes, make_run, layout):
    """A few in the head and half of the air, as a denoised image has them; no NaN may spread."""
    magnitude, phase, ball = echoes
    dipped = magnitude * np.where(np.random.default_rng(1).random(SIZE) < 0.5, -1, 1)
    dipped = np.where(ball, magnitude, dipped)
    dipped[:, 20, 22, 18] = -3
    parts = {'mag': dipped.astype('float32'), 'phase': wrapped(phase)}
    run = make_run(parts, Units='rad')
    if layout == 'channels':
        doubled = {key: np.stack([v, v], -1) for key, v in parts.items()}
        run = make_run(doubled, layout='channels-4d', n_channels=2, Units='rad')
    found = prepared(run)
    plain = prepared(make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad'))
    assert any('below zero in ' in warning for warning in found.facts.warnings)
    off = field_between(found, ball) - field_between(plain, ball)
    off -= np.median(off)
    assert np.isfinite(off).all()
    assert np.percentile(np.abs(off), 99) < 1e-3
    assert found.magnitude.min() == 0


def test_filtered_phase_is_refused_and_can_be_forced(echoes, make_run):
    magnitude, phase, ball = echoes
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SIZE), 0.7)
    signal = ball * np.exp(1j * (phase + texture / texture.std() * 0.3))
    low = np.stack([ndimage.gaussian_filter(s, 1.5) for s in signal])
    filtered = np.where(ball, np.angle(signal * np.conj(low)), phase)
    run = make_run({'mag': magnitude, 'phase': wrapped(filtered)}, Units='rad')
    with pytest.raises(DatasetError, match=r'high-pass filtered.*--force filtered-phase'):
        prepared(run)
    found = prepared(run, force=['filtered-phase'])
    assert any('forced' in warning for warning in found.facts.warnings)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda m, p: (m, np.full_like(p, 2)), 'constant'),
        (lambda m, _: (m, m), 'expected'),
        (lambda m, p: (m * 0, p), 'no voxel above 0'),
        (lambda m, p: (m, np.where(INNER, np.nan, p)), 'NaN or infinite'),
    ],
)
def test_values_that_are_no_phase_are_refused_with_their_file(echoes, make_run, change, message):
    magnitude, phase, _ = echoes
    magnitude, values = change(magnitude, wrapped(phase))
    run = make_run({'mag': magnitude.astype('float32'), 'phase': values.astype('float32')})
    with pytest.raises(DatasetError, match=message) as error:
        prepared(run)
    assert 'sub-01_echo-1_part-' in str(error.value)


def test_warnings_of_the_run_travel_with_its_facts(echoes, make_run):
    magnitude, phase, _ = echoes
    run = make_run({'mag': magnitude, 'phase': wrapped(phase)}, Units='rad')
    found = prepared(replace(run, warnings=('echo 4 is missing',)))
    assert found.facts.warnings[0] == 'echo 4 is missing'


def test_the_readout_is_read_off_the_metadata():
    assert readout_of({'ReadoutPolarity': 'Bipolar'}) == 'bipolar'
    assert readout_of({'ReadoutMode': 'MONOPOLAR'}) == 'monopolar'
    assert readout_of({}) is None


@pytest.mark.parametrize(
    ('evidence', 'wanted', 'expected', 'sign', 'how', 'warned'),
    [
        (+0.5, 'auto', 0, 1, 'from the data', ''),
        (-0.5, 'auto', 0, -1, 'from the data', ''),
        (-0.5, 'auto', 1, -1, 'from the data', 'the data was believed'),
        (-0.5, 'auto', -1, -1, 'from the data', ''),
        (-0.01, 'auto', 0, 1, 'as stored', 'could not be read'),
        (+0.01, 'auto', -1, -1, 'maker', 'could not be read'),
        (-0.5, '+1', 0, 1, 'forced', 'was forced'),
        (-0.5, '-1', 0, -1, 'forced', ''),
        (+0.01, '-1', 0, -1, 'forced', ''),
    ],
)
def test_the_sign_is_the_users_then_the_datas_then_the_makers(
    evidence, wanted, expected, sign, how, warned
):
    applied, facts = settled_sign(
        SignDecision(1 if evidence >= 0 else -1, evidence), wanted, expected
    )
    assert applied == facts.sign == sign
    assert how in facts.how
    assert warned in ' '.join(facts.warnings)
    assert bool(facts.warnings) == bool(warned)


def test_ge_counts_phase_the_other_way_round():
    assert expected_sign({'Manufacturer': 'GE MEDICAL SYSTEMS'}) == -1
    assert expected_sign({'Manufacturer': 'SIEMENS'}) == 1
    assert expected_sign({'Manufacturer': 'German scanners'}) == 0
    assert expected_sign({}) == 0


@pytest.mark.parametrize('sign', ['auto', '-1'])
def test_water_and_fat_are_written_by_the_method_that_parts_them(echoes, tmp_path, sign):
    """And by no other; a sign that the user forces reaches the method."""
    magnitude, phase, ball = echoes
    times = [0.004, 0.008, 0.012]
    scaled = [p / a * b for p, a, b in zip(phase, TIMES, times, strict=True)]
    files = {
        name: save_volume(np.array(values, np.float32), AFFINE, tmp_path / file)
        for name, values, file in (('in_file', scaled, 'p.nii'), ('magnitude', magnitude, 'm.nii'))
    }
    common = {**files, 'echo_times': times, 'imaging_frequency': MHZ}
    found = FitField(method='ideal', phase_sign=sign, **common).run(cwd=str(tmp_path)).outputs
    plain = FitField(method='linear', **common).run(cwd=str(tmp_path)).outputs
    assert found.facts['phase_sign_of_fat'] == (-1 if sign == '-1' else 1)
    share = nb.load(found.fat_fraction).get_fdata()[ball]
    assert np.median(share) < 0.02
    assert isdefined(found.water)
    assert isdefined(found.waterfat_r2star)
    assert not isdefined(plain.fat_fraction)

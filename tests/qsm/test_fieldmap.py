"""The field fit is unbiased, says how sure it is, and notices echoes that disagree."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.fieldmap.linear import linear
from bidsqsm.qsm.fieldmap.nonlinear import nonlinear
from bidsqsm.qsm.unwrap.constants import settle_turns
from bidsqsm.qsm.unwrap.laplacian import laplacian

SHAPE = (24, 21, 18)
ECHO_TIMES = (0.004, 0.010, 0.015, 0.021)
FREQUENCY = 123.2
METHODS = pytest.mark.parametrize('fit', [linear, nonlinear])


def echoes(field, *, noise=0.0, offset=0.0, echo_times=ECHO_TIMES):
    """Unwrapped phase and magnitude of a field in ppm."""
    rng = np.random.default_rng(0)
    phase, magnitude = [], []
    for time in echo_times:
        true = offset + 2 * np.pi * field * FREQUENCY * time
        grain = rng.standard_normal((2, *field.shape)) * noise
        signal = np.exp(-20 * time) + (grain[0] + 1j * grain[1])
        phase.append(true + np.angle(signal))
        magnitude.append(np.abs(signal))
    return np.array(phase, np.float32), np.array(magnitude, np.float32)


@pytest.fixture
def field():
    return np.linspace(-0.4, 0.9, np.prod(SHAPE)).reshape(SHAPE)


@METHODS
def test_field_comes_back_in_ppm_with_its_sign(fit, field):
    phase, magnitude = echoes(field)
    found = fit(phase, magnitude, np.ones(SHAPE, bool), ECHO_TIMES, FREQUENCY)
    np.testing.assert_allclose(found.total_field, field, atol=1e-5)
    assert found.residual.max() < 1e-3


@METHODS
@pytest.mark.parametrize('free_offset', [False, True])
def test_noise_map_is_the_scatter_of_the_field(fit, field, free_offset):
    phase, magnitude = echoes(field, noise=0.02)
    mask = np.ones(SHAPE, bool)
    found = fit(phase, magnitude, mask, ECHO_TIMES, FREQUENCY, free_offset=free_offset)
    score = (found.total_field - field) / found.noise
    assert score.std() == pytest.approx(1, abs=0.05)
    assert abs(score.mean()) < 0.05


@METHODS
def test_an_offset_is_fitted_when_asked(fit, field):
    phase, magnitude = echoes(field, offset=0.7)
    mask = np.ones(SHAPE, bool)
    found = fit(phase, magnitude, mask, ECHO_TIMES, FREQUENCY, free_offset=True)
    np.testing.assert_allclose(found.total_field, field, atol=1e-5)
    np.testing.assert_allclose(found.offset, 0.7, atol=1e-3)


@METHODS
def test_a_single_echo_gives_a_field_and_its_noise(fit, field):
    times = (0.02,)
    phase, magnitude = echoes(field, noise=0.02, echo_times=times)
    found = fit(phase, magnitude, np.ones(SHAPE, bool), times, FREQUENCY)
    score = (found.total_field - field) / found.noise
    assert score.std() == pytest.approx(1, abs=0.1)


def test_the_complex_fit_shrugs_off_a_missed_turn(field):
    """One echo a whole turn off bends the linear fit and not the complex one."""
    phase, magnitude = echoes(field)
    phase[0] += 2 * np.pi
    mask = np.ones(SHAPE, bool)
    bent = linear(phase, magnitude, mask, ECHO_TIMES, FREQUENCY).total_field
    straight = nonlinear(phase, magnitude, mask, ECHO_TIMES, FREQUENCY, max_iter=20).total_field
    assert np.abs(bent - field).max() > 0.05
    np.testing.assert_allclose(straight, field, atol=1e-4)


@METHODS
def test_echoes_that_disagree_raise_the_residual(fit, field):
    phase, magnitude = echoes(field)
    phase[2, :12] += 1.5
    found = fit(phase, magnitude, np.ones(SHAPE, bool), ECHO_TIMES, FREQUENCY)
    assert found.residual[:12].min() > 0.3
    assert found.residual[12:].max() < 1e-3


@METHODS
def test_laplacian_unwrapping_gives_the_field_whatever_the_frequency_is_off_by(fit):
    """Echoes unwrapped on their own must not be left whole turns apart, which no line fits."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
    # flat at the edges of the volume, as the transform wants it
    local = 0.3 * np.cos(np.pi * x) * np.cos(np.pi * y) + 0.2 * np.cos(np.pi * z)
    mask = x**2 + y**2 + z**2 < 0.8
    for shift in (0.0, 0.35, -0.6):  # ppm: at the last echo up to 1.6 turns
        phase, magnitude = echoes(local + shift)
        wrapped = np.angle(np.exp(1j * phase)).astype(np.float32)
        unwrapped = laplacian(wrapped, magnitude, mask, ECHO_TIMES).phase
        found = fit(unwrapped, magnitude, mask, ECHO_TIMES, FREQUENCY)
        off = (found.total_field - local)[mask]
        assert np.abs(off - np.median(off)).max() < 0.02
        assert np.median(off) == pytest.approx(shift, abs=0.02)
        assert np.median(found.residual[mask]) < 0.05


def test_turns_between_echoes_are_settled():
    x = np.linspace(-0.1, 0.2, np.prod(SHAPE)).reshape(SHAPE)
    phase, magnitude = echoes(x)
    mask = np.ones(SHAPE, bool)
    for turns in ((0, 0, 0, 0), (0, 1, -2, 0), (1, 0, 0, -1)):
        off = phase + np.float32(2 * np.pi) * np.reshape(turns, (-1, 1, 1, 1)).astype(np.float32)
        settle_turns(off, magnitude, mask, ECHO_TIMES)
        np.testing.assert_allclose(off, phase, atol=1e-4)


@METHODS
def test_nothing_is_written_off_the_mask(fit, field):
    phase, magnitude = echoes(field)
    mask = np.zeros(SHAPE, bool)
    mask[5:9, 4:9, 3:8] = True
    found = fit(phase, magnitude, mask, ECHO_TIMES, FREQUENCY)
    for volume in (found.total_field, found.noise, found.residual, found.offset):
        assert not volume[~mask].any()
    assert found.water is None
    assert found.fat_fraction is None

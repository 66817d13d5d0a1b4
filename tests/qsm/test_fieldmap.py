"""The field fit is unbiased, says how sure it is, and notices echoes that disagree."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.fieldmap.linear import linear
from bidsqsm.qsm.fieldmap.nonlinear import nonlinear

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
def test_nothing_is_written_off_the_mask(fit, field):
    phase, magnitude = echoes(field)
    mask = np.zeros(SHAPE, bool)
    mask[5:9, 4:9, 3:8] = True
    for volume in fit(phase, magnitude, mask, ECHO_TIMES, FREQUENCY):
        assert not volume[~mask].any()

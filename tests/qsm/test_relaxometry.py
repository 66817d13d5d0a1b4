"""Decay rates from echoes whose decay is known."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.catalog import RELAXOMETRY
from bidsqsm.qsm.relaxometry.arlo import arlo
from bidsqsm.qsm.relaxometry.auto import auto
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.nlls import nlls

TIMES = [0.004, 0.010, 0.016, 0.022, 0.028]
UNEVEN = [0.003, 0.009, 0.020, 0.031]
SHAPE = (9, 8, 7)


@pytest.fixture
def truth():
    random = np.random.default_rng(0)
    rate = random.uniform(3, 90, SHAPE).astype(np.float32)
    amplitude = random.uniform(200, 2000, SHAPE).astype(np.float32)
    mask = np.ones(SHAPE, bool)
    mask[:2] = False
    return rate, amplitude, mask


def decay(rate, amplitude, times, sigma=0.0, seed=1):
    """Magnitude of decaying signal with noise in its real and imaginary part."""
    random = np.random.default_rng(seed)
    clean = amplitude * np.exp(-rate * np.reshape(times, (-1, 1, 1, 1)))
    noise = random.standard_normal((2, *clean.shape)) * sigma
    return np.hypot(clean + noise[0], noise[1]).astype(np.float32)


@pytest.mark.parametrize('method', RELAXOMETRY.methods, ids=lambda m: m.name)
def test_recovers_a_clean_decay(method, truth):
    rate, amplitude, mask = truth
    found = method.function(decay(rate, amplitude, TIMES), mask, TIMES)
    np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-3)
    np.testing.assert_allclose(found.s0[mask], amplitude[mask], rtol=2e-3)
    np.testing.assert_allclose(found.t2star[mask], 1 / rate[mask], rtol=2e-3)
    assert found.error[mask].max() < 1e-3
    for volume in found:
        assert volume.dtype == np.float32
        assert not volume[~mask].any()


@pytest.mark.parametrize('times', [UNEVEN, TIMES[:2]])
@pytest.mark.parametrize('fit', [loglinear, nlls, auto])
def test_takes_uneven_and_few_echoes(fit, times, truth):
    rate, amplitude, mask = truth
    found = fit(decay(rate, amplitude, times), mask, times)
    np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-3)


def test_auto_is_arlo_for_even_echoes_and_loglinear_otherwise(truth):
    rate, amplitude, mask = truth
    even, uneven = decay(rate, amplitude, TIMES, 20), decay(rate, amplitude, UNEVEN, 20)
    np.testing.assert_array_equal(auto(even, mask, TIMES).r2star, arlo(even, mask, TIMES).r2star)
    np.testing.assert_array_equal(
        auto(uneven, mask, UNEVEN).r2star, loglinear(uneven, mask, UNEVEN).r2star
    )


@pytest.mark.parametrize('method', RELAXOMETRY.methods, ids=lambda m: m.name)
def test_noise_neither_biases_nor_breaks(method):
    rate = np.full((30, 30, 8), 30, np.float32)
    amplitude, mask = np.full_like(rate, 1000), np.ones(rate.shape, bool)
    found = method.function(decay(rate, amplitude, TIMES, 20), mask, TIMES)
    assert found.r2star.mean() == pytest.approx(30, abs=0.3)
    assert found.r2star.std() < 2.2
    # five echoes, two of their degrees of freedom fitted
    assert found.error.mean() == pytest.approx(0.02 * np.sqrt(3 / 5), rel=0.1)


def test_rates_scale_with_time_and_amplitudes_with_the_signal(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES, 10)
    for fit in (arlo, loglinear, nlls):
        once = fit(magnitude, mask, TIMES)
        slow = fit(magnitude, mask, [2 * t for t in TIMES])
        loud = fit(3 * magnitude, mask, TIMES)
        np.testing.assert_allclose(slow.r2star, once.r2star / 2, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(loud.r2star, once.r2star, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(loud.s0, 3 * once.s0, rtol=1e-3)


def test_a_noise_floor_in_the_model_removes_its_bias(truth):
    """Decay into the floor looks slow, unless the fit knows the noise."""
    rate, amplitude, mask = truth
    noise = 0.3 * amplitude.min()
    magnitude = np.sqrt(decay(rate, amplitude, TIMES) ** 2 + 2 * noise**2)
    blind, aware = nlls(magnitude, mask, TIMES), nlls(magnitude, mask, TIMES, noise=float(noise))
    assert (blind.r2star - rate)[mask].mean() < -2
    np.testing.assert_allclose(aware.r2star[mask], rate[mask], rtol=0.02)
    assert aware.error[mask].max() < 1e-3


def test_nlls_fits_no_worse_than_its_start(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES, 40)
    start, end = (fit(magnitude, mask, TIMES) for fit in (loglinear, nlls))
    squares = [(f.error * f.s0)[mask] for f in (start, end)]
    assert (squares[1] <= squares[0] * 1.0001).all()


@pytest.mark.parametrize('method', RELAXOMETRY.methods, ids=lambda m: m.name)
def test_no_signal_and_no_decay_give_finite_maps(method):
    mask = np.ones((4, 4, 4), bool)
    magnitude = np.full((5, 4, 4, 4), 100, np.float32)
    magnitude[:, :2] = 0
    found = method.function(magnitude, mask, TIMES)
    for volume in found:
        assert np.isfinite(volume).all()
    assert found.r2star.max() < 1e-2
    assert (found.t2star == 0.5).all()
    np.testing.assert_allclose(found.s0[2:], 100, rtol=1e-4)
    assert not found.s0[:2].any()


def test_what_cannot_be_fitted_is_explained(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES)
    with pytest.raises(ValueError, match='found one'):
        loglinear(magnitude[:1], mask, TIMES[:1])
    with pytest.raises(ValueError, match='put echoes first'):
        loglinear(np.moveaxis(magnitude, 0, -1), mask, TIMES)
    with pytest.raises(ValueError, match='must ascend'):
        loglinear(magnitude, mask, TIMES[::-1])
    with pytest.raises(ValueError, match=r'equally spaced .* use loglinear or nlls'):
        arlo(magnitude[:4], mask, UNEVEN)

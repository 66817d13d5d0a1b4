"""Decay rates from echoes whose decay is known."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.dephasing.sinc import sinc
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.relaxometry.arlo import arlo
from bidsqsm.qsm.relaxometry.auto import auto
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.nlls import nlls
from bidsqsm.qsm.relaxometry.rice import mean_squared

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


@pytest.mark.parametrize('method', STEPS['relaxometry'].methods, ids=lambda m: m.name)
def test_recovers_a_clean_decay(method, truth):
    rate, amplitude, mask = truth
    found = method.function(decay(rate, amplitude, TIMES), mask, TIMES)
    np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-3)
    np.testing.assert_allclose(found.s0[mask], amplitude[mask], rtol=2e-3)
    np.testing.assert_allclose(found.t2star[mask], 1 / rate[mask], rtol=2e-3)
    assert found.error[mask].max() < 1e-3
    for volume in found[:5]:
        assert volume.dtype == np.float32
        assert not volume[~mask].any()
    assert (found.n_echoes[mask] == len(TIMES)).all()


@pytest.mark.parametrize('times', [UNEVEN, TIMES[:2]])
@pytest.mark.parametrize('fit', [loglinear, nlls, auto])
def test_takes_uneven_and_few_echoes(fit, times, truth):
    rate, amplitude, mask = truth
    found = fit(decay(rate, amplitude, times), mask, times)
    np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-3)


def test_auto_is_nlls_for_three_echoes_and_loglinear_for_two(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, UNEVEN, 20)
    for n, fit in ((4, nlls), (3, nlls), (2, loglinear)):
        found = auto(magnitude[:n], mask, UNEVEN[:n])
        np.testing.assert_array_equal(found.r2star, fit(magnitude[:n], mask, UNEVEN[:n]).r2star)


@pytest.mark.parametrize('method', STEPS['relaxometry'].methods, ids=lambda m: m.name)
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


@pytest.mark.parametrize('sigma', [20, 60])
def test_the_noise_is_read_off_the_decay(sigma):
    """Also where half of the voxels decay into it, and some do not decay like an exponential."""
    rate = np.where(np.arange(30) % 2, 20, 120)[:, None, None] * np.ones((30, 30, 10))
    magnitude = decay(rate, 1000, TIMES, sigma)
    magnitude[1, ::7] *= 0.7
    mask = np.ones(rate.shape, bool)
    for method in STEPS['relaxometry'].methods:
        assert method.function(magnitude, mask, TIMES).noise == pytest.approx(sigma, rel=0.1)
        assert method.function(magnitude, mask, TIMES, noise=7.0).noise == 7
    assert loglinear(magnitude[:2], mask, TIMES[:2]).noise == 0  # two echoes leave no misfit


def test_a_noise_floor_in_the_model_removes_its_bias():
    """Decay into the floor looks slow, unless the fit knows the noise."""
    rate = np.linspace(20, 120, 6)[:, None, None] * np.ones((6, 60, 60))
    magnitude, mask = decay(rate, 1000, TIMES, 40), np.ones(rate.shape, bool)
    aware, told = nlls(magnitude, mask, TIMES), nlls(magnitude, mask, TIMES, noise=40.0)
    blind = nlls(magnitude, mask, TIMES, rician=False)
    middle = [np.median(fit.r2star, axis=(1, 2)) - rate[:, 0, 0] for fit in (aware, told, blind)]
    assert np.abs(middle[0]).max() < 1.0
    assert np.abs(middle[1]).max() < 1.0
    assert middle[2][-1] < -4  # 1/s


def test_the_mean_magnitude_of_noise_and_signal_is_that_of_rice():
    """For no signal 1.2533 sigma, for much the signal and half a variance over it."""
    random = np.random.default_rng(0).standard_normal((2, 400_000))
    for clean in (0.0, 0.5, 1.0, 2.0, 4.0):
        drawn = np.hypot(clean + random[0], random[1]).mean()
        square, slope = mean_squared(np.float32(3 * clean), np.float32(3))
        assert np.sqrt(square) / 3 == pytest.approx(drawn, abs=0.005)
        step = mean_squared(np.float32(np.sqrt(9 * clean**2 + 0.01)), np.float32(3))[0] - square
        assert slope == pytest.approx(step / 0.01, abs=0.01)


@pytest.mark.parametrize('fit', [arlo, loglinear])
def test_echoes_below_the_noise_are_not_used(fit):
    rate = np.full((20, 20, 4), 200, np.float32)
    rate[:10] = 10
    mask = np.ones(rate.shape, bool)
    magnitude = decay(rate, 1000, TIMES, 10)
    found = fit(magnitude, mask, TIMES, noise=10.0, min_snr=4.0)
    assert (found.n_echoes[:10] == 5).all()
    # exp(-200 TE) of 1000 is above 40 at 4, 10 and 16 ms only
    assert np.median(found.n_echoes[10:]) == 3
    assert found.r2star[10:].mean() == pytest.approx(200, rel=0.05)
    everything = fit(magnitude, mask, TIMES, noise=10.0, min_snr=0.0)
    assert (everything.n_echoes == 5).all()


@pytest.mark.parametrize('method', STEPS['relaxometry'].methods, ids=lambda m: m.name)
def test_voxels_that_show_no_decay_are_zero_and_do_not_touch_others(method, truth):
    """Zero, negative, not finite or saturated in the first echoes."""
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES)
    whole = method.function(magnitude, mask, TIMES)
    bad = np.zeros_like(mask)
    bad[5, :4, 3] = True
    magnitude[0, 5, 0, 3], magnitude[1, 5, 1, 3], magnitude[0, 5, 2, 3] = 0, -5, np.nan
    magnitude[:3, 5, 3, 3] = 4095  # of an image whose largest other value is lower
    found = method.function(magnitude, mask, TIMES)
    for now, before in zip(found[:5], whole[:5], strict=True):
        assert np.isfinite(now).all()
        assert not now[bad].any()
        np.testing.assert_allclose(now[~bad], before[~bad], rtol=1e-4, atol=1e-4)


def test_a_later_echo_without_value_ends_the_decay_there(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES)
    magnitude[3, 4] = 0
    magnitude[4, 4] *= 5
    for method in STEPS['relaxometry'].methods:
        found = method.function(magnitude, mask, TIMES)
        np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-3)
        assert (found.n_echoes[4] == 3).all()


def dephased(shape, slopes, times, frequency, parts=40):
    """Share of a signal whose field (ppm) changes by the slopes from voxel to voxel, by summation."""
    inside = (np.arange(parts) + 0.5) / parts - 0.5
    share = [
        np.abs(
            np.exp(2j * np.pi * frequency * slope * inside * np.reshape(times, (-1, 1))).mean(1)
        )
        for slope in slopes
    ]
    field = sum(s * i for s, i in zip(slopes, np.indices(shape), strict=True))
    return field.astype(np.float32), np.prod(share, axis=0)


def test_a_gradient_across_the_voxel_takes_the_share_that_its_parts_sum_up_to():
    slopes, grid = (0.05, -0.08, 0.11), Grid((6, 7, 8), (1.0, 1.0, 2.0))
    field, share = dephased(grid.shape, slopes, TIMES, 123.2)
    mask = np.ones(grid.shape, bool)
    mask[0] = False
    left = sinc(field, mask, grid, TIMES, 123.2)
    np.testing.assert_allclose(left[:, mask], share[:, None] * np.ones(mask.sum()), atol=2e-3)
    assert left[-1, 3, 3, 3] < 0.7  # a large effect, else nothing were tested
    np.testing.assert_array_equal(left, sinc(-field, mask, grid, TIMES, 123.2))
    # all that a voxel loses beyond the first zero cannot come back
    assert not sinc(20 * field, mask, grid, TIMES, 123.2)[-1].any()


@pytest.mark.parametrize('method', STEPS['relaxometry'].methods, ids=lambda m: m.name)
def test_the_correction_gives_the_rate_without_the_gradient(method, truth):
    rate, amplitude, mask = truth
    grid = Grid(SHAPE, (1.0, 1.0, 1.0))
    field, share = dephased(SHAPE, (0.05, -0.08, 0.11), TIMES, 123.2)
    magnitude = decay(rate, amplitude, TIMES) * share.astype(np.float32)[:, None, None, None]
    found = []
    for choice in STEPS['gradient_correction'].methods:
        left = choice.function(field, mask, grid, TIMES, 123.2)
        found.append(method.function(magnitude, mask, TIMES, dephasing=left).r2star[mask])
    assert (found[0] - rate[mask]).min() > 7  # 1/s
    np.testing.assert_allclose(found[1], rate[mask], rtol=5e-3)


def test_echoes_that_dephased_too_far_are_not_used(truth):
    rate, amplitude, mask = truth
    field, share = dephased(SHAPE, (0.0, 0.0, 0.25), TIMES, 123.2)
    magnitude = decay(rate, amplitude, TIMES) * share.astype(np.float32)[:, None, None, None]
    left = sinc(field, mask, Grid(SHAPE, (1.0, 1.0, 1.0)), TIMES, 123.2)
    for fit in (loglinear, nlls):
        found = fit(magnitude, mask, TIMES, dephasing=left)
        assert (found.n_echoes[mask] == 4).all()  # 0.25 ppm: 0.15 of the signal at 28 ms
        np.testing.assert_allclose(found.r2star[mask], rate[mask], rtol=2e-2)


def test_nlls_fits_no_worse_than_its_start(truth):
    rate, amplitude, mask = truth
    magnitude = decay(rate, amplitude, TIMES, 40)
    start = loglinear(magnitude, mask, TIMES, min_snr=0.0, passes=1)
    end = nlls(magnitude, mask, TIMES, rician=False)
    squares = [(f.error * f.s0)[mask] for f in (start, end)]
    assert (squares[1] <= squares[0] * 1.0001).all()


@pytest.mark.parametrize('method', STEPS['relaxometry'].methods, ids=lambda m: m.name)
def test_no_signal_and_no_decay_give_finite_maps(method):
    mask = np.ones((4, 4, 4), bool)
    magnitude = np.full((5, 4, 4, 4), 100, np.float32)
    magnitude[:, :2] = 0
    magnitude[0, 3, 3, 3] = 101  # else all of them were cut off at 100
    found = method.function(magnitude, mask, TIMES)
    for volume in found[:5]:
        assert np.isfinite(volume).all()
        assert not volume[:2].any()
    assert found.r2star.max() < 0.5
    assert (found.t2star[2:] == 0.5).all()
    np.testing.assert_allclose(found.s0[2:], 100, rtol=2e-2)


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


def test_air_in_the_mask_breaks_no_fit():
    """Noise alone has next to no curvature along the rate, and the step must not divide by it."""
    random = np.random.default_rng(3)
    parts = random.standard_normal((2, len(TIMES), 60, 60, 60)) * 0.03
    magnitude = np.hypot(*parts).astype(np.float32)
    found = nlls(magnitude, np.ones(magnitude.shape[1:], bool), TIMES)
    assert np.isfinite(found.r2star).all()
    assert np.isfinite(found.s0).all()


_FIT_OF_NOISY_DECAY = """
import hashlib
import numpy as np
from bidsqsm.qsm.relaxometry.nlls import nlls
rng = np.random.default_rng(0)
times = np.array([0.004, 0.012, 0.020, 0.028], np.float32)
rates = rng.uniform(5, 60, (12, 12, 12))
clean = 100 * np.exp(-rates * times[:, None, None, None])
noise = rng.normal(0, 5, (2, *clean.shape))
magnitude = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
fit = nlls(magnitude, np.ones(rates.shape, bool), tuple(times.tolist()))
print(hashlib.sha256(fit.r2star.tobytes()).hexdigest())
"""


def test_code_from_the_cache_gives_the_bits_of_code_just_compiled(tmp_path):
    environment = os.environ | {'NUMBA_CACHE_DIR': str(tmp_path)}
    command = [sys.executable, '-c', _FIT_OF_NOISY_DECAY]
    compiled, cached = (
        subprocess.run(command, env=environment, check=True, capture_output=True).stdout  # noqa: S603
        for _ in range(2)
    )
    assert compiled == cached

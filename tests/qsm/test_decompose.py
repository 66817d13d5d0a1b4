"""Voxels of three pools whose amounts and susceptibilities are known."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.decompose.own_phase import own_phase
from bidsqsm.qsm.decompose.three_pool import three_pool
from bidsqsm.qsm.units import imaging_frequency_of, ppm_to_rad

TIMES = [0.004, 0.010, 0.016, 0.022, 0.028, 0.034]
FEW = [0.006, 0.014, 0.022, 0.030]
MHZ = imaging_frequency_of(3.0)
OMEGA = 2 * np.pi * MHZ  # rad/s per ppm
SHAPE = (10, 8, 5)


def pools(times, seed=0, mhz=MHZ, chi_scale=1.0):
    """Signals of random mixtures, and those of each kind of source among neutral matter."""
    random = np.random.default_rng(seed)
    plus, minus = random.uniform(0.1, 0.45, (2, *SHAPE))
    rate = random.uniform(8, 25, SHAPE)
    chi = chi_scale * np.stack(
        [random.uniform(0.02, 0.3, SHAPE), random.uniform(-0.2, -0.02, SHAPE)]
    )
    t = np.reshape(times, (-1, 1, 1, 1))
    omega = 2 * np.pi * mhz

    def turning(x):
        # static dephasing among spheres, and two thirds of the shift of the field
        return np.exp((-2 * np.pi / (9 * 3**0.5) * np.abs(x) + 2j / 3 * x) * omega * t)

    both = plus * turning(chi[0]) + minus * turning(chi[1]) + 1 - plus - minus
    alone = plus * turning(chi[0]) + 1 - plus, minus * turning(chi[1]) + 1 - minus
    return [signal * np.exp(-rate * t) for signal in (both, *alone)]


def slope(signal, weight, times):
    """Weighted slope of the phase over the echoes, as susceptibility in ppm."""
    t = np.reshape(times, (-1, 1, 1, 1))
    phase = np.unwrap(np.angle(signal), axis=0)
    return (weight * t * phase).sum(axis=0) / (2 / 3 * OMEGA * (weight * t * t).sum(axis=0))


def fit(signal, times, phase=None, mask=None, mhz=MHZ, **settings):
    if phase is None:
        phase = np.unwrap(np.angle(signal), axis=0)
    return three_pool(
        phase.astype(np.float32),
        np.abs(signal).astype(np.float32),
        np.ones(SHAPE, bool) if mask is None else mask,
        times,
        mhz,
        **settings,
    )


@pytest.mark.parametrize('times', [TIMES, FEW])
def test_known_mixtures_are_taken_apart(times):
    both, plus, minus = pools(times)
    found = fit(700 * both, times)
    weight = np.abs(both) ** 2
    for map_, alone in ((found.paramagnetic, plus), (found.diamagnetic, minus)):
        off = np.abs(map_ - slope(alone, weight, times))
        assert np.median(off) < 3e-5
        assert np.percentile(off, 95) < 2e-3
        assert np.corrcoef(map_.ravel(), slope(alone, weight, times).ravel())[0, 1] > 0.97
    assert (found.paramagnetic >= 0).all()
    assert (found.diamagnetic <= 0).all()
    assert np.median(found.error) < 1e-5
    assert found.fitted.all()


def test_one_map_for_all_echoes_leaves_the_order_and_the_sum():
    """A susceptibility map has one phase slope for all echoes, where that of a mixture bends."""
    both, plus, minus = pools(TIMES)
    weight = np.abs(both) ** 2
    chi = slope(both, weight, TIMES)
    found = fit(both, TIMES, own_phase(chi, TIMES, MHZ))
    for map_, alone in ((found.paramagnetic, plus), (found.diamagnetic, minus)):
        truth = slope(alone, weight, TIMES)
        assert np.corrcoef(map_.ravel(), truth.ravel())[0, 1] > 0.9
        assert np.sqrt(np.mean((map_ - truth) ** 2)) < 0.004
    total = found.paramagnetic + found.diamagnetic
    assert np.corrcoef(total.ravel(), chi.ravel())[0, 1] > 0.95
    assert abs(total - chi).mean() < 0.003


def test_noise_of_two_percent_keeps_the_contrast():
    both, plus, minus = pools(TIMES)
    random = np.random.default_rng(1)
    noise = 0.02 * (random.standard_normal(both.shape) + 1j * random.standard_normal(both.shape))
    found, weight = fit(both + noise, TIMES), np.abs(both) ** 2
    for map_, alone in ((found.paramagnetic, plus), (found.diamagnetic, minus)):
        truth = slope(alone, weight, TIMES)
        assert np.corrcoef(map_.ravel(), truth.ravel())[0, 1] > 0.8
        assert abs((map_ - truth).mean()) < 0.001


def test_a_phase_of_the_other_sign_swaps_the_maps():
    both, *_ = pools(FEW)
    here, there = fit(both, FEW), fit(both.conj(), FEW)
    # a few voxels have two minima, and the order of the starts decides
    assert np.percentile(np.abs(there.paramagnetic + here.diamagnetic), 95) < 5e-4
    assert np.percentile(np.abs(there.diamagnetic + here.paramagnetic), 95) < 5e-4


def test_twice_the_field_and_half_the_susceptibility_are_one_signal():
    both, *_ = pools(FEW)
    strong, *_ = pools(FEW, mhz=2 * MHZ, chi_scale=0.5)
    np.testing.assert_allclose(strong, both, rtol=1e-6)
    here, there = fit(both, FEW), fit(strong, FEW, mhz=2 * MHZ, max_chi=0.25)
    np.testing.assert_allclose(2 * there.paramagnetic, here.paramagnetic, atol=2e-4)


def test_one_kind_of_source_is_not_split():
    t = np.reshape(FEW, (-1, 1, 1, 1))
    chi = np.linspace(0.02, 0.2, np.prod(SHAPE)).reshape(SHAPE)
    rate = 2 * np.pi / (9 * 3**0.5) * OMEGA * chi + 12
    found = fit(900 * np.exp(-rate * t), FEW, own_phase(chi, FEW, MHZ))
    np.testing.assert_allclose(found.paramagnetic, chi, atol=2e-3)
    np.testing.assert_allclose(found.diamagnetic, 0, atol=2e-3)


def test_what_cannot_be_fitted_is_zero_and_told():
    both, *_ = pools(FEW)
    magnitude, phase = np.abs(both), np.unwrap(np.angle(both), axis=0)
    magnitude[2, 0, 0, 0] = 0
    magnitude[1, 1, 0, 0] = -3
    magnitude[0, 2, 0, 0] = np.nan
    magnitude[:2, 3, 0, 0] = 4095
    phase[3, 4, 0, 0] = np.inf
    phase[:, 5, 0, 0] = ppm_to_rad(0.6 * 2 / 3, MHZ, 1) * np.asarray(FEW)  # beyond max_chi
    mask = np.ones(SHAPE, bool)
    mask[9] = False
    found = three_pool(phase.astype(np.float32), magnitude.astype(np.float32), mask, FEW, MHZ)
    lost = mask.copy()
    lost[:6, 0, 0] = False
    np.testing.assert_array_equal(found.fitted, lost)
    for volume in found[:3]:
        assert np.isfinite(volume).all()
        assert not volume[~found.fitted].any()
    empty = fit(0 * both, FEW)
    assert not empty.fitted.any()
    assert not empty.paramagnetic.any()


def test_own_phase_is_two_thirds_of_that_of_the_field():
    chi = np.full(SHAPE, 0.1, np.float32)
    expected = ppm_to_rad(2 / 3 * 0.1, MHZ, FEW[1])
    np.testing.assert_allclose(own_phase(chi, FEW, MHZ)[1], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ('times', 'message'),
    [
        (FEW[:3], '4 echoes or more, found 3: leave decompose out'),
        ([0.006, 0.005, 0.022, 0.030], 'ascend'),
        ([0.0, 0.014, 0.022, 0.030], 'positive'),
    ],
)
def test_wrong_echoes_are_explained(times, message):
    signal = np.ones((len(times), *SHAPE))
    with pytest.raises(ValueError, match=message):
        fit(signal, times)
    with pytest.raises(ValueError, match='put echoes first'):
        fit(signal[:2], times, phase=signal)

"""Streaks: found in the cone of small kernel values, where the map should be flat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.dipole.ilsqr import ilsqr
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.kspace.streaks import flatness, streaks
from helpers.analytic_fields import TILTED, make_scene

GRID = Grid((24, 28, 20), (1.0, 0.8, 1.6), TILTED)


@pytest.fixture(scope='module')
def cone():
    return np.abs(dipole_kernel(GRID)) < 0.1


@pytest.fixture(scope='module')
def box():
    chi = np.zeros(GRID.shape, np.float32)
    chi[6:16, 8:18, 5:13] = 0.1
    return chi


@pytest.fixture(scope='module')
def streaked(cone):
    """Noise of the cone alone, without a mean."""
    noise = np.random.default_rng(0).standard_normal(GRID.shape, dtype=np.float32)
    return np.float32(0.1) * convolve(noise - noise.mean(), cone.astype(np.float32))


def test_flat_is_what_does_not_change_along_an_axis(box):
    mask = np.zeros(GRID.shape, bool)
    mask[2:22, 3:25, 2:18] = True
    ramp = box + np.float32(1e-4) * np.random.default_rng(1).random(GRID.shape, dtype=np.float32)
    weights = flatness(ramp, mask, GRID, (0.5, 0.95))
    assert weights.shape == (3, *GRID.shape)
    assert weights.min() == 0
    assert weights.max() == 1
    assert not weights[0, 5, 8:18, 5:13].any()  # the border across the first axis
    assert weights[1, 5, 9:17, 5:13].mean() > 0.5  # is none along the second
    assert not weights[2, 6:16, 17, 12].any()
    assert not weights[:, ~mask].any()
    assert not weights[0, 21].any()  # nor does the step to outside of the mask count
    np.testing.assert_allclose(flatness(50 * ramp, mask, GRID, (0.5, 0.95)), weights, atol=1e-3)


def test_streaks_are_told_from_borders(cone, box, streaked):
    everywhere = np.ones(GRID.shape, bool)
    flat = flatness(box, everywhere, GRID, (0.5, 0.999))
    found = streaks(box + streaked, cone, flat, GRID, tol=1e-4, max_iter=300, name='test')
    assert np.linalg.norm(found - streaked) < 0.05 * np.linalg.norm(streaked)


def test_streaks_lie_in_the_cone(cone, box):
    flat = np.random.default_rng(2).random((3, *GRID.shape), dtype=np.float32)
    found = fft.rfftn(streaks(box, cone, flat, GRID, tol=1e-3, max_iter=30, name='test'))
    assert np.abs(found[~cone]).max() < 1e-5 * np.abs(found).max()


def test_ilsqr_takes_streaks_off():
    """Of a noisy field, the map has less of the cone's noise than the fit it starts from."""
    scene = make_scene()
    noisy = scene.local + np.random.default_rng(4).normal(0, 0.01, scene.local.shape).astype('f4')
    before, after = (
        ilsqr(noisy, scene.mask, scene.grid, threshold=t)[scene.deep] for t in (1e-6, 0.1)
    )
    truth = scene.chi[scene.deep] - scene.chi[scene.deep].mean()
    miss = [np.linalg.norm(x - x.mean() - truth) for x in (before, after)]
    assert miss[1] < 0.85 * miss[0]


def test_ilsqr_weight_map_has_no_unit_and_tells_bad_voxels():
    scene = make_scene(shape=(34, 36, 30))
    random = np.random.default_rng(3)
    bad = scene.mask & (random.random(scene.mask.shape) < 0.05)
    field = scene.local + np.where(bad, random.normal(0, 0.1, bad.shape), 0).astype(np.float32)
    trust = np.where(bad, 0, 1).astype(np.float32)
    aware, scaled, blind = (
        ilsqr(field, scene.mask, scene.grid, weight_map=w) for w in (trust, 50 * trust, None)
    )
    np.testing.assert_allclose(scaled, aware, atol=1e-3)
    truth = scene.chi[scene.deep] - scene.chi[scene.deep].mean()
    miss = [np.linalg.norm(x[scene.deep] - x[scene.deep].mean() - truth) for x in (aware, blind)]
    assert miss[0] < 0.7 * miss[1]


def test_ilsqr_refuses_borders_that_are_flat():
    scene = make_scene(shape=(16, 16, 16))
    with pytest.raises(ValueError, match='choose a border that is more than flat'):
        ilsqr(scene.local, scene.mask, scene.grid, flat=0.8)

"""The standard error of a region's mean is what repeated measurements scatter by."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bidsqsm.qsm.dipole.tikhonov import tikhonov
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.grid import Grid
from bidsqsm.rois.precision import WEIGHT, Noise

TILTED = (math.sin(0.5), 0.0, math.cos(0.5))
GRIDS = {
    'plain': Grid((26, 28, 24), (2.0, 2.0, 2.0)),
    'tilted': Grid((26, 28, 24), (2.0, 2.0, 2.0), TILTED),
    'anisotropic, tilted': Grid((32, 30, 16), (1.6, 1.8, 3.0), TILTED),
}
REPEATS = 300  # the scatter of a scatter is then 4 %


def ball(grid, centre, radius):
    axes = [
        (np.arange(n) - n / 2) * d - c
        for n, d, c in zip(grid.shape, grid.voxel_size, centre, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
    return x**2 + y**2 + z**2 < radius**2


@pytest.fixture(params=GRIDS)
def scene(request):
    """A round brain with noise that grows to one side, and three regions in it."""
    grid = GRIDS[request.param]
    mask = ball(grid, (0, 0, 0), 22)
    ramp = np.linspace(1, 3, grid.shape[0])[:, None, None]
    sigma = np.broadcast_to(0.002 * ramp, grid.shape).astype(np.float32)
    regions = [ball(grid, *where) for where in (((0, 0, 0), 6), ((14, 0, 0), 4), ((-8, 8, 3), 5))]
    regions.append(regions[1] | regions[2])
    return grid, mask, sigma, regions


def scatter(invert, scene):
    grid, mask, sigma, regions = scene
    random = np.random.default_rng(0)
    means = []
    for _ in range(REPEATS):
        field = random.standard_normal(grid.shape, np.float32) * sigma
        chi = invert(np.where(mask, field, 0), mask, grid)
        means.append([chi[region].mean(dtype=float) for region in regions])
    return np.std(means, axis=0, ddof=1)


def errors(scene):
    grid, mask, sigma, regions = scene
    noise = Noise.within(sigma, mask, grid)
    return np.array([noise.error_of_mean(np.flatnonzero(region)) for region in regions])


def test_the_error_is_the_scatter_of_the_inversion_that_it_assumes(scene):
    found = scatter(lambda *a: tikhonov(*a, weight=WEIGHT), scene)
    assert errors(scene) == pytest.approx(found, rel=0.15)


@pytest.mark.parametrize('scene', ['tilted'], indirect=True)
def test_the_error_of_another_linear_inversion_is_of_that_size(scene):
    assert errors(scene) == pytest.approx(
        scatter(lambda *a: tkd(*a, threshold=0.2), scene), rel=0.4
    )


def test_turning_the_head_turns_the_error():
    grid, turned = GRIDS['tilted'], Grid((24, 28, 26), (2.0,) * 3, TILTED[::-1])
    slab = np.zeros(grid.shape, bool)
    slab[8:13, 10:22, 9:11] = True
    sigma = np.random.default_rng(0).uniform(1, 2, grid.shape).astype(np.float32)
    one = Noise.within(sigma, ~np.zeros_like(slab), grid)
    other = Noise.within(sigma.T.copy(), ~np.zeros_like(slab.T), turned)
    here = one.error_of_mean(np.flatnonzero(slab))
    assert other.error_of_mean(np.flatnonzero(slab.T)) == pytest.approx(here, rel=1e-4)
    wrong = Noise.within(sigma, ~np.zeros_like(slab), GRIDS['plain'])
    assert abs(wrong.error_of_mean(np.flatnonzero(slab)) / here - 1) > 0.02


def test_more_noise_more_error_and_noise_outside_the_mask_does_not_count():
    grid = GRIDS['plain']
    mask, region = ball(grid, (0, 0, 0), 20), np.flatnonzero(ball(grid, (0, 0, 0), 5))
    sigma = np.full(grid.shape, 0.002, np.float32)
    one = Noise.within(sigma, mask, grid).error_of_mean(region)
    assert Noise.within(3 * sigma, mask, grid).error_of_mean(region) == pytest.approx(3 * one)
    loud = np.where(mask, sigma, 1).astype(np.float32)
    assert Noise.within(loud, mask, grid).error_of_mean(region) == pytest.approx(one)


def test_noise_that_is_not_known_is_taken_as_usual():
    grid = GRIDS['plain']
    mask, region = ball(grid, (0, 0, 0), 20), np.flatnonzero(ball(grid, (0, 0, 0), 5))
    sigma = np.full(grid.shape, 0.002, np.float32)
    one = Noise.within(sigma, mask, grid).error_of_mean(region)
    sigma[11:14, 11:14], sigma[7, 14, 12] = 0, np.nan
    assert Noise.within(sigma, mask, grid).error_of_mean(region) == pytest.approx(one)
    assert Noise.within(0 * sigma, mask, grid) is None


def test_the_box_around_a_region_holds_nearly_all_of_its_error():
    grid = Grid((64, 60, 56), (3.0, 3.0, 3.0), TILTED)
    mask = ball(grid, (0, 0, 0), 80)
    region = np.flatnonzero(ball(grid, (20, 10, 0), 5))
    sigma = np.full(grid.shape, 0.002, np.float32)
    boxed = Noise.within(sigma, mask, grid).error_of_mean(region)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('bidsqsm.rois.precision.NOISE_REACH_MM', 90.0)
        whole = Noise.within(sigma, mask, grid).error_of_mean(region)
    assert boxed == pytest.approx(whole, rel=0.02)

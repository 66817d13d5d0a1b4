"""Regions of an atlas whose borders follow the maps, within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.segmentation.border import border
from bidsqsm.qsm.segmentation.finer_grid import Finer
from bidsqsm.qsm.segmentation.region_box import signed_distance
from bidsqsm.qsm.segmentation.trim import trim
from helpers.analytic_fields import ball, positions, shell_of

GRIDS = {
    '1 mm': Grid((44, 48, 40), (1.0, 1.0, 1.0)),
    'anisotropic': Grid((44, 50, 22), (1.0, 0.9, 2.0)),
}
GRID = GRIDS['1 mm']
every_method = pytest.mark.parametrize('method', STEPS['roi_refine'].methods, ids=lambda m: m.name)


def maps_of(grid, shares, values, noise=0.008):
    """Susceptibility (ppm) and R2* (1/s) of objects in white matter, blurred by 0.5 mm, noisy."""
    random = np.random.default_rng(0)
    chi = np.full(grid.shape, -0.03)
    for share, value in zip(shares, values, strict=True):
        chi += share * (value - chi)
    smooth = ndimage.gaussian_filter(chi, [0.5 / d for d in grid.voxel_size])
    r2star = 20 + 140 * smooth + random.normal(0, 2.0, grid.shape)
    chi = smooth + random.normal(0, noise, grid.shape)
    return chi.astype(np.float32), r2star.astype(np.float32)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def centre(region, grid):
    return np.array([(p * region).sum() / region.sum() for p in positions(grid)])


@pytest.fixture(params=GRIDS)
def misplaced(request):
    """A ball, and a label of it that lies 2 mm off and is smaller."""
    grid = GRIDS[request.param]
    truth = ball(grid, (1.0, 0.0, 0.0), 6.0, 4)
    labels = np.where(ball(grid, (-0.4, 1.4, 0.0), 5.5) > 0, 7, 0).astype(np.int32)
    return grid, truth, labels, *maps_of(grid, [truth], [0.10])


def test_a_misplaced_label_is_brought_back(misplaced):
    grid, truth, labels, chi, r2star = misplaced
    for given in (None, r2star):
        found = border(labels, chi, shell_of(grid, 0), grid, r2star=given)
        assert set(np.unique(found)) == {0, 7}
        assert dice(labels == 7, truth > 0.5) < 0.8
        assert dice(found == 7, truth > 0.5) > 0.94
        miss = centre(found == 7, grid) - centre(truth > 0.5, grid)
        assert np.abs(miss).max() < 0.3 * max(grid.voxel_size)


def test_the_border_does_not_choose_the_high_values(misplaced):
    grid, truth, labels, _, _ = misplaced
    chi, r2star = maps_of(grid, [truth], [0.10], noise=0.01)
    found = border(labels, chi, shell_of(grid, 0), grid, r2star=r2star) == 7
    bias = chi[found].mean() - chi[truth > 0.5].mean()
    assert abs(bias) < 0.002
    assert abs(chi[labels == 7].mean() - chi[truth > 0.5].mean()) > 0.008


def test_a_dark_region_is_found_as_a_bright_one_is():
    truth = ball(GRID, (0, 0, 0), 6.0, 4)
    labels = np.where(ball(GRID, (1, 1, 1), 6.0) > 0, 1, 0).astype(np.int32)
    chi, _ = maps_of(GRID, [truth], [-0.12])
    found = border(labels, chi, shell_of(GRID, 0), GRID)
    assert dice(found == 1, truth > 0.5) > 0.95


def test_a_region_without_contrast_stays_as_it_is(misplaced):
    grid, truth, labels, _, _ = misplaced
    for value in (-0.03, -0.025):
        chi, r2star = maps_of(grid, [truth], [value])
        found = border(labels, chi, shell_of(grid, 0), grid, r2star=r2star)
        np.testing.assert_array_equal(found, labels)


def test_neighbours_share_out_the_voxels_between_them():
    """Two touching nuclei of different iron, both labels moved across their common border."""
    left = (ball(GRID, (0, 0, 0), 9.0, 4) * (positions(GRID)[0] < 0)).astype(np.float32)
    right = (ball(GRID, (0, 0, 0), 9.0, 4) * (positions(GRID)[0] > 0)).astype(np.float32)
    chi, r2star = maps_of(GRID, [left, right], [0.04, 0.13])
    true = np.where(left > 0.5, 1, np.where(right > 0.5, 2, 0))
    for shift in ((2, 0), (-1, 1), (0, 2)):
        labels = np.roll(true, shift, (0, 1)).astype(np.int32)
        found = border(labels, chi, shell_of(GRID, 0), GRID, r2star=r2star)
        for value in (1, 2):
            assert dice(labels == value, true == value) < 0.85
            assert dice(found == value, true == value) > 0.88


def test_no_voxel_changes_beyond_the_reach_and_no_volume_by_more_than_its_bound(misplaced):
    grid, _, labels, _, _ = misplaced
    chi, _ = maps_of(grid, [ball(grid, (0, 0, 0), 8.0, 4)], [0.10])
    away = np.abs(signed_distance(labels == 7, grid.voxel_size))
    for reach in (1.0, 2.5, 4.0):
        found = border(labels, chi, shell_of(grid, 0), grid, reach=reach, min_cnr=0)
        assert (found != labels).any()
        assert away[found != labels].max() <= reach
        assert 1 / 1.51 < (found > 0).sum() / (labels > 0).sum() < 1.51


def test_a_region_that_is_not_refined_loses_nothing_to_its_neighbours():
    """One label has no contrast and lies on the other's bright ball."""
    truth = ball(GRID, (0, 0, 0), 6.0, 4)
    chi, _ = maps_of(GRID, [truth], [0.10])
    labels = np.where(ball(GRID, (-1, 0, 0), 6.0) > 0, 1, 0).astype(np.int32)
    large = np.zeros_like(labels)
    large[26:, :, :] = 2  # more than any nucleus
    labels[large == 2] = 2
    found = border(labels, chi, shell_of(GRID, 0), GRID)
    assert (found == 1).sum() != (labels == 1).sum()
    np.testing.assert_array_equal(found == 2, labels == 2)


def test_labels_outside_the_mask_stay(misplaced):
    grid, _, labels, chi, r2star = misplaced
    mask = shell_of(grid, 0) & (positions(grid)[0] < 2)
    found = border(labels, chi, mask, grid, r2star=r2star)
    assert (labels[~mask] == 7).any()
    np.testing.assert_array_equal(found[~mask], labels[~mask])
    assert (found[mask] != labels[mask]).any()


@pytest.fixture(scope='module')
def veined():
    """An iron-rich nucleus with a richer core, a vein through it, and a neighbour still richer."""
    nucleus = ball(GRID, (0, 0, 0), 8.0, 4)
    core = ball(GRID, (-3, 0, 0), 3.5, 4)
    x, y, z = positions(GRID)
    vein = (np.broadcast_to((x - 4) ** 2 + y**2, GRID.shape) < 1.1**2).astype(float)
    vein = vein * (np.abs(z) < 15)
    neighbour = ball(GRID, (0, 13, 0), 6.0, 4)
    shares = [nucleus, core, neighbour, vein]
    chi, r2star = maps_of(GRID, shares, [0.12, 0.19, 0.24, 0.40])
    labels = np.where(ball(GRID, (0, 0, 0), 8.5) > 0, 3, 0).astype(np.int32)
    return labels, chi, r2star, vein > 0, core > 0.5


@pytest.mark.parametrize('with_decay', [False, True])
def test_a_vein_is_taken_out_and_iron_is_not(veined, with_decay):
    labels, chi, r2star, vein, core = veined
    mask = shell_of(GRID, 0)
    given = r2star if with_decay else None
    found = trim(labels, chi, mask, GRID, r2star=given, erode=0.0)
    assert not found[vein].any()
    inside = labels > 0
    assert (found[core] == 3).all()
    lost = inside & (found == 0)
    assert distance_inside(~vein, GRID.voxel_size)[lost].max() < 3
    kept = trim(labels, chi, mask, GRID, r2star=given, erode=0.0, exclude_veins=False)
    np.testing.assert_array_equal(kept, labels)


def test_a_bright_spot_without_slow_decay_is_no_vein(veined):
    labels, chi, *_ = veined
    flat = np.full(GRID.shape, 30, np.float32)
    found = trim(labels, chi, shell_of(GRID, 0), GRID, r2star=flat, erode=0.0)
    np.testing.assert_array_equal(found, labels)


def test_erosion_takes_a_rim_of_its_thickness_from_each_region():
    """Two boxes side by side: the face between them is a border of both."""
    labels = np.zeros(GRID.shape, np.int32)
    labels[10:20, 10:30, 10:30] = 4
    labels[20:30, 10:30, 10:30] = 9
    chi = np.zeros(GRID.shape, np.float32)
    found = trim(labels, chi, shell_of(GRID, 0), GRID, erode=2.0, exclude_veins=False)
    expected = np.zeros_like(labels)
    expected[12:18, 12:28, 12:28] = 4
    expected[22:28, 12:28, 12:28] = 9
    np.testing.assert_array_equal(found, expected)


def test_refined_regions_can_be_eroded_too(misplaced):
    grid, _, labels, chi, r2star = misplaced
    mask = shell_of(grid, 0)
    whole = border(labels, chi, mask, grid, r2star=r2star)
    less = border(labels, chi, mask, grid, r2star=r2star, erode=1.5)
    expected = trim(whole, chi, mask, grid, erode=1.5, exclude_veins=False)
    np.testing.assert_array_equal(less, expected)
    assert 0 < (less > 0).sum() < (whole > 0).sum()


@every_method
def test_the_input_is_left_alone_and_threads_change_nothing(method, misplaced):
    grid, _, labels, chi, r2star = misplaced
    arrays = [labels, chi, r2star, shell_of(grid, 0)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    found = []
    for number in (1, 2):
        with threads(number):
            found.append(method.function(labels, chi, arrays[3], grid, r2star=r2star))
    np.testing.assert_array_equal(*found)
    assert found[0].dtype == np.int32
    assert not np.shares_memory(found[0], labels)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@every_method
def test_turning_the_head_turns_the_regions(method, misplaced):
    grid, _, labels, chi, r2star = misplaced
    order = (2, 0, 1)
    turned = Grid(*(tuple(getattr(grid, n)[a] for a in order) for n in ('shape', 'voxel_size')))
    here = method.function(labels, chi, shell_of(grid, 0), grid, r2star=r2star)
    volumes = (np.transpose(v, order) for v in (labels, chi, shell_of(grid, 0)))
    there = method.function(*volumes, turned, r2star=np.transpose(r2star, order))
    assert (there != np.transpose(here, order)).sum() <= 0.01 * (here > 0).sum()


@every_method
@pytest.mark.parametrize('case', ['no label', 'no mask', 'one voxel', 'all', 'at the face'])
def test_odd_labels_are_no_exception(method, case):
    grid = Grid((14, 13, 12), (1.0, 1.0, 1.5))
    labels = np.zeros(grid.shape, np.int16)
    if case == 'one voxel':
        labels[5, 5, 5] = 1034
    elif case == 'all':
        labels[:] = 2
    elif case != 'no label':
        labels[:5, :6, :7] = 12000
    chi = np.random.default_rng(0).normal(0, 0.05, grid.shape).astype(np.float32)
    mask = np.full(grid.shape, case != 'no mask')
    found = method.function(labels, chi, mask, grid)
    assert found.dtype == np.int32
    assert found.shape == labels.shape
    assert set(np.unique(found)) <= {0, *np.unique(labels)}


def test_a_nucleus_of_few_large_voxels_is_brought_back():
    grid = Grid((24, 26, 22), (2.0, 2.0, 2.0))
    truth = ball(grid, (1.0, 0.0, 0.0), 4.5, 4)
    labels = np.where(ball(grid, (-0.6, 1.5, 0.0), 4.5) > 0, 7, 0).astype(np.int32)
    chi, r2star = maps_of(grid, [truth], [0.10])
    found = border(labels, chi, shell_of(grid, 0), grid, r2star=r2star) == 7
    assert dice(labels == 7, truth > 0.5) < 0.75
    assert dice(found, truth > 0.5) > 0.9
    assert np.abs(centre(found, grid) - centre(truth > 0.5, grid)).max() < 0.5


def test_large_voxels_are_divided_and_joined_again():
    grid = Grid((20, 18, 16), (2.0, 1.6, 3.0), (0.0, 0.6, 0.8))
    labels = np.zeros(grid.shape, np.int32)
    labels[6:10, 5:9, 4:8], labels[10:13, 5:9, 4:8] = 3, 900
    finer = Finer.around(labels, grid, 4.0)
    assert finer.factors == (2, 2, 3)
    assert finer.grid.voxel_size == (1.0, 0.8, 1.0)
    np.testing.assert_array_equal(finer.joined(finer.divided(labels), labels), labels)
    slope = (2 * np.arange(20.0) + 1)[:, None, None] * np.ones(grid.shape)
    fine = finer.interpolated(slope.astype(np.float32), np.ones(grid.shape, bool))
    assert np.abs(np.diff(fine[4:-4], axis=0) - 1.0).max() < 0.05
    first = slope[finer.box][3:5, 0, 0]
    assert fine[6:10, 5, 5] == pytest.approx(first[0] + np.array([-0.5, 0.5, 1.5, 2.5]), abs=0.02)
    assert Finer.around(labels, Grid(grid.shape, (1.0, 1.0, 2.0)), 4.0) is None

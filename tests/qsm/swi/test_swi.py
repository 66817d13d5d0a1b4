"""Susceptibility-weighted images darken what they should, by as much as they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.swi.chi_mask import chi_mask
from bidsqsm.qsm.swi.clear import clear
from bidsqsm.qsm.swi.echo_combination import combination
from bidsqsm.qsm.swi.highpass import low_pass, shade
from bidsqsm.qsm.swi.phase_mask import phase_mask
from bidsqsm.qsm.swi.projection import minimum_projection
from helpers.analytic_fields import ball, field_of_cylinder, field_of_sphere

GRID = Grid((48, 48, 32), (1.0, 1.0, 1.0))
TIMES = (0.008, 0.016, 0.024)
TURN = 2 * np.pi * 127.7  # rad per ppm and second at 3 T
VEIN, BLEED, CALCIUM = (8, 24), (24.5, 34.5, 15.5), (36.5, 16.5, 15.5)
PLAIN = {'even': False, 'slab': 0.0}


@pytest.fixture(scope='module')
def brain():
    """A vein along the field, a microbleed and a calcification under a slow background."""
    middle = (np.array(GRID.shape) - 1) / 2
    mask = ball(GRID, (0, 0, 0), 60) > 0
    at = {name: np.subtract(place, middle) for name, place in (('b', BLEED), ('c', CALCIUM))}
    tube = field_of_cylinder(GRID, 1.5, 0.3)
    field = np.roll(tube, (VEIN[0] - 24, VEIN[1] - 24), (0, 1))
    field = (
        field + field_of_sphere(GRID, at['b'], 2, 0.6) + field_of_sphere(GRID, at['c'], 2, -0.6)
    )
    chi = 0.6 * (ball(GRID, at['b'], 2) - ball(GRID, at['c'], 2))
    chi[VEIN[0] - 1 : VEIN[0] + 1, VEIN[1] - 1 : VEIN[1] + 1] = 0.3
    x = np.linspace(-1, 1, 48)[:, None, None]
    phase = TURN * np.reshape(TIMES, (-1, 1, 1, 1)) * (field + 0.05 * x * x)
    magnitude = np.broadcast_to(np.reshape([100, 80, 64], (3, 1, 1, 1)), phase.shape)
    return magnitude.astype(np.float32), phase.astype(np.float32), chi.astype(np.float32), mask


@pytest.mark.parametrize(
    ('power', 'eighth', 'quarter'),
    [(1, 0.75, 0.5), (2, 0.56, 0.25), (3, 0.42, 0.13), (4, 0.32, 0.06)],
)
def test_the_mask_has_the_published_values(power, eighth, quarter):
    assert shade(np.float32(0), power) == 1
    for sign in (1, -1):
        assert shade(np.float32(sign * np.pi / 4), power) == pytest.approx(eighth, abs=0.005)
        assert shade(np.float32(sign * np.pi / 2), power) == pytest.approx(quarter, abs=0.005)
        assert shade(np.float32(sign * np.pi), power) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('window', ['hann', 'hamming'])
def test_the_low_pass_keeps_slow_waves_and_drops_fast_ones(window):
    x = np.arange(48)[:, None, None]
    share = {'hann': 0.5, 'hamming': 0.54}[window]
    for waves, kept in ((0, 1.0), (3, share), (7, 0.0)):
        wave = np.exp(2j * np.pi * waves * x / 48) * np.ones(GRID.shape)
        smooth = low_pass(wave.astype(np.complex64), GRID, 12, window)
        np.testing.assert_allclose(smooth, kept * wave, atol=1e-5)
    fast = np.exp(2j * np.pi * 10 * np.arange(32) / 32) * np.ones(GRID.shape)
    same = low_pass(fast.astype(np.complex64), GRID, 12, window)
    np.testing.assert_allclose(same, fast, atol=1e-5)  # nothing is smoothed across slices


def test_a_lone_voxel_is_darkened_by_its_phase_and_nothing_else_is():
    mask = np.ones(GRID.shape, bool)
    magnitude = np.full((1, *GRID.shape), 10, np.float32)
    phase = np.zeros_like(magnitude)
    phase[0, 20, 20, 10], phase[0, 30, 20, 10] = np.pi / 2, -np.pi / 2
    found = phase_mask(magnitude, phase, mask, GRID, [0.02], power=2, filter_size=8, **PLAIN)
    assert found.swi[20, 20, 10] == pytest.approx(2.5, abs=0.15)
    assert found.swi[30, 20, 10] == 10
    assert found.swi_diamagnetic[30, 20, 10] == pytest.approx(2.5, abs=0.15)
    assert found.swi_diamagnetic[20, 20, 10] == 10
    np.testing.assert_allclose(found.swi[..., 11], 10, rtol=1e-5)


def test_veins_are_dark_in_one_image_and_calcification_in_the_other(brain):
    magnitude, phase, _, mask = brain
    found = phase_mask(magnitude, phase, mask, GRID, TIMES, even=False, slab=10.0)
    tissue = np.median(found.swi)
    vein = (slice(VEIN[0] - 1, VEIN[0] + 1), slice(VEIN[1] - 1, VEIN[1] + 1), slice(None))
    assert found.swi[vein].max() < 0.6 * tissue
    assert found.swi_diamagnetic[vein].min() > 0.9 * tissue
    for place, dark, bright in (
        (BLEED, found.minip, found.minip_diamagnetic),
        (CALCIUM, found.minip_diamagnetic, found.minip),
    ):
        i, j, k = (int(p) for p in place)
        assert dark[i : i + 2, j : j + 2, k].max() < 0.4 * tissue
        assert bright[i : i + 2, j : j + 2, k].min() > 0.7 * tissue


def test_turned_phase_swaps_the_two_images(brain):
    magnitude, phase, _, mask = brain
    found = phase_mask(magnitude, phase, mask, GRID, TIMES, **PLAIN)
    turned = phase_mask(magnitude, -phase, mask, GRID, TIMES, **PLAIN)
    np.testing.assert_allclose(turned.swi, found.swi_diamagnetic, rtol=1e-4)
    np.testing.assert_allclose(turned.swi_diamagnetic, found.swi, rtol=1e-4)


def test_wraps_and_offsets_of_the_phase_change_nothing(brain):
    magnitude, phase, _, mask = brain
    found = phase_mask(magnitude, phase, mask, GRID, TIMES, **PLAIN)
    wrapped = np.angle(np.exp(1j * (phase + 2.5))).astype(np.float32)
    again = phase_mask(magnitude, wrapped, mask, GRID, TIMES, **PLAIN)
    np.testing.assert_allclose(again.swi, found.swi, rtol=1e-3, atol=0.02)


def test_echoes_are_combined_by_their_formula():
    echoes = np.array([3, 4], np.float32).reshape(2, 1, 1, 1)
    times = (0.01, 0.03)
    assert combination(times, 'rss', 0.02, 0.05).of(echoes) == 5
    assert combination(times, 'single', 0.012, 0.05).of(echoes) == 3
    weights = np.array([0.01 * np.exp(-0.2), 0.03 * np.exp(-0.6)])
    expected = weights @ [3, 4] / weights.sum()
    assert combination(times, 't2star', 0.02, 0.05).of(echoes) == pytest.approx(expected)


@pytest.mark.parametrize('echoes', ['t2star', 'rss', 'single'])
def test_without_phase_the_image_is_the_combined_magnitude(brain, echoes):
    magnitude, _, _, mask = brain
    found = phase_mask(
        magnitude, np.zeros_like(magnitude), mask, GRID, TIMES, echoes=echoes, **PLAIN
    )
    expected = combination(TIMES, echoes, 0.02, 0.05).of(magnitude)
    np.testing.assert_allclose(found.swi, expected, rtol=1e-5)


@pytest.mark.parametrize('direction', [(0.0, 0.0, 1.0), (0.0, -0.8, 0.6)])
def test_the_projection_is_the_minimum_over_millimetres_along_the_field(direction):
    grid = Grid((6, 30, 30), (1.0, 0.5, 2.0), direction)
    image = np.full(grid.shape, 5, np.float32)
    image[3, 15, 15], image[0] = 1, 0
    mask = image > 0
    low = minimum_projection(image, mask, grid, 6.0)
    axis, count = (2, 3) if direction[2] == 1 else (1, 13)  # for 12, as many on either side
    line = np.moveaxis(low, axis, -1)[3, 15]
    assert (line == 1).sum() == count
    assert (low == 1).sum() == count
    assert set(np.unique(low[mask])) == {1, 5}, 'what lies outside the mask is not dark'


def test_clear_swi_darkens_veins_by_a_soft_mask(brain):
    magnitude, phase, _, mask = brain
    found = clear(magnitude, phase, mask, GRID, TIMES, even=False, softplus=False).clear_swi
    total = np.sqrt((magnitude**2).sum(axis=0))
    flat = clear(magnitude, 0 * phase, mask, GRID, TIMES, even=False, softplus=False).clear_swi
    np.testing.assert_allclose(flat, total * (1 + np.tanh(1)) / 2, rtol=1e-4)
    assert found[VEIN[0], VEIN[1], 16] < 0.1 * total.max()
    assert np.median(found) > 0.8 * total.max()
    turned = clear(magnitude, -phase, mask, GRID, TIMES, even=False, softplus=False).clear_swi
    assert turned[VEIN[0], VEIN[1], 16] > 0.9 * total.max()


def test_softplus_keeps_high_magnitudes_and_sinks_low_ones():
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0))
    mask = np.ones(grid.shape, bool)
    magnitude = np.full((1, *grid.shape), 4, np.float32)
    magnitude[0, 0] = 0.4
    image = clear(magnitude, 0 * magnitude, mask, grid, [0.02], even=False).clear_swi
    rest = (1 + np.tanh(1)) / 2
    for level, found in ((4.0, image[5, 5, 5]), (0.4, image[0, 5, 5])):
        expected = np.log((1 + np.exp(level - 2)) / (1 + np.exp(-2.0)))
        assert found == pytest.approx(rest * expected, rel=1e-4)


def test_true_swi_follows_the_straight_line_between_two_susceptibilities():
    grid = Grid((5, 4, 4), (1.0, 1.0, 1.0))
    mask = np.ones(grid.shape, bool)
    chi = np.zeros(grid.shape, np.float32)
    chi[:, 0, 0] = [-0.3, 0.0, 0.225, 0.45, 0.9]
    magnitude = np.full((1, *grid.shape), 8, np.float32)
    found = chi_mask(magnitude, chi, mask, grid, [0.02], even=False, slab=2.0)
    np.testing.assert_allclose(found.true_swi[:, 0, 0], [8, 8, 2, 0, 0], atol=1e-5)
    assert found.true_minip[2, 0].tolist().count(2) == 2, 'its own slice and the next'
    with pytest.raises(ValueError, match='give a high above low'):
        chi_mask(magnitude, chi, mask, grid, [0.02], low=0.5)


def test_true_swi_shows_veins_and_bleeds_but_no_calcification(brain):
    magnitude, _, chi, mask = brain
    found = chi_mask(magnitude, chi, mask, GRID, TIMES, even=False).true_swi
    tissue = np.median(found)
    assert found[VEIN[0], VEIN[1], 16] < 0.5 * tissue
    assert found[24, 34, 15] == 0
    assert found[36, 16, 15] == tissue


def test_the_shading_of_coils_is_taken_off(brain):
    magnitude, phase, chi, mask = brain
    shaded = magnitude * np.linspace(0.6, 1.4, 48, dtype=np.float32)[:, None, None]
    for image in (
        phase_mask(shaded, 0 * phase, mask, GRID, TIMES).swi,
        chi_mask(shaded, 0 * chi, mask, GRID, TIMES).true_swi,
    ):
        assert image[40:].mean() / image[:8].mean() < 1.2  # 2.1 with the shading
        assert np.percentile(image, 99) == pytest.approx(1, abs=0.01)


def test_the_axis_of_slices_follows_the_field(brain):
    magnitude, phase, _, mask = brain
    turned = replace(GRID, shape=(32, 48, 48), b0_direction=(1.0, 0.0, 0.0))
    there = phase_mask(
        np.ascontiguousarray(magnitude.transpose(0, 3, 2, 1)),
        np.ascontiguousarray(phase.transpose(0, 3, 2, 1)),
        np.ascontiguousarray(mask.transpose(2, 1, 0)),
        turned,
        TIMES,
        even=False,
    )
    here = phase_mask(magnitude, phase, mask, GRID, TIMES, even=False)
    np.testing.assert_allclose(there.swi.transpose(2, 1, 0), here.swi, rtol=1e-4)
    np.testing.assert_allclose(there.minip.transpose(2, 1, 0), here.minip, rtol=1e-4)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -5.0, 0.0])
def test_bad_voxels_are_black_and_spoil_no_neighbour(brain, bad):
    magnitude, phase, chi, mask = brain
    broken, turned = magnitude.copy(), phase.copy()
    broken[:, 10, 10, 10], turned[:, 10, 10, 10] = bad, np.nan
    for make, other in ((phase_mask, turned), (clear, turned), (chi_mask, chi)):
        found = make(broken, other, mask, GRID, TIMES, **PLAIN)[0]
        assert np.isfinite(found).all()
        assert found[10, 10, 10] == 0
        assert found[14, 10, 10] > 0.5 * np.median(found)
    with pytest.raises(ValueError, match='put echoes first'):
        phase_mask(magnitude[0], phase[0], mask, GRID, TIMES)

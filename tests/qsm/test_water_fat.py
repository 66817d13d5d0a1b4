"""Water and fat are parted without swaps, and the field is that of water."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.fieldmap.ideal import ideal
from bidsqsm.qsm.fieldmap.nonlinear import nonlinear
from bidsqsm.qsm.fieldmap.search import make_search, repetition
from bidsqsm.qsm.fieldmap.spectrum import fat_signal
from bidsqsm.qsm.fieldmap.trees import smooth_labels
from helpers.water_fat_scans import FREQUENCY, fat_scan, gentle

SHORT = tuple(0.0013 + 0.001 * n for n in range(6))
THREE = (0.0020, 0.0029, 0.0038)
UNEVEN = (0.004, 0.010, 0.015, 0.021)
STEEP = 60.0  # Hz per voxel, a quarter of the period of the longest echo spacing


def misses(found, scan):
    """Field error in Hz and swapped voxels, where neighbours are less than 60 Hz apart."""
    seen = scan.signal & gentle(scan, STEEP)
    field = (found.phase_sign * found.total_field - scan.field)[seen] * FREQUENCY
    swapped = np.abs(found.fat_fraction - scan.fat_fraction)[seen] > 0.3
    return np.abs(field - np.median(field)), swapped.mean()


@pytest.mark.parametrize(
    'echo_times',
    [(0.0035, 0.0073, 0.0111, 0.0149, 0.0187), SHORT, THREE, UNEVEN],
    ids=['long', 'short', 'three', 'uneven'],
)
def test_no_swaps_in_a_field_of_several_hundred_hertz(echo_times):
    scan = fat_scan(echo_times, noise=0.02, shim=4.0)
    spread = np.ptp(scan.field[scan.signal & gentle(scan, STEEP)]) * FREQUENCY
    assert spread > 400
    found = scan.call(ideal, grid=scan.grid)
    field, swapped = misses(found, scan)
    assert swapped < 0.005
    assert np.median(field) < 2
    fatty = scan.signal & (scan.fat_fraction > 0.05)
    assert np.median(np.abs(found.fat_fraction - scan.fat_fraction)[fatty]) < 0.02


def test_clean_echoes_give_back_everything():
    scan = fat_scan(offset=1.0)
    found = scan.call(ideal, grid=scan.grid, offset_width=0.0)
    where = scan.signal & gentle(scan, STEEP)
    fits = [
        (found.total_field, scan.field, 1e-3),
        (found.fat_fraction, scan.fat_fraction, 2e-3),
        (found.r2star, scan.rate, 0.1),
        (found.water + found.fat, np.abs(scan.strength), 1e-3),
    ]
    for value, truth, tolerance in fits:
        assert np.mean(np.abs(value - truth)[where] < tolerance) > 0.99
    assert np.median(found.residual[where]) < 1e-3


def test_fat_that_is_taken_to_resonate_higher_breaks_the_fit():
    """The phase of fat falls behind that of water: told the opposite, the method fails."""
    scan = fat_scan(noise=0.02)
    right = scan.call(ideal, grid=scan.grid, phase_sign=1)
    wrong = scan.call(ideal, grid=scan.grid, phase_sign=-1)
    where = scan.signal & (scan.fat_fraction > 0.5) & gentle(scan, STEEP)
    share = [np.median(np.abs(f.fat_fraction - scan.fat_fraction)[where]) for f in (right, wrong)]
    assert share[0] < 0.02
    assert share[1] > 0.05
    field = np.abs(wrong.total_field - scan.field)[where] * FREQUENCY
    assert np.median(field) > 50


@pytest.mark.parametrize('sign', [1, -1])
def test_the_spectrum_of_fat_tells_which_way_the_phase_runs(sign):
    scan = fat_scan(noise=0.02, sign=sign)
    found = scan.call(ideal, grid=scan.grid)
    assert found.phase_sign == sign
    field, swapped = misses(found, scan)
    assert swapped < 0.005
    assert np.median(field) < 2


def test_without_fat_the_field_is_that_of_the_ordinary_fit():
    scan = fat_scan(noise=0.02, fatty=False)
    found, plain = scan.call(ideal, grid=scan.grid), scan.unwrapped().call(nonlinear)
    where = scan.signal & gentle(scan, STEEP)
    for fit in (found, plain):
        assert np.median(np.abs(fit.total_field - scan.field)[where]) * FREQUENCY < 0.5
    apart = (found.total_field - plain.total_field)[where] * FREQUENCY
    assert np.median(np.abs(apart - np.median(apart))) < 0.25
    ratio = np.median(found.noise[where] / plain.noise[where])
    assert ratio == pytest.approx(1.0, abs=0.1)
    assert np.median(found.fat_fraction[where]) < 0.02


def test_noise_map_is_the_scatter_of_the_field():
    scan = fat_scan(noise=0.02)
    found = scan.call(ideal, grid=scan.grid)
    where = scan.signal & gentle(scan, 20) & (found.noise > 0)
    score = ((found.total_field - scan.field) / found.noise)[where]
    assert 1.4826 * np.median(np.abs(score - np.median(score))) == pytest.approx(1, abs=0.1)


def test_the_unwrapping_does_not_matter():
    scan = fat_scan(noise=0.02)
    turns = np.random.default_rng(2).integers(-2, 3, scan.phase.shape)
    other = scan.with_phase(scan.phase + np.float32(2 * np.pi) * turns)
    one, two = scan.call(ideal, grid=scan.grid), other.call(ideal, grid=scan.grid)
    same = np.abs(one.total_field - two.total_field)[scan.signal] < 1e-4
    assert same.mean() > 0.999


def test_a_smooth_phase_at_echo_time_zero_is_not_taken_for_field():
    scan = fat_scan(noise=0.02, offset=1.0)
    field, swapped = misses(scan.call(ideal, grid=scan.grid), scan)
    assert swapped < 0.005
    assert np.median(field) < 1


def test_fat_of_one_peak_is_parted_too():
    scan = fat_scan(noise=0.02, peaks='one')
    found = scan.call(ideal, grid=scan.grid, peaks='one')
    field, swapped = misses(found, scan)
    assert swapped < 0.005
    assert np.median(field) < 2


@pytest.mark.parametrize(
    ('echo_times', 'message'),
    [
        ((0.004, 0.008), r'2 echo\(es\), expected 3 or more .* --field nonlinear'),
        (tuple(n / (3.4 * FREQUENCY) for n in (1, 2, 3, 4)), 'water and fat stay in step'),
    ],
)
def test_echoes_that_cannot_part_water_and_fat_are_refused(echo_times, message):
    scan = fat_scan(echo_times)
    with pytest.raises(ValueError, match=message):
        scan.call(ideal)


def test_period_of_the_echoes():
    assert repetition(np.array([0.004, 0.008, 0.012]), 1000) == pytest.approx(250)
    assert repetition(np.array([0.004, 0.010, 0.015, 0.021]), 1200) == pytest.approx(1000)
    assert repetition(np.array([0.004, 0.0101, 0.0153]), 600) == 0


def test_search_finds_the_field_of_pure_water_and_charges_for_the_others():
    times = np.array([0.003, 0.006, 0.009, 0.012])
    search = make_search(times, fat_signal(times, FREQUENCY, 'six'), 600.0)
    assert search.circular
    assert search.step * len(search.fields) == pytest.approx(1 / 0.003)
    # neighbours of the first field on a ring are the last and the second
    assert search.fields[0] + search.step * len(search.fields) - search.fields[-1] == (
        pytest.approx(search.step, rel=1e-3)
    )


def test_labels_follow_the_clear_nodes_through_the_vague_ones():
    """Two ends that know their label and a middle that likes another one a little."""
    number = np.arange(9, dtype=np.int32).reshape(9, 1, 1)
    cost = np.ones((9, 12), np.float32)
    cost[[0, 8], 10] = 0
    cost[1:8, 4] = 0.95
    slopes = np.full(3, 0.2, np.float32)
    np.testing.assert_array_equal(
        smooth_labels(cost, number, slopes, circular=False, max_iter=20)[0], 10
    )
    free, total = smooth_labels(cost, number, slopes * 0, circular=False, max_iter=20)
    assert total == pytest.approx(7 * 0.95)
    np.testing.assert_array_equal(free[1:8], 4)


def test_labels_on_a_ring_go_the_short_way():
    number = np.arange(5, dtype=np.int32).reshape(1, 5, 1)
    cost = np.ones((5, 12), np.float32)
    cost[0, 11], cost[4, 1] = 0, 0
    slopes = np.full(3, 0.1, np.float32)
    ring = smooth_labels(cost, number, slopes, circular=True, max_iter=20)[0]
    line = smooth_labels(cost, number, slopes, circular=False, max_iter=20)[0]
    assert set(ring.tolist()) <= {11, 0, 1}
    assert ring[0] == 11
    assert ring[4] == 1
    assert not (line[0] == 11 and line[4] == 1)

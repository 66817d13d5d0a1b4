"""Distances in mm to what lies off a mask, and from a voxel to a mask."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.distance import distance_inside, distance_to

SIZE = (0.7, 1.0, 2.5)


def brute(mask):
    """Distance of every voxel to the nearest one off the mask, by looking at all pairs."""
    places = np.indices(mask.shape).reshape(3, -1).T * np.array(SIZE)
    off = places[~mask.reshape(-1)]
    squares = ((places[:, None] - off[None]) ** 2).sum(axis=-1)
    return np.sqrt(squares.min(axis=1)).reshape(mask.shape)


@pytest.fixture(params=[0.5, 0.9, 0.995])
def mask(request):
    return np.random.default_rng(3).random((9, 12, 7)) < request.param


def test_the_distance_is_that_to_the_nearest_voxel_off_the_mask(mask):
    np.testing.assert_allclose(distance_inside(mask, SIZE), brute(mask), rtol=1e-6)


def test_a_block_in_a_wide_volume_is_measured_as_if_alone():
    wide = np.zeros((30, 40, 30), bool)
    wide[10:19, 20:32, 4:11] = np.random.default_rng(4).random((9, 12, 7)) < 0.9
    cut = (slice(9, 20), slice(19, 33), slice(3, 12))
    expected = np.zeros(wide.shape)
    expected[cut] = brute(wide[cut])
    np.testing.assert_allclose(distance_inside(wide, SIZE), expected, rtol=1e-6)


def test_beyond_its_reach_a_distance_is_infinite(mask):
    expected = brute(mask)
    expected[expected > 1.5] = np.inf
    np.testing.assert_allclose(distance_to(~mask, SIZE, 1.5), expected, rtol=1e-6)


def test_the_border_of_the_volume_is_no_edge():
    full, none = np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    half = full.copy()
    half[0] = False
    assert np.isinf(distance_inside(full, SIZE)).all()
    assert np.isinf(distance_to(none, SIZE, 5.0)).all()
    np.testing.assert_allclose(distance_inside(half, SIZE)[:, 0, 0], [0, 0.7, 1.4, 2.1], rtol=1e-6)
    assert not distance_to(full, SIZE, 5.0).any()


def test_threads_do_not_change_a_bit(mask):
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(distance_inside(mask, SIZE))
    np.testing.assert_array_equal(*found)

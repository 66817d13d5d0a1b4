"""Resampling: values go where their places went, and each way keeps its promise at the faces."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.resampling import divide, interpolate, regrid, stretch, values_at

SHAPE = (12, 10, 8)
#: Steps of a ramp along each axis, which every interpolation keeps
SLOPES = np.array([1.0, -2.0, 0.5])


def ramp(shape=SHAPE):
    return np.tensordot(SLOPES, np.indices(shape), 1).astype(np.float32)


def shifted(*mm, size=1.0):
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = mm
    return affine


def test_a_ramp_has_the_same_value_at_the_same_place_of_the_world_on_another_grid():
    onto = shifted(2.5, 3.0, 1.25)
    found = regrid(ramp(), np.eye(4), (4, 4, 4), onto)
    np.testing.assert_allclose(found, ramp((4, 4, 4)) + SLOPES @ onto[:3, 3], atol=1e-5)


def test_beyond_the_faces_a_regridded_volume_goes_on_and_an_interpolated_one_is_zero():
    onto = shifted(-50.0, 0, 0)
    volume = ramp() + np.float32(100)
    assert regrid(volume, np.eye(4), (2, 2, 2), onto)[0, 0, 0] == volume[0, 0, 0]
    assert not interpolate(volume, onto, (2, 2, 2)).any()


def test_onto_larger_voxels_a_volume_is_smoothed_and_an_interpolated_one_is_not():
    volume = np.zeros(SHAPE, np.float32)
    volume[4, 4, 4] = 1
    onto = shifted(0, 0, 0, size=2.0)
    assert interpolate(volume, onto, (4, 4, 4))[2, 2, 2] == 1
    assert 0.05 < regrid(volume, np.eye(4), (4, 4, 4), onto)[2, 2, 2] < 0.5


@pytest.mark.parametrize(('beyond', 'expected'), [('nearest', 7), ('constant', 0)])
def test_values_lie_between_those_of_the_neighbours_and_go_on_or_end_beyond(beyond, expected):
    places = np.array([[2.5, -9], [1, 0], [3, 0]])
    values = values_at(ramp() + np.float32(7), places, beyond=beyond)
    assert values[0] == pytest.approx(7 + SLOPES @ [2.5, 1, 3])
    assert values[1] == expected


def test_the_parts_of_a_voxel_have_its_value_on_average():
    smooth = np.sin(ramp((20, 20, 20)) / 10)
    parts = divide(smooth, (2, 1, 3))
    assert parts.shape == (40, 20, 60)
    blocks = parts.reshape(20, 2, 20, 20, 3).mean(axis=(1, 4))
    np.testing.assert_allclose(blocks[5:-5, 5:-5, 5:-5], smooth[5:-5, 5:-5, 5:-5], atol=5e-3)


def test_a_stretched_volume_keeps_its_ends():
    volume = ramp()
    wide = stretch(volume, (23, 19, 15))
    assert wide.shape == (23, 19, 15)
    for corner in (0, -1):
        assert wide[corner, corner, corner] == pytest.approx(volume[corner, corner, corner])
    assert wide[1, 0, 0] == pytest.approx(0.5)

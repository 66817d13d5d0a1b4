"""A grid: what it reads off an affine, and how the main field lies in it."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid

SIZES = np.diag([0.8, 1.0, 2.0])


def about_x(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def grid_of(axes):
    affine = np.eye(4)
    affine[:3, :3] = axes @ SIZES
    return Grid.from_affine((8, 9, 10), affine)


@pytest.mark.parametrize(
    ('degrees', 'expected'), [(0, 0), (20, 20), (-20, 20), (70, 20), (45, 45)]
)
def test_the_tilt_is_the_angle_to_the_nearest_axis_whatever_the_size_of_the_voxels(
    degrees, expected
):
    assert grid_of(about_x(degrees)).tilt == pytest.approx(expected, abs=1e-6)


def test_the_tilt_does_not_know_the_order_and_the_sense_of_the_axes():
    turned = about_x(25)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        assert grid_of(-turned[:, order]).tilt == pytest.approx(25, abs=1e-6)


def test_a_direction_that_rounding_made_too_long_has_no_tilt():
    assert Grid((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 1.00001)).tilt == 0

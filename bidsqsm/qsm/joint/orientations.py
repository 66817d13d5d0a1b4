"""Orientations of a head on one grid, and how well they determine susceptibility together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Mask, Matrix, Triple, Volume
from bidsqsm.qsm.resampling import resample, spread


def angles(b0_directions: Sequence[Triple]) -> list[float]:
    """Angle in degrees between every pair of directions, 0 to 90: a dipole has no sense.

    Pairs in the order (0, 1), (0, 2), ..., (1, 2), ...
    """
    return [
        math.degrees(math.acos(min(1.0, abs(float(np.dot(a, b))))))
        for a, b in itertools.combinations(b0_directions, 2)
    ]


def condition_number(b0_directions: Sequence[Triple]) -> float:
    r"""Condition number of the joint inversion of some field directions.

    Errors of the fields are amplified most where all the kernels are small. With D depending only
    on the direction of k, this is :math:`\sqrt{\max_k \sum_i D_i^2 / \min_k \sum_i D_i^2}`; infinite
    for one or two directions, whose magic cones always meet.
    """
    points = _sphere(20000)
    kernels = [1 / 3 - (points @ np.asarray(b)) ** 2 for b in b0_directions]
    power = np.sum(np.square(kernels), axis=0)
    return float(np.sqrt(power.max() / power.min()))


def _sphere(count: int) -> Matrix:
    # a spiral of points of equal area; half of the sphere would do
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)


@dataclass(frozen=True)
class Orientation:
    """One orientation on a grid of its own: (nx, ny, nz) arrays and the affine to world mm.

    ``field`` in ppm is trusted in ``mask``, in proportion to ``weights``.
    """

    field: Volume
    mask: Mask
    weights: Volume
    magnitude: Volume
    affine: Matrix


def brought(
    own: Orientation, motion: Matrix, shape: tuple[int, int, int], affine: Matrix
) -> tuple[Volume, Mask, Volume, Volume, Triple]:
    """Bring an orientation onto the grid of the reference.

    Parameters
    ----------
    own
        The orientation.
    motion : (4, 4) array
        From world points (mm) of the reference to those of the orientation.
    shape, affine
        Grid of the reference.

    Returns
    -------
    field, mask, weights, magnitude
        On the grid of the reference, field and weights zero outside the mask.
    b0_direction
        Unit vector of this orientation's main field (world z of its own image) in voxel axes of
        the reference.

    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    x, y, z = (axes.T @ motion[:3, :3].T @ np.array([0, 0, 1])).tolist()
    length = math.sqrt(x * x + y * y + z * z)
    direction = (x / length, y / length, z / length)
    whole = np.linalg.inv(own.affine) @ motion @ affine
    if own.mask.shape == shape and np.allclose(whole, np.eye(4), atol=1e-6):
        return own.field * own.mask, own.mask, own.weights, own.magnitude, direction
    place = whole[:3, :3], whole[:3, 3], shape
    mask = resample(own.mask.astype(np.float32), *place, order=1) >= 0.5
    inside = _within(own.mask.shape, whole, shape)
    mask &= inside
    field = np.where(mask, resample(spread(own.field, own.mask), *place), np.float32(0))
    weights = resample(spread(own.weights, own.mask), *place, order=1)
    magnitude = np.where(inside, resample(own.magnitude, *place, order=1), np.float32(0))
    return field, mask, np.where(mask, weights, np.float32(0)), magnitude, direction


def _within(size: tuple[int, ...], whole: Matrix, shape: tuple[int, int, int]) -> Mask:
    """Voxels of the reference that lie within the image of the other orientation."""
    at = np.ogrid[tuple(slice(n) for n in shape)]
    inside = np.ones(shape, bool)
    for row, n in zip(whole[:3], size, strict=True):
        where = row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3]
        inside &= (where > -0.5) & (where < n - 0.5)
    return inside

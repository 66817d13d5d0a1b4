"""How well a set of field directions determines susceptibility."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Triple


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


def _sphere(count: int) -> np.ndarray:
    # a spiral of points of equal area; half of the sphere would do
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)

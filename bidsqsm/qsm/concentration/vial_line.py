"""The line through vials whose concentrations are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.stats import linregress
from scipy.stats import t as student

from bidsqsm.qsm.grid import Box, Labels, Mask, Triple

FEWEST_VIALS = 3  # points of a line whose errors are known


@dataclass(frozen=True)
class Line:
    """A straight line with its 95 % confidence intervals.

    Attributes
    ----------
    slope, slope_interval
        In the unit of y per unit of x.
    intercept, intercept_interval
        In the unit of y.
    r2
        Share of the variance of y that the line explains, 0 to 1.
    rmse
        Root of the summed squares of the residuals over n - 2, in the unit of y.
    n
        Number of points.

    """

    slope: float
    slope_interval: tuple[float, float]
    intercept: float
    intercept_interval: tuple[float, float]
    r2: float
    rmse: float
    n: int

    def at(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Height of the line."""
        return np.asarray(self.intercept + self.slope * np.asarray(x, np.float64))


def line_through(x: npt.ArrayLike, y: npt.ArrayLike) -> Line:
    """Least squares line through points, all of one weight.

    Parameters
    ----------
    x, y : (n,) arrays
        Concentrations, and what was measured at each; three points or more.

    Returns
    -------
    line
        With intervals from Student's t over n - 2 degrees of freedom.

    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.size < FEWEST_VIALS:
        raise ValueError(
            f'found {x.size} concentrations and {y.size} values, expected as many of both, '
            f'{FEWEST_VIALS} or more: add vials'
        )
    if not np.ptp(x) > 0:
        raise ValueError(
            f'all concentrations are {x[0]:g}, expected two different ones or more: add vials'
        )
    found, freedom = linregress(x, y), x.size - 2
    wide = float(student.ppf(0.975, freedom))
    slope, intercept = float(found.slope), float(found.intercept)
    away = y - (intercept + slope * x)
    return Line(
        slope=slope,
        slope_interval=_around(slope, wide * float(found.stderr)),
        intercept=intercept,
        intercept_interval=_around(intercept, wide * float(found.intercept_stderr)),
        r2=float(found.rvalue) ** 2,
        rmse=math.sqrt(float((away**2).sum()) / freedom),
        n=x.size,
    )


def _around(value: float, wide: float) -> tuple[float, float]:
    return value - wide, value + wide


def core_of(labels: Labels, index: int, voxel_size: Triple, rim: float) -> Mask:
    """Voxels of a label whose centres lie farther than ``rim`` (mm) from any voxel outside it.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Label image.
    index
        The label.
    voxel_size
        In mm.
    rim
        Width in mm of what is left out along the wall; the border of the image is no wall.

    Returns
    -------
    core : (nx, ny, nz) bool array
        None of them where the label is too narrow, or absent.

    """
    inside: Mask = labels == index
    if rim <= 0 or not inside.any():
        return inside
    box = _box_around(inside)
    core = np.zeros_like(inside)
    if inside[box].all():  # the label fills the image
        return inside
    core[box] = distance_transform_edt(inside[box], sampling=voxel_size) > rim
    return core


def _box_around(mask: Mask) -> Box:
    """The box of a mask with one voxel more on every side, as far as the image goes."""
    spans = []
    for axis, size in enumerate(mask.shape):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        spans.append(slice(max(int(found[0]) - 1, 0), min(int(found[-1]) + 2, size)))
    return spans[0], spans[1], spans[2]

"""Where volumes lie in the world, compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsqsm.io.nifti import Affine

Points = npt.NDArray[np.float64]


def corners(shape: tuple[int, int, int], affine: Affine) -> Points:
    """(8, 3), outer corners of a volume in world coordinates (mm)."""
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in shape))).reshape(3, -1)
    return np.asarray((affine[:3, :3] @ ends + affine[:3, 3:]).T)


def apart(a: Points, b: Points) -> float:
    """Largest distance (mm) from a corner of one volume to the nearest of the other.

    Axes may be flipped or swapped between the two.
    """
    between = np.linalg.norm(a[:, None] - b[None], axis=2)
    return float(max(between.min(axis=0).max(), between.min(axis=1).max()))


def largest_voxel(affine: Affine) -> float:
    """Longest edge of a voxel, in mm."""
    return float(np.linalg.norm(affine[:3, :3], axis=0).max())


def meets(low: Points, high: Points, box: Points) -> bool:
    """Whether a box along the axes of the world reaches into the one around these corners."""
    return bool((low < box.max(axis=0)).all() and (high > box.min(axis=0)).all())


__all__ = ['apart', 'corners', 'largest_voxel', 'meets']

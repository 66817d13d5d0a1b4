"""Distances to the nearest voxel off a mask, exact, in mm."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Box, Mask, Triple, Volume, bounding_box
from bidsqsm.qsm.jit import kernel


def distance_inside(mask: Mask, voxel_size: Triple) -> Volume:
    """Distance in mm of each voxel of the mask to the nearest voxel off it; the image border is no edge.

    Line by line along each axis, the nearest is where the lowest of many parabolas comes from
    [felzenszwalb2012]_.

    References
    ----------
    .. [felzenszwalb2012] Felzenszwalb and Huttenlocher, Theory Comput 8:415-428 (2012).
       doi:10.4086/toc.2012.v008a019

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> float(distance_inside(mask, (1.0, 1.0, 1.0))[4, 4, 4])
    3.0

    """
    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    distance = np.zeros(mask.shape, np.float32)
    # of what is off the mask, only what touches its box can be the nearest
    box = _widened(bounding_box(mask), (1, 1, 1), mask.shape)
    distance[box] = _distance(mask[box], voxel_size)
    return distance


def distance_to(mask: Mask, voxel_size: Triple, reach: float) -> Volume:
    """Distance in mm of each voxel to the nearest one of a mask, infinite beyond ``reach`` mm.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[4, 4, 4] = True
    >>> distance_to(mask, (1.0, 1.0, 1.0), 3.0)[4, 4].tolist()
    [inf, 3.0, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0, inf]

    """
    distance = np.full(mask.shape, np.inf, np.float32)
    if mask.any():
        x, y, z = (int(reach / d) + 1 for d in voxel_size)
        box = _widened(bounding_box(mask), (x, y, z), mask.shape)
        near = _distance(~mask[box], voxel_size)
        distance[box] = np.where(near <= reach, near, np.float32(np.inf))
    return distance


def _widened(box: Box, by: tuple[int, int, int], shape: tuple[int, ...]) -> Box:
    x, y, z = (
        slice(max(0, part.start - more), min(n, part.stop + more))
        for part, more, n in zip(box, by, shape, strict=True)
    )
    return x, y, z


def _distance(mask: Mask, voxel_size: Triple) -> Volume:
    squares = np.where(mask, np.inf, 0.0)
    if mask.all():
        return squares.astype(np.float32)
    dx, dy, dz = (float(d) for d in voxel_size)
    # none of the three is contiguous, so that one compiled loop serves them all
    _lower(squares.transpose(0, 2, 1), dz)
    _lower(squares[::-1], dy)
    _lower(squares.transpose(1, 0, 2), dx)
    distance: Volume = np.sqrt(squares).astype(np.float32)
    return distance


@kernel(fastmath=False)  # which knows no infinity
def _lower(squares: Volume, size: float) -> None:
    """Lower squared distances to what can be reached along the second axis, in place."""
    n = squares.shape[1]
    for i in nb.prange(squares.shape[0]):
        heights = np.empty(n)
        start = np.empty(n + 1)  # from where on each parabola is the lowest, in voxels
        foot = np.empty(n, np.int64)
        for k in range(squares.shape[2]):
            last = -1
            farthest = 0.0
            for j in range(n):
                height = squares[i, j, k]
                heights[j] = height
                farthest = max(farthest, height)
                if height == np.inf:
                    continue
                begin = -np.inf
                while last >= 0:
                    p = foot[last]
                    apart = (j - p) * size
                    begin = 0.5 * (j + p + (height - heights[p]) / (apart * size))
                    if begin > start[last]:
                        break
                    last -= 1
                    begin = -np.inf
                last += 1
                foot[last] = j
                start[last] = begin
            if last < 0 or farthest == 0:
                continue
            start[last + 1] = np.inf
            at = 0
            for j in range(n):
                while start[at + 1] < j:
                    at += 1
                apart = (j - foot[at]) * size
                squares[i, j, k] = heights[foot[at]] + apart * apart

"""Lines about which the receive phase turns once: open-ended fringes where combined channels cancel."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.phase.wrap import wrap
from bidsqsm.qsm.units import TURN_RAD

#: Edge of the squares around which the phase is followed, in widths of its smoothing
SQUARE_WIDTHS = 0.5
#: Depth, as a share of the greatest, from which on the receive phase of a head turns about nothing else
DEEP_SHARE = 0.2
#: Of a square, in the order of a way around it
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


def near_fringe_ends(offset: Volume, mask: Mask, grid: Grid, width: float) -> Mask | None:
    """Where a smoothed receive phase turns about a line within the object.

    Around such a line it goes through a whole turn, and no smoothing tells what it is there.

    Parameters
    ----------
    offset : (nx, ny, nz) float32 array
        Smoothed receive phase, in rad.
    mask : (nx, ny, nz) bool array
        Voxels with signal.
    grid
        Voxel size.
    width
        Standard deviation of the smoothing, in mm.

    Returns
    -------
    near : (nx, ny, nz) bool array or None
        Within two widths of such a line; None where there is none.

    References
    ----------
    .. [robinson2017] Robinson et al., NMR Biomed 30:e3601 (2017). doi:10.1002/nbm.3601

    Examples
    --------
    >>> x, y, z = np.meshgrid(*3 * [np.arange(-20, 20)], indexing='ij')
    >>> inside, grid = x**2 + y**2 + z**2 < 300, Grid((40, 40, 40), (1.0, 1.0, 1.0))
    >>> near = near_fringe_ends(np.arctan2(y - 0.5, x - 0.5), inside, grid, 2.0)
    >>> bool(near[20, 20, 20]), bool(near[30, 20, 20])
    (True, False)
    >>> near_fringe_ends(0.1 * x + 0.3 * y, inside, grid, 2.0) is None
    True

    """
    steps = [max(1, int(SQUARE_WIDTHS * width / d)) for d in grid.voxel_size]
    every = tuple(slice(None, None, step) for step in steps)
    size = [d * step for d, step in zip(grid.voxel_size, steps, strict=True)]
    solid = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(mask[every], 1)))
    depth = ndimage.distance_transform_edt(solid, size)[1:-1, 1:-1, 1:-1]
    turning = _turns(offset[every]) & (depth > DEEP_SHARE * depth.max())
    if not turning.any():
        return None
    lines = np.zeros(offset.shape, bool)
    lines[every] = turning
    distance = ndimage.distance_transform_edt(~lines, grid.voxel_size)
    return np.asarray(distance < 2 * width)


def _turns(phase: Volume) -> Mask:
    """Corners of squares, in any of three planes, around which the phase goes through a turn."""
    found = np.zeros(phase.shape, bool)
    for a, b in combinations(range(3), 2):
        corners = [phase[_corner(phase, (a, i), (b, j))] for i, j in CORNERS]
        around = sum(wrap(after - before) for before, after in pairwise([*corners, corners[0]]))
        found[_corner(phase, (a, 0), (b, 0))] |= np.abs(around) > TURN_RAD / 2
    return found


def _corner(volume: Volume, *steps: tuple[int, int]) -> tuple[slice, ...]:
    """The volume less a layer along each of these axes, from its begin (0) or from the next voxel on (1)."""
    part = [slice(None)] * 3
    for axis, step in steps:
        part[axis] = slice(step, volume.shape[axis] - 1 + step)
    return tuple(part)

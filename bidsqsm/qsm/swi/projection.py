"""Minimum-intensity projection over a slab, and a magnitude that is evenly bright."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.registration.contrast import without_bias


def slice_axis(grid: Grid) -> int:
    """The image axis nearest to the main field, across which axial slices lie."""
    return int(np.abs(grid.b0_direction).argmax())


def slices_of(slab: float, grid: Grid) -> int:
    """How many slices come nearest to a slab of this thickness in mm: as many on either side of one.

    Examples
    --------
    >>> slices_of(8.0, Grid((64, 64, 32), (1.0, 1.0, 2.0)))
    5

    """
    beside = (slab / grid.voxel_size[slice_axis(grid)] - 1) / 2
    return 1 + 2 * max(0, int(beside + 0.5))  # of two that are as near, the thicker


def minimum_projection(image: Volume, mask: Mask, grid: Grid, slab: float) -> Volume:
    """Darkest voxel of the mask within a slab about every voxel, along the slice axis.

    Parameters
    ----------
    image : (nx, ny, nz) float32 array
        Any unit.
    mask : (nx, ny, nz) bool array
        Voxels that count; the result is zero elsewhere.
    grid
        Voxel size, and field direction for the slice axis.
    slab
        Thickness in mm.

    Returns
    -------
    projection : (nx, ny, nz) float32 array
        Every slice shows the slab about it.

    """
    filled = np.where(mask, image, np.float32(np.inf))
    low = ndimage.minimum_filter1d(
        filled, slices_of(slab, grid), slice_axis(grid), mode='constant', cval=np.inf
    )
    return np.where(mask, low, np.float32(0))


def brightness(magnitude: Volume, mask: Mask, grid: Grid, *, even: bool) -> Volume:
    """What to multiply a magnitude by so that receive coils no longer shade it.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Any unit.
    mask : (nx, ny, nz) bool array
        The brain.
    grid
        Voxel size.
    even
        Whether to take off the bias that N4 finds, which also makes 1 of the 99th percentile.

    Returns
    -------
    factor : (nx, ny, nz) float32 array
        1 where nothing is to be done; zero outside the mask.

    """
    factor = mask.astype(np.float32)
    if even:
        corrected = without_bias(magnitude, mask, np.diag([*grid.voxel_size, 1.0]))
        np.divide(corrected, magnitude, out=factor, where=mask & (magnitude > 0))
    return factor

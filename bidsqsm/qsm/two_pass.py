"""Two passes over one field: a mask with holes where the phase is unreliable, and the whole mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.morphology import close, dilate, largest_component
from bidsqsm.qsm.masking.reliable_voxels import QUALITY_LIMIT, RESIDUAL_LIMIT, reliable

SMALLEST_HOLE_VOXELS = 3  # voxels of a hole: fewer are noise, and a hole costs the data around it
GAP = 4.0  # mm, half-width of what lies between two holes and goes with them


def holed_mask(
    mask: Mask,
    quality_map: Volume,
    residual: Volume,
    voxel_size: Triple,
    *,
    quality_limit: float = QUALITY_LIMIT,
    residual_limit: float = RESIDUAL_LIMIT,
) -> Mask:
    """Leave out of a mask what has an unreliable phase: bleeds, calcifications, large veins.

    Holes are a voxel wider than what is unreliable and take in what they enclose: a source cut in
    two has one half whose field nothing ties to the rest.

    Parameters
    ----------
    mask : (nx, ny, nz) bool array
        Mask without holes, not empty.
    quality_map : (nx, ny, nz) float32 array
        Quality of the unwrapped phase, 0 to 1.
    residual : (nx, ny, nz) float32 array
        Relative residual of the field fit.
    voxel_size
        In mm.
    quality_limit, residual_limit
        See :func:`bidsqsm.qsm.masking.reliable_voxels.reliable`.

    Returns
    -------
    holed : (nx, ny, nz) bool array
        The largest part of what is left.

    """
    poor = mask & ~reliable(quality_map, residual, mask, quality_limit, residual_limit)
    parts, _ = ndimage.label(poor, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.reshape(-1))
    large = sizes >= SMALLEST_HOLE_VOXELS
    large[0] = False
    holes = close(dilate(large[parts], 1.01 * max(voxel_size), voxel_size), GAP, voxel_size)
    return largest_component(mask & ~holes)


def combine(chi: Volume, holed_chi: Volume, mask: Mask, holed: Mask) -> tuple[Volume, float]:
    """One map of two passes: that of the holed mask where it has values, else that of the whole one.

    The rule is that of [stewart2022]_. A map has no zero of its own: before the filled map goes
    into the holes it is shifted so that the means of both agree in the layer of two voxels around
    the holes; beyond this the seam is left as it is.

    Parameters
    ----------
    chi, holed_chi : (nx, ny, nz) float32 arrays
        Susceptibility from the whole mask and from the one with holes, in ppm.
    mask, holed : (nx, ny, nz) bool arrays
        Where each has values; ``holed`` lies within ``mask``.

    Returns
    -------
    combined : (nx, ny, nz) float32 array
        In ppm, zero outside the mask.
    shift
        What was added to the filled map, in ppm.

    References
    ----------
    .. [stewart2022] Stewart et al., Magn Reson Med 87:1289-1300 (2022). doi:10.1002/mrm.29048

    Examples
    --------
    >>> import numpy as np
    >>> whole, holed = np.ones((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    >>> holed[1:3, 1:3, 1:3] = False
    >>> chi, holed_chi = np.where(holed, 0.1, 1.0), np.where(holed, 0.1, 0.0)
    >>> combined, moved = combine(chi, holed_chi, whole, holed)
    >>> round(float(combined[2, 2, 2]), 1), round(float(combined[0, 0, 0]), 1)
    (1.0, 0.1)

    """
    holes = mask & ~holed
    rim = holed & ndimage.binary_dilation(holes, np.ones((3, 3, 3)), iterations=2)
    where = rim if rim.any() else holed
    shift = 0.0
    if where.any():
        shift = float(np.mean(holed_chi[where] - chi[where], dtype=np.float64))
    combined = np.where(holed, holed_chi, np.where(mask, chi + np.float32(shift), 0))
    return np.ascontiguousarray(combined, np.float32), shift

"""Veins that run through a region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.masking.morphology import dilate
from bidsqsm.qsm.units import MAD_TO_SD

_SPREADS = 3.0  # robust SDs of the region above its median from which a voxel may be a vein
_VEIN_EXCESS = (0.04, 8.0)  # and at least so much above it: chi in ppm, R2* in 1/s
_RADIUS = 1.5  # mm, of the thickest vein
_VEIN_REACH_MM = 3.0  # mm outside the region in which a vein has to go on


def veins_through(region: Mask, maps: Sequence[Volume], mask: Mask, voxel_size: Triple) -> Mask:
    """Find the voxels of a region that belong to veins.

    Parameters
    ----------
    region : (nx, ny, nz) bool array
        One region, with some room around it.
    maps
        Susceptibility (ppm) and, where there is one, R2* (1/s); each (nx, ny, nz) float32.
    mask : (nx, ny, nz) bool array
        Voxels where they are known.
    voxel_size
        In mm.

    Returns
    -------
    veins : (nx, ny, nz) bool array
        Part of the region: connected voxels that exceed the region's own range in every map by
        ``_SPREADS`` robust SDs and by ``_VEIN_EXCESS``, are nowhere thicker than ``_RADIUS``, and go on
        outside of it. An iron-rich nucleus is within its own range, and a core or a neighbour
        that is richer in iron is thicker than a vein.

    """
    known = region & mask
    if not known.any():
        return np.zeros_like(region)
    high = mask.copy()
    for values, least in zip(maps, _VEIN_EXCESS, strict=False):
        middle = np.median(values[known])
        spread = MAD_TO_SD * np.median(np.abs(values[known] - middle))
        high &= values > middle + max(_SPREADS * spread, least)
    near = dilate(region, _VEIN_REACH_MM, voxel_size)
    parts, count = ndimage.label(high & near, np.ones((3, 3, 3)))
    if count == 0:
        return np.zeros_like(region)
    half = float(np.cbrt(np.prod(voxel_size))) / 2
    depth = distance_inside(high, voxel_size) - half
    numbers = np.arange(1, count + 1)
    thin = ndimage.maximum(depth, parts, numbers) <= _RADIUS
    leaves = ndimage.maximum(~region, parts, numbers) > 0
    found = np.zeros(count + 1, bool)
    found[1:] = thin & leaves
    return np.asarray(found[parts] & region)

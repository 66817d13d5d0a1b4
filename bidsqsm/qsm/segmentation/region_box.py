"""Regions of a label map in boxes of their own, with distances and maps made ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Box, Grid, Labels, Mask, Triple, Volume

_SMOOTHING = 0.5  # mm, of the maps from which a border is read


@dataclass
class RegionBox:
    """A region in a box that holds what may become part of it, and its surroundings.

    ``others`` are the voxels of other regions. ``distance`` (mm, negative inside) is that from the
    atlas's border, ``prior`` from the same border once it has been moved as a whole. ``maps`` are
    smoothed, without outliers.
    """

    value: int
    box: Box
    own: Mask
    known: Mask
    others: Mask
    distance: Volume
    prior: Volume
    maps: list[Volume]


def values_of(labels: Labels) -> dict[int, Box]:
    """Bounding box of every value of a label map but zero, in ascending order."""
    present = np.unique(labels)
    positive = present[present > 0]
    ranks = np.searchsorted(positive, labels) + 1
    boxes = ndimage.find_objects(np.where(labels > 0, ranks, 0).astype(np.int32))
    return {int(value): box for value, box in zip(positive, boxes, strict=True)}


def box_around(extent: Box, margin: float, grid: Grid) -> Box:
    """A box with a margin (mm) on every side, within the grid."""
    few = [int(np.ceil(margin / d)) for d in grid.voxel_size]
    a, b, c = (
        slice(max(0, s.start - m), min(n, s.stop + m))
        for s, m, n in zip(extent, few, grid.shape, strict=True)
    )
    return a, b, c


def signed_distance(region: Mask, voxel_size: Triple) -> Volume:
    """Distance (mm, negative inside) of voxel centres from the border of a region."""
    padded = np.pad(region, 1)
    inner = (slice(1, -1),) * 3
    outward = ndimage.distance_transform_edt(~padded, voxel_size)[inner]
    inward = ndimage.distance_transform_edt(padded, voxel_size)[inner]
    half = float(np.cbrt(np.prod(voxel_size))) / 2
    return np.asarray(np.where(region, half - inward, outward - half), np.float32)


def make_region(
    value: int,
    extent: Box,
    labels: Labels,
    maps: Sequence[Volume],
    mask: Mask,
    grid: Grid,
    around: float,
) -> RegionBox | None:
    """Cut a region out, with ``around`` mm of its surroundings; None where too little is known.

    Parameters
    ----------
    value, extent
        Of the region in ``labels``.
    labels : (nx, ny, nz) integer array
        All regions.
    maps
        Each (nx, ny, nz) float32.
    mask : (nx, ny, nz) bool array
        Voxels where they are known.
    grid
        Voxel size.
    around
        In mm.

    """
    box = box_around(extent, around + 2, grid)
    own, known = labels[box] == value, mask[box]
    others = (labels[box] > 0) & ~own
    distance = signed_distance(own, grid.voxel_size)
    near = known & (distance <= around)
    if min(np.count_nonzero(own & known), np.count_nonzero(near & ~own)) < _LEAST_VOXELS:
        return None
    ready = [_smooth(_clipped(m[box], near), known, grid.voxel_size) for m in maps]
    return RegionBox(value, box, own, known, others, distance, distance, ready)


_LEAST_VOXELS = 12  # inside and around, to know anything of either


def _clipped(values: Volume, where: Mask) -> Volume:
    # one voxel in a hundred at either end may be vein, bleed or artefact
    low, high = np.percentile(values[where], [1, 99])
    return np.asarray(np.clip(values, low, high), np.float32)


def _smooth(values: Volume, known: Mask, voxel_size: Triple) -> Volume:
    # what lies outside the mask takes no part
    sigma = [_SMOOTHING / d for d in voxel_size]
    share = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(known, values, np.float32(0)), sigma)
    return np.where(known, total / np.maximum(share, 1e-6), 0).astype(np.float32)

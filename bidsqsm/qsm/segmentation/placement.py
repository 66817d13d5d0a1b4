"""Where regions lie as wholes: the shifts at which they stand out most from what is around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Labels, Mask, Triple, Volume
from bidsqsm.qsm.segmentation.region_box import RegionBox
from bidsqsm.qsm.units import MAD_TO_SD

_COST = 0.05  # SDs of contrast that a shift by 1 mm has to gain, and by d mm that times d^2
_HIGH_SDS = 3.0  # SDs above a region's own median beyond which a voxel speaks against it again
_PLACEMENT_RIM_MM = 2.0  # mm around the region against which it stands out


def contrast(region: RegionBox, inside: Mask, around: float) -> Volume:
    """Difference of medians inside and around a region, of each map, in its robust SDs."""
    ring = _rim(region, inside, around)
    inner = inside & region.known
    found = []
    for values in region.maps:
        here, there = values[inner], values[ring]
        if min(here.size, there.size) == 0:
            found.append(0.0)
            continue
        noise = np.sqrt((_spread(here) ** 2 + _spread(there) ** 2) / 2)
        found.append((np.median(here) - np.median(there)) / max(noise, 1e-9))
    return np.array(found)


def place(regions: Sequence[RegionBox], labels: Labels, reach: float, voxel_size: Triple) -> None:
    """Move the prior border of each region to where its contrast is largest.

    Parameters
    ----------
    regions
        The regions; ``prior`` becomes the distance from the border moved by whole voxels.
    labels : (nx, ny, nz) integer array
        All regions of the atlas.
    reach
        Length of the largest shift, in mm.
    voxel_size
        In mm.

    """
    steps = _steps(reach, voxel_size)
    cost = _COST * ((steps * np.array(voxel_size)) ** 2).sum(1)
    taken = np.zeros(labels.shape, bool)
    # those that stand out most are the surest, and come first
    for region in sorted(regions, key=_surest):
        gains = _gains(region, steps, taken[region.box]) - cost
        step = steps[int(np.argmax(gains))]
        region.prior = ndimage.shift(region.distance, step, order=0, mode='nearest')
        taken[region.box] |= region.prior < 0


def _surest(region: RegionBox) -> tuple[float, int]:
    return -float(np.abs(contrast(region, region.own, _PLACEMENT_RIM_MM)).max()), region.value


def _gains(region: RegionBox, steps: Volume, taken: Mask) -> Volume:
    # mean score over the region less that over its rim, for each shift
    rim = _rim(region, region.own, _PLACEMENT_RIM_MM)
    if not rim.any():
        return np.zeros(len(steps))
    weights = region.own / region.own.sum(dtype=float) - rim / rim.sum(dtype=float)
    score = _score(region)
    # another region is no place for this one; what is unknown speaks neither for it nor against
    score[taken] = np.median(score[rim])
    score[~region.known] = np.median(score[rim]) / 2
    at, share = np.argwhere(weights), weights[weights != 0]
    last = np.array(weights.shape) - 1
    gains = []
    for step in steps:
        i, j, k = np.clip(at + step, 0, last).T
        gains.append(float(np.sum(score[i, j, k] * share)))
    return np.array(gains)


def _score(region: RegionBox) -> Volume:
    # maps in units of their SD inside, turned so that the region is the brighter side in each
    total: Volume = np.zeros(region.own.shape)
    inner = region.own & region.known
    signs = np.sign(contrast(region, region.own, _PLACEMENT_RIM_MM))
    for values, sign in zip(region.maps, signs, strict=True):
        spread = max(_spread(values[inner]), 1e-9)
        total += np.where(region.known, sign * (values - np.median(values[inner])) / spread, 0)
    total /= len(region.maps)
    # a neighbour that is much brighter is no part of the region either
    return np.asarray(np.minimum(total, 2 * _HIGH_SDS - total))


def _rim(region: RegionBox, inside: Mask, width: float) -> Mask:
    # of other regions nothing is known yet, but where there is hardly anything else
    rim = region.known & ~inside & (region.distance <= width)
    bare = rim & ~region.others
    return bare if np.count_nonzero(bare) >= np.count_nonzero(rim) / 10 else rim


def _steps(reach: float, voxel_size: Triple) -> Volume:
    # nearest first, so that of two equal ones the shorter is taken
    most = [int(reach / d) for d in voxel_size]
    steps = np.array([*product(*(range(-n, n + 1) for n in most))])
    length = np.sqrt(((steps * np.array(voxel_size)) ** 2).sum(1))
    order = np.argsort(length, kind='stable')
    return np.asarray(steps[order][length[order] <= reach])


def _spread(values: Volume) -> float:
    return MAD_TO_SD * float(np.median(np.abs(values - np.median(values))))

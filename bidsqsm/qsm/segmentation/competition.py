"""Regions that compete for the voxels near their borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.special import log_ndtr

from bidsqsm.qsm.grid import Labels, Mask, Triple, Volume
from bidsqsm.qsm.segmentation.region_box import RegionBox

REGION_RING_MM = 3.0  # mm around a region that counts as its surroundings
_LOCAL_WIDTH_MM = 4.0  # mm, width of the neighbourhood whose means decide on a voxel
_WHOLE_REGION_WEIGHT = 0.02  # weight of the means of the whole region in them
_EVIDENCE_WEIGHT = 0.5  # noise is correlated between voxels: their evidence counts half
_LARGEST_LOG_ODDS = 4.0  # largest evidence (log odds) of the maps for one voxel
_NEIGHBOUR_LOG_ODDS = 1.5  # log odds that a voxel has if all around it belong to the region
_NEIGHBOUR_REACH_MM = 0.7  # mm, reach of the neighbours' vote
_COMPETITION_SWEEPS = 5
_GROWTH = 1.5  # most by which a volume may grow or shrink, as a factor
_SURE_LOG_ODDS = 100.0


def compete(
    labels: Labels, regions: Sequence[RegionBox], reach: float, voxel_size: Triple
) -> Labels:
    """Give each voxel near a border to the region that explains it best, or to none.

    Parameters
    ----------
    labels : (nx, ny, nz) int32 array
        Regions of the atlas. Those that are not among ``regions`` keep their voxels.
    regions
        Regions whose border may move.
    reach
        Largest distance (mm) from the atlas's border at which a voxel may change.
    voxel_size
        In mm.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        The regions with their new borders.

    """
    moving = np.isin(labels, [region.value for region in regions])
    settled = (labels > 0) & ~moving
    current = labels.copy()
    for _ in range(_COMPETITION_SWEEPS):
        best = np.zeros(labels.shape, np.float32)
        following = np.where(settled, labels, 0)
        for region in regions:
            inside = (current[region.box] == region.value) & region.known
            score = _bounded(_score(region, inside, reach, voxel_size), region)
            box = region.box
            better = (score > best[box]) & ~settled[box]
            best[box][better] = score[better]
            following[box][better] = region.value
        if np.array_equal(following, current):
            break
        current = following
    return current


def _score(region: RegionBox, inside: Mask, reach: float, voxel_size: Triple) -> Volume:
    # log odds that a voxel belongs to the region: maps, place in the atlas, neighbours
    odds = np.clip(_evidence(region, inside, voxel_size), -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
    spread = reach / 2
    odds += log_ndtr(-region.prior / spread) - log_ndtr(region.prior / spread)
    votes = ndimage.gaussian_filter(
        inside.astype(np.float32), _sigma(_NEIGHBOUR_REACH_MM, voxel_size)
    )
    odds += _NEIGHBOUR_LOG_ODDS * (2 * votes - 1)
    odds[region.distance > reach] = -_SURE_LOG_ODDS
    # nothing is known outside the mask: what lies there stays as it is
    odds[~region.known] = -_SURE_LOG_ODDS
    odds[(region.distance < -reach) | (region.own & ~region.known)] = _SURE_LOG_ODDS
    return odds


def _evidence(region: RegionBox, inside: Mask, voxel_size: Triple) -> Volume:
    # log odds of two classes of the same spread, with means of the neighbourhood of each voxel
    total: Volume = np.zeros(inside.shape, np.float32)
    far = ndimage.distance_transform_edt(~inside, voxel_size)
    ring = region.known & ~inside & (far <= REGION_RING_MM)
    if not (inside.any() and ring.any()):
        return total
    within, without = _Local(inside, voxel_size), _Local(ring, voxel_size)
    for values in region.maps:
        here, there = within.mean(values), without.mean(values)
        noise = np.mean((values - here)[inside] ** 2) + np.mean((values - there)[ring] ** 2)
        middle, step = (here + there) / 2, here - there
        total += _EVIDENCE_WEIGHT * np.clip(
            2 * step * (values - middle) / max(noise, 1e-12), -8, 8
        )
    return total


class _Local:
    """Means over the part of a class that is near."""

    def __init__(self, members: Mask, voxel_size: Triple) -> None:
        self.members, self.sigma = members, _sigma(_LOCAL_WIDTH_MM, voxel_size)
        self.weight = self._blur(members.astype(np.float32))

    def mean(self, values: Volume) -> Volume:
        overall = np.float32(values[self.members].mean(dtype=float))
        total = self._blur(np.where(self.members, values, np.float32(0)))
        return np.asarray(
            (total + _WHOLE_REGION_WEIGHT * overall) / (self.weight + _WHOLE_REGION_WEIGHT)
        )

    def _blur(self, values: Volume) -> Volume:
        return np.asarray(ndimage.gaussian_filter(values, self.sigma, truncate=2.5))


def _bounded(score: Volume, region: RegionBox) -> Volume:
    # raise or lower the score until the volume is within bounds
    count, ordered = np.count_nonzero(region.own), np.sort(score[score > -_SURE_LOG_ODDS])[::-1]
    most, least = int(count * _GROWTH), int(np.ceil(count / _GROWTH))
    wanted = np.clip(np.count_nonzero(ordered > 0), least, most)
    if wanted == np.count_nonzero(ordered > 0) or wanted >= ordered.size:
        return score
    return np.asarray(score - (ordered[wanted - 1] + ordered[wanted]) / 2)


def _sigma(width: float, voxel_size: Triple) -> list[float]:
    return [width / d for d in voxel_size]

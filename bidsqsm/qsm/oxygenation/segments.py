"""A tree of veins taken apart at its branches."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize
from skimage.segmentation import watershed

from bidsqsm.qsm.grid import Labels, Mask, Triple, bounding_box

_CONNECTIVITY = np.ones((3, 3, 3), np.uint8)


def number_segments(veins: Mask, voxel_size: Triple, shortest: float) -> Labels:
    """Number the veins between branches, the largest first.

    The middle lines are cut where they branch; every voxel goes to the line that it reaches first.
    A line shorter than ``shortest`` (mm) goes to its neighbours, unless it has none.

    Parameters
    ----------
    veins : (nx, ny, nz) bool array
        Voxels of veins.
    voxel_size
        In mm.
    shortest
        Extent of the shortest vein of its own, in mm.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        1 and on; zero where there is no vein.

    """
    labels = np.zeros(veins.shape, np.int32)
    if not veins.any():
        return labels
    box = bounding_box(veins)
    inside = np.pad(veins[box], 1)
    labels[box] = _in_order(_grown(inside, _lines(inside, voxel_size, shortest)))[1:-1, 1:-1, 1:-1]
    return labels


def _lines(veins: Mask, voxel_size: Triple, shortest: float) -> Labels:
    middle = skeletonize(veins)
    near = ndimage.convolve(middle.astype(np.uint8), _CONNECTIVITY, mode='constant') - 1
    lines, count = ndimage.label(middle & (near <= 2), _CONNECTIVITY)
    kept = np.zeros(count + 1, bool)
    for number, box in enumerate(ndimage.find_objects(lines), start=1):
        sides = [(part.stop - part.start) * d for part, d in zip(box, voxel_size, strict=True)]
        kept[number] = np.linalg.norm(sides) >= shortest
    return np.where(kept[lines], lines, 0)


def _grown(veins: Mask, lines: Labels) -> Labels:
    whole, _ = ndimage.label(veins, _CONNECTIVITY)
    # a part that has lost all its lines stays whole, under a number of its own
    alone = ~np.isin(whole, whole[lines > 0])
    seeds = np.where(alone & veins, whole + lines.max(), lines)
    return np.asarray(watershed(np.zeros(veins.shape, np.uint8), seeds, _CONNECTIVITY, mask=veins))


def _in_order(labels: Labels) -> Labels:
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind='stable')[: np.count_nonzero(sizes)]
    rank = np.zeros(sizes.size, np.int32)
    rank[order] = np.arange(1, order.size + 1)
    return rank[labels]

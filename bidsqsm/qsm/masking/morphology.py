"""Morphology in mm, whatever the voxel size."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, bounding_box
from bidsqsm.qsm.masking.distance import distance_inside, distance_to


def erode(mask: Mask, radius: float, voxel_size: Triple) -> Mask:
    """Voxels farther than ``radius`` mm from anything off the mask.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> int(mask.sum()), int(erode(mask, 1.0, (1.0, 1.0, 1.0)).sum())
    (125, 27)

    """
    result: Mask = distance_inside(mask, voxel_size) > radius
    return result


def dilate(mask: Mask, radius: float, voxel_size: Triple) -> Mask:
    """Voxels within ``radius`` mm of the mask.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> int(mask.sum()), int(dilate(mask, 1.0, (1.0, 1.0, 1.0)).sum())
    (125, 275)

    """
    result: Mask = distance_to(mask, voxel_size, radius) <= radius
    return result


def close(mask: Mask, radius: float, voxel_size: Triple) -> Mask:
    """Fill gaps narrower than twice ``radius`` mm.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> mask[4, 4, :] = False  # a channel
    >>> bool(close(mask, 1.0, (1.0, 1.0, 1.0))[4, 4, 4])
    True

    """
    return ~dilate(~dilate(mask, radius, voxel_size), radius, voxel_size) | mask


def open_(mask: Mask, radius: float, voxel_size: Triple) -> Mask:
    """Remove parts narrower than twice ``radius`` mm.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> mask[0, 4, 4] = mask[1, 4, 4] = True  # a thin handle
    >>> bool(open_(mask, 1.0, (1.0, 1.0, 1.0))[0, 4, 4])
    False

    """
    return dilate(erode(mask, radius, voxel_size), radius, voxel_size) & mask


def largest_component(mask: Mask) -> Mask:
    """The largest face-connected part of a mask (the mask itself where it is empty).

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> mask[0, 0, 0] = True
    >>> int(mask.sum()), int(largest_component(mask).sum())
    (126, 125)

    """
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask.copy()
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    result: Mask = labels == sizes.argmax()
    return result


def fill_holes(mask: Mask) -> Mask:
    """Fill cavities that do not reach the outside, within the mask's bounding box.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((9, 9, 9), bool)
    >>> mask[2:7, 2:7, 2:7] = True
    >>> mask[4, 4, 4] = False
    >>> int(mask.sum()), int(fill_holes(mask).sum())
    (124, 125)

    """
    filled = mask.copy()
    box = bounding_box(mask)
    filled[box] = ndimage.binary_fill_holes(mask[box])
    return filled


def fill_small_holes(mask: Mask, volume: float, voxel_size: Triple) -> Mask:
    """Fill cavities of less than ``volume`` mm3; larger ones may be skull within a closed scalp."""
    holes, _ = ndimage.label(fill_holes(mask) & ~mask)
    sizes = np.bincount(holes.reshape(-1)) * float(np.prod(voxel_size))
    small = sizes < volume
    small[0] = False
    filled: Mask = mask | small[holes]
    return filled

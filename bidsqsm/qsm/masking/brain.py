"""The brain found in a magnitude image without a template: tissue that the skull sets apart."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from bidsqsm.qsm.body import Body
from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.masking.morphology import (
    close,
    dilate,
    fill_holes,
    fill_small_holes,
    largest_component,
)

BRAIN_VOXEL_MM = 2.0  # mm: anatomy as large as the skull needs no finer grid
BIAS_WIDTH = 25.0  # mm
SCALP = 5.0  # mm below the surface of the head that no brain reaches
HALF_WIDTHS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0)  # mm, of the bridges to cut
SCALP_SHARE = 0.01  # share of the brain that may seem to lie in the scalp
CUT_SHARE = 0.25  # share of it that a cut must leave at most, or there is no scalp to cut off
ALL_TISSUE = 0.25  # of the median: what still is tissue in an image without background
VENTRICLES = 6e4  # mm3, of dark fluid inside the brain
SULCUS = 6.0  # mm, half-width of gaps to close


def brain_mask(magnitude: Volume, voxel_size: Triple) -> Mask:
    """Find the brain in a magnitude volume.

    Tissue is what exceeds a threshold between signal and background (Otsu's, after removal of
    the bias). It is cut at its narrowest places (a watershed of its local width), at ever wider
    ones until the largest part lets go of the scalp, which lies within 5 mm of the surface of the
    head; that part is closed and filled. Where no cut parts the two, the image holds no scalp (a
    stripped or cropped brain) and all tissue is taken.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Magnitude, any unit.
    voxel_size
        In mm.

    Returns
    -------
    brain : (nx, ny, nz) bool array

    Examples
    --------
    >>> from bidsqsm.qsm.mask_overlap import dice
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> mask = brain_mask(sphere.echoes((0.01,)).magnitude[0], sphere.grid.voxel_size)
    >>> bool(dice(mask, sphere.mask) > 0.9)
    True

    """
    factors = [max(1, round(BRAIN_VOXEL_MM / d)) for d in voxel_size]
    coarse = block_mean(magnitude, factors)
    size = times(voxel_size, factors)
    even = _even(coarse, size)
    tissue = even > tissue_threshold(even)
    brain = _part_from_scalp(tissue, size)
    brain = fill_holes(close(brain, SULCUS, size))
    brain |= dilate(brain, 1.01 * max(size), size) & tissue
    return _refine(fill_holes(brain), magnitude.shape, factors)


def object_mask(magnitude: Volume, voxel_size: Triple) -> Mask:
    """Find an object that has no skull: the largest connected part with signal, its holes filled.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Magnitude, any unit.
    voxel_size
        In mm.

    Returns
    -------
    whole : (nx, ny, nz) bool array

    Examples
    --------
    >>> from bidsqsm.qsm.mask_overlap import dice
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> mask = object_mask(sphere.echoes((0.01,)).magnitude[0], sphere.grid.voxel_size)
    >>> bool(dice(mask, sphere.mask) > 0.98)
    True

    """
    even = _even(magnitude, voxel_size)
    return fill_holes(largest_component(even > tissue_threshold(even)))


def whole_of(magnitude: Volume, voxel_size: Triple, body: Body) -> Mask:
    """The brain where there is one, else the object."""
    return (brain_mask if body.has_brain else object_mask)(magnitude, voxel_size)


def times(voxel_size: Triple, factors: list[int]) -> Triple:
    """Size in mm of blocks of voxels."""
    x, y, z = (d * f for d, f in zip(voxel_size, factors, strict=True))
    return x, y, z


def block_mean(volume: Volume, factors: list[int]) -> Volume:
    """Mean of blocks of voxels; a last, incomplete block is filled with the edge value."""
    pads = [(0, -n % f) for n, f in zip(volume.shape, factors, strict=True)]
    full = np.pad(volume, pads, mode='edge')
    (a, b, c), (f, g, h) = full.shape, factors
    blocks = full.reshape(a // f, f, b // g, g, c // h, h)
    mean: Volume = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return mean


def otsu(values: Volume) -> float:
    """Threshold that splits values into the two classes of least inner variance.

    Examples
    --------
    >>> import numpy as np
    >>> 1 < otsu(np.array([0.0, 0.5, 1.0, 9.0, 10.0])) < 9
    True

    """
    top = np.percentile(values, 99.5)
    counts, edges = np.histogram(values, bins=256, range=(0, max(float(top), 1e-12)))
    centres = (edges[1:] + edges[:-1]) / 2
    if np.count_nonzero(counts) < 2:  # one value alone has no threshold
        return float(centres[int(np.argmax(counts))])
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide='ignore', invalid='ignore'):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.flatnonzero(spread >= np.nanmax(spread) * (1 - 1e-9))  # a run where a gap is empty
    return float(centres[best].mean())


def tissue_threshold(values: Volume) -> float:
    """Threshold between background and tissue; far below tissue where the image holds no background.

    Otsu's threshold always finds two classes. Where the mean of the lower one exceeds half that
    of the upper one, both are tissue (a slab or crop within the brain).
    """
    clipped = np.minimum(values, np.percentile(values, 99.5))
    threshold = otsu(clipped)
    lower, upper = clipped[clipped <= threshold], clipped[clipped > threshold]
    if lower.size and upper.size and lower.mean() > 0.5 * upper.mean():
        return float(ALL_TISSUE * np.median(clipped))
    return threshold


def _even(magnitude: Volume, voxel_size: Triple) -> Volume:
    # magnitude over its local mean in tissue: 1 is tissue, 0 background, whatever the bias
    sigma = [BIAS_WIDTH / d for d in voxel_size]
    tissue: Mask = magnitude > tissue_threshold(magnitude) * 0.5
    for _ in range(2):
        weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma, truncate=2.5)
        signal = ndimage.gaussian_filter(np.where(tissue, magnitude, 0), sigma, truncate=2.5)
        even = magnitude * weight / np.maximum(signal, 1e-6 * signal.max() + 1e-30)
        even[weight < 0.05] = 0
        tissue = even > tissue_threshold(even)
    result: Volume = even
    return result


def _part_from_scalp(tissue: Mask, voxel_size: Triple) -> Mask:
    head = fill_holes(close(tissue, 2 * SULCUS, voxel_size))
    shallow = distance_inside(head, voxel_size) < SCALP
    filled = fill_small_holes(tissue, VENTRICLES, voxel_size)
    whole = largest_component(filled)
    width = distance_inside(filled, voxel_size)
    if not shallow.any() or not np.isfinite(width).all():
        return whole
    parts = [part for r in HALF_WIDTHS if (part := _basin(width, r)).any()]
    shares = [float(np.mean(shallow[part])) for part in parts]
    if not parts or min(shares) > CUT_SHARE * float(np.mean(shallow[whole])):
        return whole
    limit = max(SCALP_SHARE, 1.5 * min(shares))
    return next(part for part, share in zip(parts, shares, strict=True) if share <= limit)


def _basin(width: Volume, radius: float) -> Mask:
    # watershed of the distance map from the parts wider than the radius: cut at the narrowest
    markers, count = ndimage.label(width > radius)
    if count == 0:
        return np.zeros(width.shape, bool)
    largest = int(np.bincount(markers.reshape(-1))[1:].argmax()) + 1
    basins = watershed(-width, markers, mask=width > 0)
    return largest_component(basins == largest)


def _refine(mask: Mask, shape: tuple[int, ...], factors: list[int]) -> Mask:
    # blocks back to voxels, their steps smoothed
    fine = mask
    for axis, factor in enumerate(factors):
        fine = np.repeat(fine, factor, axis)
    fine = fine[tuple(slice(n) for n in shape)]
    sigma = [0.6 * f if f > 1 else 0.0 for f in factors]
    smooth: Mask = ndimage.gaussian_filter(fine.astype(np.float32), sigma) > 0.5
    return smooth

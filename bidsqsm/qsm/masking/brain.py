"""The brain found in a magnitude image without a template: tissue that the skull sets apart."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.morphology import (
    close,
    distance_inside,
    fill_holes,
    largest_component,
)

COARSE = 2.0  # mm: anatomy as large as the skull needs no finer grid
BIAS_WIDTH = 25.0  # mm
SCALP = 5.0  # mm below the surface of the head that no brain reaches
RADII = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0)  # mm, half-widths of bridges cut
SHALLOW = 0.01  # share of a component that may lie in the scalp
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

    """
    factors = [max(1, round(COARSE / d)) for d in voxel_size]
    coarse = block_mean(magnitude, factors)
    size = tuple(d * f for d, f in zip(voxel_size, factors, strict=True))
    tissue = _tissue(coarse, size)
    brain = _part_from_scalp(tissue, size)
    brain = fill_holes(close(brain, SULCUS, size))
    return _refine(brain, magnitude.shape, factors)


def block_mean(volume: Volume, factors: list[int]) -> Volume:
    """Mean of blocks of voxels; a last, incomplete block is filled with the edge value."""
    pads = [(0, -n % f) for n, f in zip(volume.shape, factors, strict=True)]
    full = np.pad(volume, pads, mode='edge')
    (a, b, c), (f, g, h) = full.shape, factors
    blocks = full.reshape(a // f, f, b // g, g, c // h, h)
    mean: Volume = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return mean


def otsu(values: Volume) -> float:
    """Threshold that splits values into the two classes of least inner variance."""
    top = np.percentile(values, 99.5)
    counts, edges = np.histogram(values, bins=256, range=(0, max(float(top), 1e-12)))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide='ignore', invalid='ignore'):
        spread = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(centres[np.nanargmax(spread)])


def _tissue(magnitude: Volume, voxel_size: Triple) -> Mask:
    mask: Mask = magnitude > otsu(magnitude) * 0.5
    for _ in range(2):
        sigma = [BIAS_WIDTH / d for d in voxel_size]
        weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2.5)
        signal = ndimage.gaussian_filter(np.where(mask, magnitude, 0), sigma, truncate=2.5)
        even = magnitude * weight / np.maximum(signal, 1e-6 * signal.max() + 1e-30)
        mask = (even > otsu(np.clip(even, 0, 3))) & (weight > 0.05)
    return mask


def _part_from_scalp(tissue: Mask, voxel_size: Triple) -> Mask:
    head = fill_holes(close(tissue, 2 * SULCUS, voxel_size))
    depth = distance_inside(head, voxel_size)
    filled = fill_holes(tissue)
    width = distance_inside(filled, voxel_size)
    for radius in RADII:
        brain = _basin(width, radius)
        if brain.any() and np.mean(depth[brain] < SCALP) < SHALLOW:
            return brain
    return largest_component(filled)


def _basin(width: Volume, radius: float) -> Mask:
    # watershed of the distance map from the parts wider than the radius: cut at the narrowest
    markers, count = ndimage.label(width > radius)
    if count == 0 or not np.isfinite(width).all():
        return np.zeros(width.shape, bool)
    largest = int(np.bincount(markers.reshape(-1))[1:].argmax()) + 1
    relief = (255 - np.minimum(255, 10 * width)).astype(np.uint8)
    markers = markers.astype(np.int32)
    markers[width == 0] = -1
    basins = ndimage.watershed_ift(relief, markers)
    return largest_component((basins == largest) & (width > 0))


def _refine(mask: Mask, shape: tuple[int, ...], factors: list[int]) -> Mask:
    # blocks back to voxels, their steps smoothed
    fine = mask
    for axis, factor in enumerate(factors):
        fine = np.repeat(fine, factor, axis)
    fine = fine[tuple(slice(n) for n in shape)]
    sigma = [0.6 * f if f > 1 else 0.0 for f in factors]
    smooth: Mask = ndimage.gaussian_filter(fine.astype(np.float32), sigma) > 0.5
    return smooth

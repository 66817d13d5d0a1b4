"""The brain found in a magnitude image without a template: tissue that the skull sets apart."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.masking.morphology import (
    close,
    dilate,
    distance_inside,
    erode,
    fill_holes,
    largest_component,
)

COARSE = 2.0  # mm: anatomy as large as the skull needs no finer grid
BIAS_WIDTH = 25.0  # mm
SCALP = 5.0  # mm below the surface of the head that no brain reaches
RADII = (1.5, 2.5, 3.5, 4.5, 5.5, 6.5)  # mm, erosions tried to part brain from scalp
SHALLOW = 0.01  # share of a component that may lie in the scalp
SULCUS = 6.0  # mm, half-width of gaps to close


def brain_mask(magnitude: Volume, voxel_size: Triple) -> Mask:
    """Find the brain in a magnitude volume.

    Tissue is what exceeds a threshold between signal and background (Otsu's, after removal of
    the bias). It is eroded until its largest part lets go of the scalp, which lies within 5 mm of
    the surface of the head; that part is grown back into tissue, closed and filled. Where no
    erosion parts the two, the image holds no scalp (a stripped or cropped brain) and all tissue
    is taken.

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
    for radius in RADII:
        core = largest_component(erode(tissue & (depth > radius), radius, voxel_size))
        whole = dilate(core, radius + 0.5, voxel_size) & tissue
        if whole.any() and np.mean(depth[whole] < SCALP) < SHALLOW:
            return largest_component(whole)
    return largest_component(tissue)


def _refine(mask: Mask, shape: tuple[int, ...], factors: list[int]) -> Mask:
    # blocks back to voxels, their steps smoothed
    fine = mask
    for axis, factor in enumerate(factors):
        fine = np.repeat(fine, factor, axis)
    fine = fine[tuple(slice(n) for n in shape)]
    sigma = [0.6 * f if f > 1 else 0.0 for f in factors]
    smooth: Mask = ndimage.gaussian_filter(fine.astype(np.float32), sigma) > 0.5
    return smooth

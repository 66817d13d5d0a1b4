"""What MEDI makes of its input: edges of the magnitude, and data without their local mean."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Labels, Mask, Triple, Volume
from bidsqsm.qsm.kernels import convolve, fits_inside, sphere_kernel
from bidsqsm.qsm.window import Window

FAINT_MAGNITUDE_SHARE = 1e-3  # of the median magnitude: what is fainter is as good as none


def without_mean(
    field: Volume, weight_map: Volume | None, window: Window, radius: float
) -> tuple[Volume, Volume, Volume | None]:
    """Take the mean over a sphere from the field, where all of the sphere lies in the mask.

    Parameters
    ----------
    field, weight_map : (nx, ny, nz) float32 arrays
        Local field in ppm and trust in it, on the full grid.
    window
        Of the mask.
    radius
        Of the sphere in mm; 0 to leave the field as it is.

    Returns
    -------
    field, weight : (nx, ny, nz) float32 arrays
        In the window; the weight is zero where part of the sphere is unknown.
    blur : (nx, ny, nz // 2 + 1) float32 array or None
        Real spectrum of what was done to the field, for its model; None for nothing.

    """
    data, trust = window.cut(field), window.data_weight(weight_map)
    if radius == 0:
        return data, trust, None
    sphere = sphere_kernel(window.grid, radius)
    known = trust > 0
    whole = fits_inside(sphere, known, fft.rfftn(known.astype(np.float32)))
    if not whole.any():
        raise ValueError(
            f'no sphere of {radius:g} mm fits in the mask: give a smaller smv_radius, or 0 for none'
        )
    data[~known] = 0
    data -= convolve(data, sphere)
    return data * whole, trust * whole, np.float32(1) - sphere


def edge_codes(magnitude: Volume | None, window: Window, share: float) -> Labels:
    r"""Which differences between neighbours are edges of the magnitude, and which lie outside.

    Edges are the differences of :math:`\log m` per mm, within the mask, that are largest. The
    logarithm makes them relative, so that neither the scale nor the smooth receive field of the
    magnitude decides where they are.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array, or None for a clear error
        Not negative, in arbitrary units, on the full grid.
    window
        Of the mask.
    share
        Percentage of the differences within the mask, along all axes together, that are edges.

    Returns
    -------
    codes : (nx, ny, nz) uint8 array
        In the window: bit a for an edge between a voxel and the next along axis a; bit 3 + a where
        neither of the two is in the mask.

    """
    if magnitude is None:
        raise ValueError(
            'edges are found in the magnitude, and none was given: give one, or take tv or nltv'
        )
    mask = window.cut_mask()
    cut = window.cut(magnitude)
    if cut.min() < 0 or not cut.any():
        raise ValueError(
            'the magnitude is negative somewhere in the mask or zero throughout: give that of the '
            'scan, which shows where edges are'
        )
    floor = np.float32(FAINT_MAGNITUDE_SHARE * np.median(cut[mask & (cut > 0)]))
    relative = np.log(np.maximum(cut, floor))
    slopes = [_slopes(relative, mask, a, window.grid.voxel_size) for a in range(3)]
    inner = np.concatenate([slope[slope >= 0] for slope in slopes])
    # a share, not a limit: noise in the magnitude does not change how many edges there are
    threshold = np.percentile(inner, 100 - share) if share > 0 and inner.size else np.inf
    codes: Labels = np.zeros(mask.shape, np.uint8)
    for axis, slope in enumerate(slopes):
        codes |= (slope > threshold).astype(np.uint8) << axis
        codes |= (~(mask | np.roll(mask, -1, axis))).astype(np.uint8) << (3 + axis)
    return codes


def _slopes(relative: Volume, mask: Mask, axis: int, voxel_size: Triple) -> Volume:
    # size of the change per mm towards the next voxel, -1 where that is not between voxels of the mask
    change = np.abs(np.roll(relative, -1, axis) - relative) / np.float32(voxel_size[axis])
    return np.where(mask & np.roll(mask, -1, axis), change, np.float32(-1))

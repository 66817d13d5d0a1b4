"""Inversion in closed form: one filter in k-space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.window import Window


def invert(
    field: Volume,
    mask: Mask,
    grid: Grid,
    inverse: Callable[[Volume, Grid], Volume],
    *,
    rescale: bool,
    padding: float,
) -> Volume:
    """Multiply the spectrum of a field by an approximation H of 1 / D.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; elsewhere it is taken as zero.
    grid
        Voxel size and field direction.
    inverse
        Makes H of the dipole kernel D and the grid that it is sampled on.
    rescale
        Divide by the mean of H D over k-space: what a point keeps of its own value.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, zero outside the mask.

    """
    window = Window.around(mask, grid, padding)
    dipole = dipole_kernel(window.grid)
    filtered = inverse(dipole, window.grid)
    spectrum = fft.rfftn(window.cut(field))
    spectrum *= filtered
    if rescale:
        spectrum /= mean_over_spectrum(np.multiply(filtered, dipole, out=filtered))
    return window.restore(fft.irfftn(spectrum, s=window.grid.shape, overwrite_x=True))


def mean_over_spectrum(half: Volume) -> np.float32:
    """Mean over the whole of k-space of a real, even spectrum, given by its half.

    Of the planes of the half spectrum, all but the first and the last stand for two.
    """
    both = 2 * half.sum(dtype=np.float64)
    once = half[..., 0].sum(dtype=np.float64) + half[..., -1].sum(dtype=np.float64)
    nx, ny, nz = half.shape
    return np.float32((both - once) / (nx * ny * 2 * (nz - 1)))


def truncated(dipole: Volume, threshold: float) -> Volume:
    """1 / D where its magnitude exceeds the threshold, else zero."""
    inverse = np.zeros_like(dipole)
    np.divide(1, dipole, out=inverse, where=np.abs(dipole) > threshold)
    return inverse


def floored(dipole: Volume, threshold: float) -> Volume:
    """1 / D, with the magnitude of D raised to the threshold where it is smaller."""
    inverse = np.abs(dipole)
    np.maximum(inverse, np.float32(threshold), out=inverse)
    np.copysign(inverse, dipole, out=inverse)
    return np.divide(1, inverse, out=inverse)

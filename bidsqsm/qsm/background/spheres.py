"""What the methods built on spherical mean values share."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.kernels import sphere_kernel
from bidsqsm.qsm.window import Window

FULL = np.float32(1 - 1e-4)  # share of a sphere in the mask that counts as all of it


def sphere_that_fits(window: Window, radius: float) -> tuple[Volume, Mask]:
    """Spectrum of a sphere, and the voxels around which all of it lies in the mask.

    Parameters
    ----------
    window
        Window with a margin of at least the radius.
    radius
        Radius in mm; the longest voxel edge where that is more.

    Returns
    -------
    sphere : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum of :func:`bidsqsm.qsm.kernels.sphere_kernel`.
    fits : (nx, ny, nz) bool array
        On the grid of the window, never at its faces.

    """
    radius = max(radius, *window.grid.voxel_size)
    sphere = sphere_kernel(window.grid, radius)
    inside = window.cut_mask()
    fits = fits_inside(sphere, inside, fft.rfftn(inside.astype(np.float32)))
    if not fits.any():
        raise ValueError(
            f'no sphere of {radius:g} mm fits in the mask: '
            'give a larger mask, smaller voxels or a smaller radius'
        )
    return sphere, fits


def fits_inside(sphere: Volume, inside: Mask, spectrum: Volume) -> Mask:
    """Voxels of a mask, given with its spectrum, around which all of a sphere lies in it."""
    share = fft.irfftn(sphere * spectrum, s=inside.shape, overwrite_x=True)
    fits: Mask = share > FULL
    fits &= inside
    return fits


def divide_out(high_pass: Volume, sphere: Volume, threshold: float) -> Volume:
    """Undo the filter one less a sphere, where its gain exceeds a threshold in size."""
    spectrum = fft.rfftn(high_pass)
    gain = 1 - sphere
    kept = np.abs(gain) > threshold
    spectrum *= np.divide(1, gain, where=kept, out=np.zeros_like(gain))
    local: Volume = fft.irfftn(spectrum, s=high_pass.shape, overwrite_x=True)
    return local

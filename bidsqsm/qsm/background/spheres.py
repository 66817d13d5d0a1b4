"""What the methods built on spherical mean values share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, fits_inside, sphere_kernel
from bidsqsm.qsm.window import Window


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


@dataclass(frozen=True)
class Deconvolution:
    """Undo the filter one less a sphere, but for what varies slowly.

    Attributes
    ----------
    inverse : (nx, ny, nz // 2 + 1) float32 array
        G / (G^2 + t^2) of the gain G = 1 - S(k) and its value t at a wavelength.

    """

    inverse: Volume

    @classmethod
    def of(cls, sphere: Volume, grid: Grid, wavelength: float) -> Deconvolution:
        """Take a wavelength in mm of which half is left.

        At low frequencies the gain is proportional to the square of k, whence t.
        """
        gain = 1 - sphere
        steps = [1 / (n * d) for n, d in zip(grid.shape, grid.voxel_size, strict=True)]
        first = float(gain[1, 0, 0]), float(gain[0, 1, 0]), float(gain[0, 0, 1])
        least = np.mean([g / k**2 for g, k in zip(first, steps, strict=True)]) / wavelength**2
        return cls(gain / (gain**2 + np.float32(least**2)))

    def __call__(self, high_pass: Volume) -> Volume:
        """Divide the filter out of a volume."""
        return convolve(high_pass, self.inverse)

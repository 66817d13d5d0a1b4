"""Background removal by spheres of varying radius."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.background.spheres import divide_out, fits_inside
from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import sphere_kernel
from bidsqsm.qsm.window import Window

LOGGER = logging.getLogger(__name__)


def vsharp(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    max_radius: Annotated[float, Between(0, 100)] = 12.0,
    min_radius: Annotated[float, Between(0, 100)] = 1.0,
    step: Annotated[float, Between(0, 100)] = 1.0,
    threshold: Annotated[float, Between(0, 1)] = 0.05,
) -> tuple[Volume, Mask]:
    r"""Variable-radius sophisticated harmonic artefact reduction (V-SHARP).

    The background field is harmonic inside the mask, so its mean over a sphere is its value at
    the centre, and the difference of the two holds the local field alone [schweser2011]_:

    .. math:: (\delta - s_R) * f = (\delta - s_R) * f_{local}

    Each voxel takes the largest sphere that fits in the mask [wu2012]_; the largest sphere of all
    is then divided out in k-space, where :math:`|1 - S_R(k)|` exceeds a threshold.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    max_radius
        Radius of the largest sphere, in mm.
    min_radius
        Radius of the smallest sphere, in mm; the longest voxel edge where that is more.
    step
        Difference between two radii, in mm.
    threshold
        Floor of :math:`|1 - S_R(k)|` below which a frequency is dropped (dimensionless).

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels in which the smallest sphere fits.

    References
    ----------
    .. [schweser2011] Schweser et al., NeuroImage 54:2789-2807 (2011).
       doi:10.1016/j.neuroimage.2010.10.070
    .. [wu2012] Wu et al., Magn Reson Med 67:137-147 (2012). doi:10.1002/mrm.23000

    """
    window = Window.around(mask, grid, max_radius)
    smallest = max(min_radius, *grid.voxel_size)
    radii = np.arange(max(max_radius, smallest), smallest - 1e-6, -step)
    if radii[-1] > smallest + 1e-6:
        radii = np.append(radii, smallest)

    high_pass, remains, largest = _high_pass(window.cut(field), window, radii)
    if largest is None:
        raise ValueError(
            f'no sphere of {smallest:g} mm fits in the mask: give a larger mask or smaller voxels'
        )
    local = divide_out(high_pass, largest, threshold)
    left = window.restore(remains)
    LOGGER.info('vsharp: %d of %d voxels of the mask remain', left.sum(), mask.sum())
    return window.restore(local, left), left


def _high_pass(field: Volume, window: Window, radii: Volume) -> tuple[Volume, Mask, Volume | None]:
    """Subtract from each voxel the mean over the largest sphere that fits in the mask.

    Also returns the voxels in which any sphere fits and the spectrum of the largest that did.
    """
    inside = window.cut_mask()
    remains = np.zeros_like(inside)
    high_pass = np.zeros_like(field)
    largest = None
    field_spectrum = fft.rfftn(field)
    mask_spectrum = fft.rfftn(inside.astype(np.float32))
    for radius in radii:
        sphere = sphere_kernel(window.grid, radius)
        fits = fits_inside(sphere, inside, mask_spectrum)
        fits &= ~remains
        if not fits.any():
            continue
        largest = sphere if largest is None else largest
        mean = fft.irfftn(sphere * field_spectrum, s=field.shape, overwrite_x=True)
        np.subtract(field, mean, where=fits, out=high_pass)
        remains |= fits
    return high_pass, remains, largest

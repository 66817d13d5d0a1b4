"""Data terms blind to the background: the field less its mean over spheres of several radii."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.modelled_fields import DataTerm
from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.kernels import dipole_kernel, fits_inside, sphere_kernel
from bidsqsm.qsm.window import Window


def radii_of_bank(max_radius: float, count: int, voxel_size: Triple) -> list[float]:
    """Radii in mm from the largest down to the longest voxel edge, each the same share of the last."""
    smallest = max(voxel_size)
    if max_radius <= smallest:
        return [smallest]
    return [float(r) for r in np.geomspace(max_radius, smallest, max(count, 2))]


def sphere_terms(
    field: Volume,
    trust: Volume,
    mask: Mask,
    window: Window,
    radii: list[float],
    *,
    mu: float,
    error: Volume | None = None,
) -> list[DataTerm]:
    r"""One term for each radius: :math:`(\delta - s_r) * D\chi` is that of the field, at its voxels.

    A voxel belongs to the largest sphere around it that lies in the mask.

    Parameters
    ----------
    field, trust, mask : (nx, ny, nz) arrays
        Total field in ppm, weight of the data and voxels where the field is known, all in the
        window.
    window
        Grid of the padded window.
    radii
        In mm, descending.
    mu
        Penalty of the splits of the data (dimensionless).
    error : (nx, ny, nz // 2 + 1) float32 array, optional
        Power of an error of the field that is not susceptibility, over that of its white noise.

    Returns
    -------
    terms
        Those that have voxels.

    """
    grid = window.grid
    dipole, spectrum = dipole_kernel(grid), fft.rfftn(field)
    of_mask = fft.rfftn(mask.astype(np.float32))
    free, terms = mask.copy(), []
    for radius in radii:
        sphere = sphere_kernel(grid, radius)
        fits = free & fits_inside(sphere, mask, of_mask)
        if fits.any():
            free &= ~fits
            mean = fft.irfftn(sphere * spectrum, s=grid.shape, overwrite_x=True)
            data, weight = (np.where(fits, a, np.float32(0)) for a in (field - mean, trust))
            less = 1 - sphere
            seen = None if error is None else error * less**2
            terms.append(DataTerm(less * dipole, LeastSquares(data, weight, mu), seen))
    if not terms:
        raise ValueError(
            f'no sphere of {radii[-1]:g} mm fits in the mask: give a larger mask or smaller voxels'
        )
    return terms

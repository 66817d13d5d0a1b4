"""Background removal by a sphere of one radius, undone by regularised least squares."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.background.spheres import sphere_that_fits
from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.window import Window


def resharp(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    radius: Annotated[float, Between(0, 100)] = 5.0,
    weight: Annotated[float, Between(0, 10)] = 1e-4,
    residual_tol: Annotated[float, Between(0, 1)] = 1e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
) -> tuple[Volume, Mask]:
    r"""Regularisation-enabled SHARP (RESHARP).

    As in SHARP, one less the mean over a sphere, :math:`H = \delta - s_R`, takes the harmonic
    background field to zero wherever the sphere fits in the mask, :math:`M_R`. Of all local
    fields that agree there, the smallest is taken [sun2014]_:

    .. math:: \min_x \| M_R H (x - f) \|_2^2 + \lambda \|x\|_2^2

    Solved by conjugate gradients for :math:`u = (H^2 + \lambda)^{1/2} x`, which k-space makes
    nearly orthogonal.

    Stops early by design, at ``residual_tol``: the first step is all but the solution as it were if
    the field were known everywhere, and later ones take away more and more of what varies slowly, as a
    larger weight does.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    radius
        Radius of the sphere, in mm; the longest voxel edge where that is more.
    weight
        Regularisation weight :math:`\lambda`, dimensionless; more of it takes away more of what
        varies slowly.
    residual_tol
        Relative residual at which to stop.
    max_iter
        Iterations after which to stop regardless.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels in which the sphere fits.

    References
    ----------
    .. [sun2014] Sun and Wilman, Magn Reson Med 71:1151-1157 (2014). doi:10.1002/mrm.24765

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = resharp(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (1376, 0.0)

    """
    window = Window.around(mask, grid, 2 * max(radius, *grid.voxel_size))
    sphere, fits = sphere_that_fits(window, radius)
    high_pass = 1 - sphere
    known = convolve(window.cut(field), high_pass)
    known *= fits
    # x = (H^2 + lambda)^-1/2 u: with all of space known the operator would be the identity
    easier = 1 / np.sqrt(high_pass**2 + np.float32(weight))
    gain, penalty = high_pass * easier, np.float32(weight) * easier**2

    def operator(u: Volume) -> Volume:
        spectrum = fft.rfftn(u)
        misfit = fft.irfftn(spectrum * gain, s=u.shape, overwrite_x=True)
        misfit *= fits
        spectrum *= penalty
        spectrum += gain * fft.rfftn(misfit)
        image: Volume = fft.irfftn(spectrum, s=u.shape, overwrite_x=True)
        return image

    # (H M_R H + lambda) x = H M_R H f, in terms of u
    solution = conjugate_gradients(
        operator, convolve(known, gain), tol=residual_tol, max_iter=max_iter, name='resharp'
    )
    left = window.restore(fits)
    return window.restore(convolve(solution, easier), left), left

"""Background removal by the Laplacian that the field must have outside the mask."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, sphere_kernel
from bidsqsm.qsm.krylov import least_squares
from bidsqsm.qsm.multigrid import compact_stencil, minus_laplacian
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.window import Window

VOLUME_AXES = (0, 1, 2)


def harperella(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    radius: Annotated[float, Between(0, 100)] = 10.0,
    padding: Annotated[float, From(0, 500)] = 20.0,
    gradient_tol: Annotated[float, Between(0, 1)] = 1e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
) -> tuple[Volume, Mask]:
    r"""Harmonic phase removal using the Laplacian (HARPERELLA).

    The Laplacian of a background field is zero inside the mask, so that of the total field there,
    :math:`l_I`, is that of the local field. What is missing is the Laplacian outside. It is
    chosen such that the field made from both has the smallest means over a large sphere inside
    the mask [li2014]_:

    .. math:: f_{local} = \nabla^{-2} (l_I + l_E), \quad
       \min_{l_E} \| M \, s_R * \nabla^{-2} (l_I + l_E) \|_2^2

    The original unwraps as well: it takes the Laplacian from wrapped phase, as
    :math:`\cos\varphi \nabla^2 \sin\varphi - \sin\varphi \nabla^2 \cos\varphi`, with differences that are
    blind to whole turns. Here it is that of the total field, which is the same wherever phase was
    unwrapped without error, and which has the noise of all echoes together. The Laplacian is the
    19-point one in mm, also where it is inverted.

    Stops early by design, at ``gradient_tol`` or after ``max_iter`` steps: the means over spheres fall
    ever further, since the Laplacian outside can explain slow changes of the local field as well.

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
    padding
        Margin around the box of the mask, in mm, where the Laplacian is free as well.
    gradient_tol
        Share of its first size to which the gradient of the cost must fall.
    max_iter
        Iterations after which to stop regardless.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels where the Laplacian of the total field is known: all neighbours are in the mask.

    References
    ----------
    .. [li2014] Li et al., NMR Biomed 27:219-227 (2014). doi:10.1002/nbm.3056

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = harperella(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (2344, 0.6)

    """
    window = Window.around(mask, grid, max(padding, *(2 * d for d in grid.voxel_size)))
    # the margin lies behind the box; a voxel of it must come before as well
    total: Volume = np.roll(window.cut(field), (1, 1, 1), VOLUME_AXES)
    inside: Mask = np.roll(window.cut_mask(), (1, 1, 1), VOLUME_AXES)
    known = inner_voxels(inside, diagonal=True)
    if not known.any():
        raise ValueError('no voxel of the mask has all its neighbours in it: give a larger mask')
    free = ~known
    right = np.zeros_like(total)
    minus_laplacian(total, known.view(np.uint8), compact_stencil(grid.voxel_size), right)
    # l_I plus a constant outside: on a periodic grid a Laplacian sums to zero
    right -= free * np.float32(right.sum(dtype=np.float64) / free.sum())
    poisson = _inverse_laplacian(window.grid)
    # s_R * grad^-2 in one kernel
    means = poisson * sphere_kernel(window.grid, max(radius, *grid.voxel_size))

    def forward(sources: Volume) -> Volume:
        smooth = convolve(sources, means)
        smooth *= known
        return smooth

    def adjoint(misfit: Volume) -> Volume:
        # a periodic field has a Laplacian that sums to zero
        sources = convolve(misfit, means)
        sources *= free
        sources -= free * np.float32(sources.sum(dtype=np.float64) / free.sum())
        return sources

    # l_E: Laplacian outside that makes the spherical means of the field inside smallest
    outside = least_squares(
        forward, adjoint, -forward(right), tol=gradient_tol, max_iter=max_iter, name='harperella'
    )
    local: Volume = np.roll(convolve(right + outside, poisson), (-1, -1, -1), VOLUME_AXES)
    remains: Mask = np.roll(known, (-1, -1, -1), VOLUME_AXES)
    left = window.restore(remains)
    return window.restore(local, left), left


def _inverse_laplacian(grid: Grid) -> Volume:
    """One over the spectrum of minus the 19-point Laplacian, in mm^2; zero at k = 0."""
    centre, *pairs = compact_stencil(grid.voxel_size).astype(float)
    x, y, z = (
        2 * np.cos(2 * np.pi * k.astype(float) * d)
        for k, d in zip(grid.frequencies(), grid.voxel_size, strict=True)
    )
    terms = x, y, z, x * y, x * z, y * z
    gain = -centre - sum(share * term for share, term in zip(pairs, terms, strict=True))
    gain[0, 0, 0] = np.inf
    inverse: Volume = (1 / gain).astype(np.float32)
    return inverse

"""Background removal by projection onto dipole fields."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.krylov import least_squares
from bidsqsm.qsm.window import Window


def pdf(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    gradient_tol: Annotated[float, From(0, 1)] = 5e-4,
    max_iter: Annotated[int, Between(0, 10000)] = 150,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> tuple[Volume, Mask]:
    r"""Projection onto dipole fields (PDF).

    The field inside the mask is fitted by that of sources outside of it [liu2011]_, to which the
    field of sources inside is nearly orthogonal, and the fit is taken off:

    .. math:: \min_{\chi} \tfrac12 \|W (f - D \bar M \chi)\|_2^2,
       \quad f_{local} = f - D \bar M \chi

    Solved by conjugate gradients for least squares. Stops early by design, at ``gradient_tol`` or after
    ``max_iter`` steps: the fit has no limit of its own but the noise, as sources just outside the
    edge can explain any field just inside of it. Of a field from outside alone, in a simulated head
    at 2 mm, 60 steps leave 0.12 of the local field's standard deviation, 150 leave 0.05 and 300
    leave 0.02, while ever more is lost of the local field at the edge.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise, zero where it is unknown. All ones if not
        given.
    gradient_tol
        Share of its first size to which the gradient of the cost must fall.
    max_iter
        Iterations after which to stop regardless.
    padding
        Margin around the box of the mask, in mm, which may hold sources.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask.
    mask : (nx, ny, nz) bool array
        The mask, unchanged.

    References
    ----------
    .. [liu2011] Liu et al., NMR Biomed 24:1129-1136 (2011). doi:10.1002/nbm.1670

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = pdf(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (3648, 0.5)

    """
    window = Window.around(mask, grid, padding)
    total = window.cut(field)
    weight = window.data_weight(weight_map)
    # 1 - M: sources inside the mask would explain the local field as well
    outside = ~window.cut_mask()
    kernel = dipole_kernel(window.grid)

    def forward(sources: Volume) -> Volume:
        field = convolve(sources, kernel)
        field *= weight
        return field

    def adjoint(misfit: Volume) -> Volume:
        sources = convolve(weight * misfit, kernel)
        sources *= outside
        return sources

    # stopped early: late steps fit sources just outside the rim to the local field just inside
    chi = least_squares(
        forward, adjoint, weight * total, tol=gradient_tol, max_iter=max_iter, name='pdf'
    )
    return window.restore(total - convolve(chi, kernel)), mask.copy()

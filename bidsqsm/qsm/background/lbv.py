"""Background removal by Laplace's equation with boundary values."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.multigrid import (
    compact_stencil,
    continue_outwards,
    cycle,
    hierarchy,
    minus_laplacian,
)
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.window import Window


def lbv(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    peel: Annotated[int, From(0, 100)] = 0,
    residual_tol: Annotated[float, Between(0, 1)] = 1e-4,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
) -> tuple[Volume, Mask]:
    r"""Laplacian boundary value method (LBV).

    The background field is harmonic inside the mask. On the edge of the mask, where it outweighs
    the local field, it is taken to be the whole field [zhou2014]_, which leaves

    .. math:: \nabla^2 f_{local} = \nabla^2 f \text{ inside}, \quad f_{local} = 0 \text{ on the edge}

    with a 19-point Laplacian in mm of fourth order for harmonic fields, solved by conjugate
    gradients with a multigrid cycle as preconditioner.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    peel
        Layers of voxels to take off the mask first, where its edge is noisy.
    residual_tol
        Relative residual at which to stop.
    max_iter
        Iterations after which to stop regardless.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        The mask without its outermost layer, on which the local field was set to zero.

    References
    ----------
    .. [zhou2014] Zhou et al., NMR Biomed 27:312-319 (2014). doi:10.1002/nbm.3064

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = lbv(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (2752, 0.2)

    """
    window = Window.around(mask, grid, margin=0)
    inside = np.pad(window.mask[window.box], 1)
    for _ in range(peel):
        inside = inner_voxels(inside)
    interior = inner_voxels(inside)
    if not interior.any():
        raise ValueError(
            f'nothing is left of the mask after {peel + 1} layers: give a larger mask or less peel'
        )
    total = np.pad(window.cut(field)[window.inside], 1)
    wider = np.zeros_like(total)
    # on the rim the 19 points reach diagonally beyond the mask, where no field was measured
    continue_outwards(total, inside, wider)
    levels = hierarchy(interior, grid.voxel_size)
    top, stencil = levels[0], compact_stencil(grid.voxel_size)
    right, image = np.zeros_like(total), np.zeros_like(total)
    # minus the Laplacian of f, which is that of the local field: the background has none
    minus_laplacian(wider, top.domain, stencil, right)

    def operator(x: Volume) -> Volume:
        minus_laplacian(x, top.domain, stencil, image)
        return image

    # the Laplacian's condition grows with the square of the width; a V-cycle takes that away
    def precondition(residual: Volume) -> Volume:
        np.copyto(top.right, residual)
        cycle(levels)
        return top.x

    local = conjugate_gradients(
        operator, right, tol=residual_tol, max_iter=max_iter, precondition=precondition, name='lbv'
    )
    left = np.zeros_like(mask)
    left[window.box] = interior[1:-1, 1:-1, 1:-1]
    out = np.zeros(mask.shape, np.float32)
    out[window.box] = local[1:-1, 1:-1, 1:-1]
    return out, left

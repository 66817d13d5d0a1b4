"""Joint inversion of the fields of several orientations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.joint.normal_equations import NormalEquations
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.window import Window


def cosmos(
    fields: Sequence[Volume],
    masks: Sequence[Mask],
    grid: Grid,
    b0_directions: Sequence[Triple],
    *,
    weight_maps: Sequence[Volume] | None = None,
    weight: Annotated[float, Between(0, 1)] = 5e-3,
    outside: Annotated[float, Between(0, 1e6)] = 0.1,
    residual_tol: Annotated[float, Between(0, 1)] = 1e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 200,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Calculation of susceptibility through multiple orientation sampling (COSMOS).

    The head, turned in the main field, is seen through kernels whose zeros lie elsewhere, so that
    three or more orientations determine the map without a prior [liu2009]_:

    .. math:: \min_{\chi, e} \sum_i \|W_i (D_i (\chi + e_i) - f_i)\|_2^2
        + \lambda \|\chi\|_2^2 + \lambda_e \sum_i \|e_i\|_2^2

    The sources :math:`e_i` lie outside the mask and are each orientation's own: they take up what is
    harmonic inside it, which the removal of the background leaves differently in every
    orientation. Solved by conjugate gradients; what would be the closed form without weights,
    masks and e, :math:`\sum_i D_i f_i / (\sum_i D_i^2 + \lambda)`, is the preconditioner.

    Parameters
    ----------
    fields : sequence of (nx, ny, nz) float32 arrays
        Local field of each orientation, in ppm, all registered to one grid.
    masks : sequence of (nx, ny, nz) bool arrays
        Voxels where each field is trusted.
    grid
        Voxel size; its field direction is not used.
    b0_directions
        Unit vector of the main field of each orientation, in axes of the common grid.
    weight_maps : sequence of (nx, ny, nz) float32 arrays, optional
        Trust :math:`W_i` in each field, scaled to a mean of one where it is not zero.
    weight
        Regularisation weight :math:`\lambda`, dimensionless; keeps bounded what no orientation
        sees well.
    outside
        Regularisation weight outside the mask, as a share of that inside: :math:`\lambda_e` over
        :math:`\lambda`. Small for fields whose background was removed, 1000 or more for fields
        that are free of such errors.
    residual_tol
        Relative residual at which to stop, that of the normal equations.
    max_iter
        Iterations after which to stop regardless.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant; zero where not all orientations are trusted.

    References
    ----------
    .. [liu2009] Liu et al., Magn Reson Med 61:196-204 (2009). doi:10.1002/mrm.21828

    Examples
    --------
    >>> from dataclasses import replace
    >>> from bidsqsm.qsm.forward import field_of
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> directions = [(0.0, 0.0, 1.0), (0.6, 0.0, 0.8), (0.0, 0.8, 0.6)]
    >>> grids = [replace(sphere.grid, b0_direction=b0) for b0 in directions]
    >>> fields = [field_of(sphere.chi, sphere.mask, grid) for grid in grids]
    >>> chi = cosmos(fields, [sphere.mask] * 3, sphere.grid, directions)
    >>> 0.35 < sphere.contrast(chi) < 0.5
    True

    """
    _check(fields, masks, b0_directions)
    window = Window.around(np.logical_or.reduce(masks), grid, padding)
    common = np.logical_and.reduce(masks)
    if not common.any():
        raise ValueError('the masks have no voxel in common: check the registration')
    kernels = [dipole_kernel(replace(window.grid, b0_direction=b)) for b in b0_directions]
    trust = masks if weight_maps is None else weight_maps
    squares = [
        window.data_weight(np.where(mask, known, 0).astype(np.float32)) ** 2
        for mask, known in zip(masks, trust, strict=True)
    ]
    data = [window.cut(np.where(m, f, np.float32(0))) for f, m in zip(fields, masks, strict=True)]
    inside = window.cut_mask()
    # chi lives inside, each e_i outside the mask
    places = [inside, *(~inside for _ in masks)]
    normal = NormalEquations(kernels, squares, places, (weight, weight * outside))
    # (sum_i A_i^H W_i^2 A_i + lambda) x = sum_i A_i^H W_i^2 f_i, where A_i x = D_i (chi + e_i)
    found = conjugate_gradients(
        normal,
        normal.pull([w * f for w, f in zip(squares, data, strict=True)]),
        tol=residual_tol,
        max_iter=max_iter,
        precondition=normal.precondition,
        name='cosmos',
    )
    return window.restore(found[: window.grid.shape[0]], common)


def _check(
    fields: Sequence[Volume], masks: Sequence[Mask], b0_directions: Sequence[Triple]
) -> None:
    if not len(fields) == len(masks) == len(b0_directions) >= 3:
        raise ValueError(
            f'COSMOS got {len(fields)} fields, {len(masks)} masks and {len(b0_directions)} field '
            'directions, expected three or more of each: give further orientations'
        )

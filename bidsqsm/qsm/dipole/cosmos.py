"""Joint inversion of the fields of several orientations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
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
    weight: Annotated[float, Between(0, 1)] = 3e-3,
    tol: Annotated[float, Between(0, 1)] = 1e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
    padding: Annotated[float, Between(-1e-9, 500)] = 20.0,
) -> Volume:
    r"""Calculation of susceptibility through multiple orientation sampling (COSMOS).

    The head, turned in the main field, is seen through kernels whose zeros lie elsewhere, so that
    three or more orientations determine the map without a prior [liu2009]_:

    .. math:: \min_\chi \sum_i \|W_i (D_i\chi - f_i)\|_2^2 + \lambda \|\chi\|_2^2

    Without weights the minimum has a closed form,
    :math:`\sum_i D_i f_i / (\sum_i D_i^2 + \lambda)`. It is where conjugate gradients start, and
    its denominator is their preconditioner.

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
        Regularisation weight :math:`\lambda` (dimensionless); keeps bounded what no orientation
        sees well.
    tol
        Share of its start to which the residual of the normal equations has to fall.
    max_iter
        Iterations after which to stop regardless.
    padding
        Zero margin against circular wrap, in mm.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant; zero where not all orientations are trusted.

    References
    ----------
    .. [liu2009] Liu et al., Magn Reson Med 61:196-204 (2009). doi:10.1002/mrm.21828

    """
    _check(fields, masks, b0_directions)
    window = Window.around(np.logical_or.reduce(masks), grid, padding)
    common = np.logical_and.reduce(masks)
    if not common.any():
        raise ValueError('the masks have no voxel in common: check the registration')
    kernels = [dipole_kernel(replace(window.grid, b0_direction=b)) for b in b0_directions]
    squares = [
        window.data_weight(np.where(mask, 1 if maps is None else maps, 0).astype(np.float32)) ** 2
        for mask, maps in zip(masks, weight_maps or [None] * len(masks), strict=True)
    ]
    data = [window.cut(np.where(m, f, np.float32(0))) for f, m in zip(fields, masks, strict=True)]
    solver = _Normal(kernels, squares, np.float32(weight))
    start = solver.closed_form(data)
    residual = solver.pull([w * f for w, f in zip(squares, data, strict=True)])
    residual -= solver(start)
    start += conjugate_gradients(
        solver,
        residual,
        tol=tol,
        max_iter=max_iter,
        precondition=solver.precondition,
        name='cosmos',
    )
    return window.restore(start, common)


class _Normal:
    """The normal equations: sum_i D_i W_i^2 D_i + lambda."""

    def __init__(
        self, kernels: Sequence[Volume], squares: Sequence[Volume], weight: np.float32
    ) -> None:
        self._kernels, self._squares, self._weight = kernels, squares, weight
        self._shape = squares[0].shape
        self._power = np.full_like(kernels[0], weight)
        for kernel in kernels:
            self._power += kernel**2

    def __call__(self, chi: Volume) -> Volume:
        spectrum = fft.rfftn(chi)
        fields = (self._inverse(kernel * spectrum) for kernel in self._kernels)
        pulled = self.pull(w * f for w, f in zip(self._squares, fields, strict=True))
        pulled += self._weight * chi
        return pulled

    def pull(self, fields) -> Volume:  # type: ignore[no-untyped-def]
        """Sum of D_i fields_i."""
        total = sum(k * fft.rfftn(f) for k, f in zip(self._kernels, fields, strict=True))
        return self._inverse(total)

    def closed_form(self, fields: Sequence[Volume]) -> Volume:
        """The minimum where every field is known everywhere."""
        return self.precondition(self.pull(fields))

    def precondition(self, residual: Volume) -> Volume:
        return self._inverse(fft.rfftn(residual) / self._power)

    def _inverse(self, spectrum: Volume) -> Volume:
        volume: Volume = fft.irfftn(spectrum, s=self._shape)
        return volume


def _check(
    fields: Sequence[Volume], masks: Sequence[Mask], b0_directions: Sequence[Triple]
) -> None:
    if not len(fields) == len(masks) == len(b0_directions) >= 3:
        raise ValueError(
            f'COSMOS got {len(fields)} fields, {len(masks)} masks and {len(b0_directions)} field '
            'directions, expected three or more of each: give further orientations'
        )

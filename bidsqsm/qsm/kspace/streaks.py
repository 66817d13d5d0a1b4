"""Streaking artefacts, found where the map should be flat."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.kernels import convolve
from bidsqsm.qsm.krylov import least_squares
from bidsqsm.qsm.operators import gradient, laplacian_spectrum, minus_divergence


def flatness(guide: Volume, mask: Mask, grid: Grid, shares: tuple[float, float]) -> Volume:
    """Where a map that shows the borders of tissues is flat along each axis.

    Parameters
    ----------
    guide : (nx, ny, nz) float32 array
        The map; its unit does not matter.
    mask : (nx, ny, nz) bool array
        Voxels that count; differences to voxels outside of it do not.
    grid
        Voxel size.
    shares
        Of the voxels, sorted by the size of the difference along an axis, those before the first
        share are flat, those after the second are borders.

    Returns
    -------
    flatness : (3, nx, ny, nz) float32 array
        From one, flat, to zero, a border or outside the mask.

    """
    slopes = np.abs(gradient(guide, grid.voxel_size))
    flat = np.zeros_like(slopes)
    for axis in range(3):
        within = mask & np.roll(mask, -1, axis)
        if within.any():
            low, high = np.quantile(slopes[axis][within], shares)
            flat[axis] = within * np.clip((high - slopes[axis]) / max(high - low, 1e-20), 0, 1)
    return flat


@kernel()
def _weigh(slopes: Volume, weights: Volume) -> None:
    for i in nb.prange(slopes.shape[0]):
        slopes[i] *= weights[i]


def streaks(
    chi: Volume, cone: Mask, flat: Volume, grid: Grid, *, tol: float, max_iter: int, name: str
) -> Volume:
    r"""What makes flat places of a map uneven and has its spectrum in the cone alone.

    .. math:: \min_s \|W_G \nabla (\chi - s)\|_2^2, \quad s(k) = 0 \text{ outside the cone}

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        The map, in any unit.
    cone : (nx, ny, nz // 2 + 1) bool array
        The part of k-space where the streaks are.
    flat : (3, nx, ny, nz) float32 array
        :math:`W_G`, of :func:`flatness`.
    grid
        The padded grid.
    tol
        Share of its first size to which the gradient of the cost must fall.
    max_iter
        Iterations after which to stop regardless.
    name
        Under which name to log the end.

    Returns
    -------
    streaks : (nx, ny, nz) float32 array
        In the unit of the map.

    """
    nx, ny, nz = grid.shape
    stacked = 3 * nx, ny, nz
    weights = flat.reshape(stacked)
    # unknowns are scaled so that all waves of the cone have gradients of one size
    whole = laplacian_spectrum(grid)
    whole[0, 0, 0] = np.inf
    scaled = cone / np.sqrt(whole)

    def slopes(x: Volume) -> Volume:
        result = gradient(x, grid.voxel_size).reshape(stacked)
        _weigh(result, weights)
        return result

    def forward(x: Volume) -> Volume:
        return slopes(convolve(x, scaled))

    def adjoint(y: Volume) -> Volume:
        weighted = (y * weights).reshape(flat.shape)
        return convolve(minus_divergence(weighted, grid.voxel_size), scaled)

    found = least_squares(forward, adjoint, slopes(chi), tol=tol, max_iter=max_iter, name=name)
    return convolve(found, scaled)

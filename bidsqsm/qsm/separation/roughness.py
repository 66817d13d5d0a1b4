"""Roughness of several maps: total variation, quadratic below an edge."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel


def add_roughness(
    maps: Volume, mask: Mask, per_mm: Volume, weight: np.float32, edge: np.float32, out: Volume
) -> None:
    """Add the gradient of the roughness of each map to ``out``.

    The roughness is the sum, over the voxels, of the length of the gradient less half of ``edge``;
    where the length is below ``edge``, of its square over twice ``edge``. The square of the length is
    the mean square of the differences to the two neighbours along each axis, summed over the axes, so
    that no end of an axis comes first.

    Parameters
    ----------
    maps : (n, nx, ny, nz) float32 array
        Maps.
    mask : (nx, ny, nz) bool array
        Differences are taken between its voxels.
    per_mm : (3,) float32 array
        One over the voxel size, in 1/mm.
    weight
        Factor of what is added.
    edge
        In units of the maps per mm.
    out : (n, nx, ny, nz) float32 array
        What is added to.

    """
    over = np.empty(mask.shape, np.float32)
    for volume, total in zip(maps, out, strict=True):
        _inverse_length(volume, mask, per_mm, edge, over)
        _add_flux(volume, mask, per_mm, over, weight, total)


@kernel()
def _inverse_length(x: Volume, mask: Mask, per_mm: Volume, edge: np.float32, out: Volume) -> None:
    # one over the length of the gradient, or over the edge where that is longer
    nx, ny, nz = mask.shape
    half = np.float32(0.5)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                square = np.float32(0)
                if mask[i, j, k]:
                    here = x[i, j, k]
                    for side in (-1, 1):
                        a, b, c = i + side, j + side, k + side
                        if 0 <= a < nx and mask[a, j, k]:
                            square += half * (per_mm[0] * (x[a, j, k] - here)) ** 2
                        if 0 <= b < ny and mask[i, b, k]:
                            square += half * (per_mm[1] * (x[i, b, k] - here)) ** 2
                        if 0 <= c < nz and mask[i, j, c]:
                            square += half * (per_mm[2] * (x[i, j, c] - here)) ** 2
                out[i, j, k] = np.float32(1) / max(np.sqrt(square), edge)


@kernel()
def _add_flux(
    x: Volume, mask: Mask, per_mm: Volume, over: Volume, weight: np.float32, out: Volume
) -> None:
    # a difference is part of the gradient of two voxels, half of its square of each
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if mask[i, j, k]:
                    here, own = x[i, j, k], over[i, j, k]
                    total = np.float32(0)
                    for side in (-1, 1):
                        a, b, c = i + side, j + side, k + side
                        if 0 <= a < nx and mask[a, j, k]:
                            total += per_mm[0] ** 2 * (own + over[a, j, k]) * (here - x[a, j, k])
                        if 0 <= b < ny and mask[i, b, k]:
                            total += per_mm[1] ** 2 * (own + over[i, b, k]) * (here - x[i, b, k])
                        if 0 <= c < nz and mask[i, j, c]:
                            total += per_mm[2] ** 2 * (own + over[i, j, c]) * (here - x[i, j, c])
                    out[i, j, k] += np.float32(0.5) * weight * total

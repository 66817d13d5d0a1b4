"""Roughness of several maps: total variation, quadratic below an edge."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numba.extending import register_jitable

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel


@register_jitable
def _flux(v: Any, mask: Any, i: Any, j: Any, k: Any, per_mm: Any, edge: Any, out: Any) -> None:
    # forward differences over the longer of their norm and the edge; none across the mask's border
    nx, ny, nz = mask.shape
    out[:] = 0
    if not mask[i, j, k]:
        return
    here = v[i, j, k]
    if i + 1 < nx and mask[i + 1, j, k]:
        out[0] = per_mm[0] * (v[i + 1, j, k] - here)
    if j + 1 < ny and mask[i, j + 1, k]:
        out[1] = per_mm[1] * (v[i, j + 1, k] - here)
    if k + 1 < nz and mask[i, j, k + 1]:
        out[2] = per_mm[2] * (v[i, j, k + 1] - here)
    over = np.float32(1) / max(np.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2), edge)
    out[0] *= over
    out[1] *= over
    out[2] *= over


@kernel()
def add_roughness(
    maps: Volume, mask: Mask, per_mm: Volume, weight: np.float32, edge: np.float32, out: Volume
) -> None:
    """Add the gradient of the roughness of each map to ``out``.

    The roughness is the sum, over the voxels, of the length of the gradient less half of ``edge``;
    where the length is below ``edge``, of its square over twice ``edge``.

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
    for i in nb.prange(mask.shape[0]):
        flux = np.empty(3, np.float32)
        for j in range(mask.shape[1]):
            for k in range(mask.shape[2]):
                if mask[i, j, k]:
                    for m in range(maps.shape[0]):
                        _flux(maps[m], mask, i, j, k, per_mm, edge, flux)
                        total = -(per_mm[0] * flux[0] + per_mm[1] * flux[1] + per_mm[2] * flux[2])
                        if i > 0:
                            _flux(maps[m], mask, i - 1, j, k, per_mm, edge, flux)
                            total += per_mm[0] * flux[0]
                        if j > 0:
                            _flux(maps[m], mask, i, j - 1, k, per_mm, edge, flux)
                            total += per_mm[1] * flux[1]
                        if k > 0:
                            _flux(maps[m], mask, i, j, k - 1, per_mm, edge, flux)
                            total += per_mm[2] * flux[2]
                        out[m, i, j, k] += weight * total

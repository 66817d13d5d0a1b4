"""Grids of half the voxel size, and back: means and majorities of eight sub-voxels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel

Labels = npt.NDArray[np.uint8]


def fine_affine(affine: Volume) -> Volume:
    """Affine of the grid of half the voxel size that fills the same volume."""
    half = np.array(affine, float)
    half[:3, 3] -= half[:3, :3].sum(1) / 4
    half[:3, :3] /= 2
    return half


def mean2(volume: npt.NDArray[Any]) -> Volume:
    """Means over blocks of 2 x 2 x 2, float32."""
    out = np.zeros(tuple(n // 2 for n in volume.shape), np.float32)
    for a in range(2):
        for b in range(2):
            for c in range(2):
                out += volume[a::2, b::2, c::2]
    out /= 8
    return out


def vote(fine: Labels, mask: Mask) -> Labels:
    """Label of most of the eight sub-voxels of each voxel; 0 outside the mask."""
    out = np.zeros(mask.shape, np.uint8)
    _majority(fine, out)
    return np.where(mask, out, 0).astype(np.uint8)


@kernel()
def _majority(fine: Labels, out: Labels) -> None:
    for i in nb.prange(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                best, most = np.uint8(0), 0
                for v in range(8):
                    here = fine[2 * i + v // 4, 2 * j + (v // 2) % 2, 2 * k + v % 2]
                    count = 0
                    for w in range(8):
                        if fine[2 * i + w // 4, 2 * j + (w // 2) % 2, 2 * k + w % 2] == here:
                            count += 1
                    if here > 0 and (count > most or (count == most and here > best)):
                        best, most = here, count
                out[i, j, k] = best


def fine_grid(grid: Grid) -> Grid:
    """Grid of half the voxel size that fills the same volume."""
    (nx, ny, nz), (x, y, z) = grid.shape, grid.voxel_size
    return replace(grid, shape=(2 * nx, 2 * ny, 2 * nz), voxel_size=(x / 2, y / 2, z / 2))

"""Second differences of wrapped phase, and the edges that they rank."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

#: Mean square second difference of random phase
NOISE_BEND_RAD2 = np.float32(2 * np.pi**2 / 3)
FINEST_BEND_RAD = np.float32(0.01)  # rad: bends below are alike


@kernel()
def bends(phase: Volume, mask: Mask, bend: Volume) -> None:
    """Fill ``bend`` with D of each voxel of the mask, in rad (0 straight, about 10 noise)."""
    nx, ny, nz = phase.shape
    turn = np.float32(TURN_RAD)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                bend[i, j, k] = 0
                if not mask[i, j, k]:
                    continue
                total = np.float32(0)
                here = phase[i, j, k]
                for line in range(14, 27):  # half of the 26 neighbours, which come in pairs
                    a, b, c = line // 9 - 1, line // 3 % 3 - 1, line % 3 - 1
                    p, q, r = i + a, j + b, k + c
                    u, v, w = i - a, j - b, k - c
                    inside = 0 <= p < nx and 0 <= q < ny and 0 <= r < nz
                    inside = inside and 0 <= u < nx and 0 <= v < ny and 0 <= w < nz
                    if not (inside and mask[p, q, r] and mask[u, v, w]):
                        total += NOISE_BEND_RAD2
                        continue
                    before = phase[u, v, w] - here
                    before -= turn * np.rint(before / turn)
                    after = here - phase[p, q, r]
                    after -= turn * np.rint(after / turn)
                    total += (before - after) ** 2
                bend[i, j, k] = np.sqrt(total)


def edges_by_rank(bend: Volume, mask: Mask) -> Labels:
    """Weights of the edges towards +x, +y, +z by the sum of 1 / D of their ends.

    Parameters
    ----------
    bend : (nx, ny, nz) float32 array
        D of each voxel, in rad.
    mask : (nx, ny, nz) bool array
        Edges that leave it have no weight.

    Returns
    -------
    edges : (3, nx, ny, nz) uint8 array
        0 no edge; 1 to 255 in equal steps of the logarithm of the sum, between the 0.1st
        percentile of 1 / D and the largest.

    """
    reliability = np.float32(1) / np.maximum(bend, FINEST_BEND_RAD)
    inside = reliability[mask]
    edges = np.zeros((3, *mask.shape), np.uint8)
    if inside.size:
        low, high = np.log(2 * np.percentile(inside, 0.1)), np.log(2 * inside.max())
        step = 254 / max(float(high - low), 1e-6)
        _rank(reliability, mask, np.float32(low), np.float32(step), edges)
    return edges


@kernel()
def _rank(
    reliability: Volume, mask: Mask, low: np.float32, step: np.float32, edges: Labels
) -> None:
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                for axis in range(3):
                    p, q, r = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if p == nx or q == ny or r == nz or not mask[p, q, r]:
                        continue
                    level = np.log(reliability[i, j, k] + reliability[p, q, r]) - low
                    place = min(max(level * step, np.float32(0)), np.float32(254))
                    edges[axis, i, j, k] = 1 + np.uint8(place)

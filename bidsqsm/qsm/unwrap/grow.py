"""Reliability of edges between neighbours, and the growth of a region along the best of them."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numba.extending import register_jitable

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel

TWO_PI = np.float32(2 * np.pi)
PI = np.float32(np.pi)


@register_jitable
def _wrap(angle: Any) -> Any:
    return angle - TWO_PI * np.rint(angle / TWO_PI)


@register_jitable
def _bend(phase: Any, i: Any, j: Any, k: Any, di: Any, dj: Any, dk: Any) -> Any:
    # how straight the phase runs through a voxel: 1 on a line, 0 at a kink of 2 rad or more
    nx, ny, nz = phase.shape
    before = i >= di and j >= dj and k >= dk
    after = i + di < nx and j + dj < ny and k + dk < nz
    if not (before and after):
        return np.float32(0.5)
    kink = phase[i - di, j - dj, k - dk] - 2 * phase[i, j, k] + phase[i + di, j + dj, k + dk]
    return max(np.float32(0), np.float32(1) - abs(_wrap(kink)) * np.float32(0.5))


@kernel()
def edge_weights(
    phase: Volume,
    phase2: Volume,
    ratio: np.float32,
    magnitude: Volume,
    level: np.float32,
    mask: Mask,
    edges: Labels,
    quality: Volume,
) -> None:
    """Fill ``edges`` (0: none, 1 worst .. 255 best) towards +x, +y, +z, and the voxel quality.

    ``ratio`` is the echo time of ``phase`` over that of ``phase2``; ``level`` the magnitude of
    good signal.
    """
    nx, ny, nz = phase.shape
    low, high = np.float32(0.1), np.float32(0.9)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                total = np.float32(0)
                for axis in range(3):
                    di, dj, dk = int(axis == 0), int(axis == 1), int(axis == 2)
                    edges[axis, i, j, k] = 0
                    if not mask[i, j, k]:
                        continue
                    for side in range(2):
                        # side 0: the edge that starts here; side 1: the one that ends here
                        a, b, c = i - side * di, j - side * dj, k - side * dk
                        p, q, r = a + di, b + dj, c + dk
                        if a < 0 or b < 0 or c < 0 or p >= nx or q >= ny or r >= nz:
                            continue
                        if not (mask[a, b, c] and mask[p, q, r]):
                            continue
                        step = _wrap(phase[p, q, r] - phase[a, b, c])
                        step2 = _wrap(phase2[p, q, r] - phase2[a, b, c])
                        agree = np.float32(1) - abs(step - step2 * ratio)
                        straight = _bend(phase, a, b, c, di, dj, dk)
                        straight *= _bend(phase, p, q, r, di, dj, dk)
                        small = min(magnitude[a, b, c], magnitude[p, q, r])
                        big = max(magnitude[a, b, c], magnitude[p, q, r])
                        alike = (small / big) ** 2 if big > 0 else np.float32(0)
                        strong = min(np.float32(1), small / level)
                        weight = low + high * (np.float32(1) - abs(step) / PI)
                        weight *= low + high * max(np.float32(0), agree)
                        weight *= low + high * straight
                        weight *= low + high * alike
                        weight *= low + high * strong
                        total += weight
                        if side == 0:
                            edges[axis, i, j, k] = 1 + np.uint8(np.float32(254) * weight)
                quality[i, j, k] = total / np.float32(6)


@kernel(parallel=False)
def grow(phase: Volume, edges: Labels, seeds: Labels, component: Labels) -> int:
    """Unwrap ``phase`` (flat, in place) along the best edges; every seed's component in turn.

    A region takes the best edge that leaves it, kept in 256 buckets of linked lists; the voxel
    at its far end gets the multiple of 2 pi that brings it nearest to the near end. Writes the
    number of each voxel's component (from 1) and returns how many there are.
    """
    shape = component.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    label = component.reshape(-1)
    n = label.size
    # each edge (axis * n + voxel) is queued once: when the first of its ends is reached
    behind = np.full(3 * n, -1, np.int32)
    head = np.full(256, -1, np.int32)
    count = 0
    for s in range(seeds.size):
        if label[seeds[s]]:
            continue
        count += 1
        fresh = seeds[s]
        label[fresh] = count
        best = 0
        while fresh >= 0:
            for axis in range(3):
                stride = strides[axis]
                weight = edges[axis, fresh]
                if weight > 0 and label[fresh + stride] == 0:
                    edge = axis * n + fresh
                    behind[edge] = head[weight]
                    head[weight] = edge
                    best = max(best, int(weight))
                if fresh >= stride:
                    weight = edges[axis, fresh - stride]
                    if weight > 0 and label[fresh - stride] == 0:
                        edge = axis * n + fresh - stride
                        behind[edge] = head[weight]
                        head[weight] = edge
                        best = max(best, int(weight))
            fresh = -1
            while fresh < 0 and best > 0:
                edge = head[best]
                if edge < 0:
                    best -= 1
                    continue
                head[best] = behind[edge]
                axis = edge // n
                start = edge - axis * n
                end = start + strides[axis]
                if label[start] and label[end]:
                    continue
                if label[end]:
                    start, end = end, start
                phase[end] -= TWO_PI * np.rint((phase[end] - phase[start]) / TWO_PI)
                label[end] = count
                fresh = end
    return count

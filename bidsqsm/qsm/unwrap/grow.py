"""Reliability of edges between neighbours, and the growth of regions along the best of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

PI = np.float32(np.pi)


@register_jitable
def _wrap(angle: Any) -> Any:
    turn = np.float32(TURN_RAD)
    return angle - turn * np.rint(angle / turn)


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


@register_jitable
def _edge(
    phase: Any,
    phase2: Any,
    ratio: Any,
    magnitude: Any,
    level: Any,
    i: Any,
    j: Any,
    k: Any,
    axis: Any,
) -> Any:
    # weight, 0 to 1, of the edge that starts here and goes along one axis
    di, dj, dk = int(axis == 0), int(axis == 1), int(axis == 2)
    p, q, r = i + di, j + dj, k + dk
    low, high = np.float32(0.1), np.float32(0.9)
    step = _wrap(phase[p, q, r] - phase[i, j, k])
    step2 = _wrap(phase2[p, q, r] - phase2[i, j, k])
    agree = np.float32(1) - abs(step - step2 * ratio)
    straight = _bend(phase, i, j, k, di, dj, dk) * _bend(phase, p, q, r, di, dj, dk)
    small = min(magnitude[i, j, k], magnitude[p, q, r])
    big = max(magnitude[i, j, k], magnitude[p, q, r])
    alike = (small / big) ** 2 if big > 0 else np.float32(0)
    strong = min(np.float32(1), small / level)
    # a product of shares, none below 0.1: one poor sign makes an edge late, not useless
    weight = low + high * (np.float32(1) - abs(step) / PI)
    weight *= low + high * max(np.float32(0), agree)
    weight *= low + high * straight
    weight *= low + high * alike
    return weight * (low + high * strong)


@kernel(parallel=False)
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
    # weights of the edges that end in this plane, this row and this voxel
    plane = np.zeros((ny, nz), np.float32)
    row = np.zeros(nz, np.float32)
    for i in range(nx):
        for k in range(nz):
            row[k] = 0
        for j in range(ny):
            last = np.float32(0)
            for k in range(nz):
                total = plane[j, k] + row[k] + last
                last = np.float32(0)
                plane[j, k] = 0
                row[k] = 0
                for axis in range(3):
                    edges[axis, i, j, k] = 0
                    p, q, r = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if p == nx or q == ny or r == nz:
                        continue
                    if not (mask[i, j, k] and mask[p, q, r]):
                        continue
                    weight = _edge(phase, phase2, ratio, magnitude, level, i, j, k, axis)
                    # a byte is enough to sort by, which then takes one pass over 255 heaps
                    edges[axis, i, j, k] = 1 + np.uint8(np.float32(254) * weight)
                    total += weight
                    if axis == 0:
                        plane[j, k] = weight
                    elif axis == 1:
                        row[k] = weight
                    else:
                        last = weight
                quality[i, j, k] = total / np.float32(6)


@register_jitable
def _root(voxel: Any, parent: Any, turns: Any) -> Any:
    # root of a voxel's tree and the turns between the two; halves the way for the next visit
    total = 0
    above = parent[voxel]
    while above >= 0:
        top = parent[above]
        if top >= 0:
            turns[voxel] += turns[above]
            parent[voxel] = top
            total += turns[voxel]
            voxel = top
            above = parent[voxel]
        else:
            total += turns[voxel]
            voxel = above
            above = top
    return voxel, total


@register_jitable
def _best_first(edges: Any) -> Any:
    # numbers (3 * voxel + axis) of all edges by falling weight, among equals by place
    n = edges.shape[1]
    place = np.zeros(256, np.int64)
    for axis in range(3):
        for voxel in range(n):
            place[edges[axis, voxel]] += 1
    total = edges.size - place[0]
    order = np.empty(total, np.int32)
    for weight in range(1, 256):
        total -= place[weight]
        place[weight] = total
    for voxel in range(n):
        for axis in range(3):
            weight = edges[axis, voxel]
            if weight > 0:
                order[place[weight]] = 3 * voxel + axis
                place[weight] += 1
    return order


@kernel(parallel=False)
def grow(phase: Volume, edges: Labels, mask: Mask, component: Labels) -> int:
    """Unwrap ``phase`` (flat, in place) along the spanning trees of the best edges.

    Edges are taken from the best on. One that connects two regions makes them one: the smaller is
    shifted by the multiple of 2 pi that brings the two ends of the edge nearest to each other.
    Each region that no edge connects with another is placed so that its mean is nearest to zero.
    Writes the number of each voxel's region (from 1) and returns how many there are.
    """
    turn = np.float32(TURN_RAD)
    shape = component.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    parent = np.full(phase.size, -1, np.int32)  # of a root: less the size of its region
    turns = np.zeros(phase.size, np.int16)  # between a voxel and its parent
    for edge in _best_first(edges):
        start = edge // 3
        end = start + strides[edge - 3 * start]
        one, here = _root(start, parent, turns)
        other, there = _root(end, parent, turns)
        if one == other:
            continue
        # whole turns that bring both ends within half a turn, besides those each has already
        gap = np.rint((phase[end] - phase[start]) / turn + np.float32(there - here))
        # the smaller region moves: trees stay low, and a lone voxel never shifts the brain
        if parent[one] <= parent[other]:
            parent[one] += parent[other]
            parent[other] = one
            turns[other] = -gap
        else:
            parent[other] += parent[one]
            parent[one] = other
            turns[one] = gap
    count: int = _place(phase, mask.reshape(-1), parent, turns, component.reshape(-1))
    return count


@register_jitable
def _place(phase: Any, mask: Any, parent: Any, turns: Any, label: Any) -> Any:
    # shift every voxel by its turns, number the regions, and take whole turns off their means
    turn = np.float32(TURN_RAD)
    count = 0
    for voxel in range(phase.size):
        if mask[voxel]:
            root, shift = _root(voxel, parent, turns)
            phase[voxel] += turn * shift
            if label[root] == 0:
                count += 1
                label[root] = count
            label[voxel] = label[root]
    sums = np.zeros((count + 1, 2))
    for voxel in range(phase.size):
        sums[label[voxel], 0] += phase[voxel]
        sums[label[voxel], 1] += 1
    for voxel in range(phase.size):
        if label[voxel] > 0:
            mean = sums[label[voxel], 0] / sums[label[voxel], 1]
            phase[voxel] -= turn * np.float32(np.rint(mean / turn))
    return count

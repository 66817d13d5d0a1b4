"""Unwrapping along the echo train."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

CANDIDATES = range(-4, 5)
FEWEST_COMPONENT_VOXELS = 50  # voxels: fewer cannot tell one multiple from another
SMALLEST_GAIN = 0.02  # of 1 - cos: a smaller gain says nothing
VOXELS_PER_SUM = 65536  # voxels summed together, whatever the threads


@kernel(parallel=False)
def follow_echoes(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Volume, first: int
) -> None:
    """Bring every other echo within pi of what the echoes done so far predict, in place.

    The prediction is the line through the origin fitted with weights magnitude^2, from the
    template echo ``first`` outwards: later echoes in order, then the earlier ones.
    """
    n_echoes, nx, ny, nz = phase.shape
    turn = np.float32(TURN_RAD)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                squares = magnitude[first, i, j, k] ** 2 * echo_times[first]
                above = squares * phase[first, i, j, k]
                below = squares * echo_times[first]
                for step in range(1, n_echoes):
                    n = first + step if first + step < n_echoes else n_echoes - 1 - step
                    rate = phase[first, i, j, k] / echo_times[first]
                    if below > 0:
                        rate = above / below
                    turns = np.rint((phase[n, i, j, k] - rate * echo_times[n]) / turn)
                    phase[n, i, j, k] -= turn * turns
                    squares = magnitude[n, i, j, k] ** 2 * echo_times[n]
                    above += squares * phase[n, i, j, k]
                    below += squares * echo_times[n]


def settle_components(
    phase: Volume,
    magnitude: Volume,
    component: Labels,
    count: int,
    echo_times: Volume,
    first: int,
) -> None:
    """Choose each component's free multiple of 2 pi in the template echo, in place.

    The stronger half of its voxels votes. The multiple taken is the one for which the other
    echoes, predicted from the template, agree with their wrapped phase; among those that agree as
    well as the best, the one whose median is nearest to zero. A component too small to vote stays
    as it is.
    """
    turn = np.float32(TURN_RAD)
    sizes = np.bincount(component.reshape(-1), minlength=count + 1)
    large = np.flatnonzero(sizes >= FEWEST_COMPONENT_VOXELS)
    large = large[large > 0]
    ends = np.zeros(count + 1, np.int64)
    ends[large] = np.cumsum(sizes[large])
    members = np.empty(int(sizes[large].sum()), np.int32)
    _collect(component.reshape(-1), ends, sizes, members)
    template, strength = phase[first].reshape(-1), magnitude[first].reshape(-1)
    for label in large:
        inside = members[ends[label] - sizes[label] : ends[label]]
        power = strength[inside]
        strong = inside[power >= np.median(power)]
        middle = np.rint(np.median(template[strong]) / turn)
        costs = _mismatch(phase, magnitude, strong, echo_times, first, middle)
        limit = min(costs.values()) + SMALLEST_GAIN
        best = min((abs(turns), turns) for turns in CANDIDATES if costs[turns] <= limit)[1]
        if best != middle:
            template[inside] += turn * np.float32(best - middle)


def _mismatch(
    phase: Volume,
    magnitude: Volume,
    inside: Labels,
    echo_times: Volume,
    first: int,
    middle: np.floating,
) -> dict[int, float]:
    """Magnitude-weighted 1 - cos of prediction against wrapped phase, over the other echoes."""
    agreement, total = dict.fromkeys(CANDIDATES, 0.0), 0.0
    for n, time in enumerate(echo_times):
        if n == first:
            continue
        ratio = time / echo_times[first]
        parts = np.zeros((-(-inside.size // VOXELS_PER_SUM), 3))
        _add_phasors(phase, magnitude, inside, first, n, ratio, parts)
        real, imaginary, weight = parts.sum(axis=0)
        total += weight
        for turns in CANDIDATES:
            more = TURN_RAD * float(ratio) * (turns - float(middle))
            agreement[turns] += real * np.cos(more) - imaginary * np.sin(more)
    return {turns: 1 - a / total if total else 0.0 for turns, a in agreement.items()}


@kernel(parallel=False)
def _collect(component: Labels, ends: Labels, sizes: Labels, members: Labels) -> None:
    """Flat indices of the voxels of every component that has an end, in ascending order."""
    place = ends - sizes
    for voxel in range(component.size):
        label = component[voxel]
        if ends[label] > 0:
            members[place[label]] = voxel
            place[label] += 1


@kernel(parallel=False)
def _add_phasors(
    phase: Volume,
    magnitude: Volume,
    inside: Labels,
    first: int,
    n: int,
    ratio: np.float32,
    parts: Volume,
) -> None:
    """Sums over parts of ``inside`` of the phasor of prediction less phase, and of its weight."""
    base = phase[first].reshape(-1)
    wrapped, strength = phase[n].reshape(-1), magnitude[n].reshape(-1)
    for part in range(parts.shape[0]):
        real = imaginary = total = 0.0
        for v in range(part * VOXELS_PER_SUM, min((part + 1) * VOXELS_PER_SUM, inside.size)):
            voxel = inside[v]
            weight = strength[voxel] ** 2
            off = base[voxel] * ratio - wrapped[voxel]
            real += weight * np.cos(off)
            imaginary += weight * np.sin(off)
            total += weight
        parts[part, 0] = real
        parts[part, 1] = imaginary
        parts[part, 2] = total

"""Unwrapping along the echo train."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel

TWO_PI = np.float32(2 * np.pi)
CANDIDATES = range(-4, 5)
LEAST = 50  # voxels: fewer cannot tell one multiple from another
ALIKE = 0.02  # of 1 - cos: a smaller gain says nothing


@kernel()
def follow_echoes(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Volume, first: int
) -> None:
    """Bring every other echo within pi of what the echoes done so far predict, in place.

    The prediction is the line through the origin fitted with weights magnitude^2, from the
    template echo ``first`` outwards: later echoes in order, then the earlier ones.
    """
    n_echoes, nx, ny, nz = phase.shape
    for i in nb.prange(nx):
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
                    turns = np.rint((phase[n, i, j, k] - rate * echo_times[n]) / TWO_PI)
                    phase[n, i, j, k] -= TWO_PI * turns
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
    sizes = np.bincount(component.reshape(-1), minlength=count + 1)
    template = phase[first]
    for label in np.argsort(-sizes[1:], kind='stable') + 1:
        if sizes[label] < LEAST:
            break
        inside = component == label
        strong = inside & (magnitude[first] >= np.median(magnitude[first][inside]))
        middle = np.rint(np.median(template[strong]) / TWO_PI)
        costs = {
            turns: _mismatch(phase, magnitude, strong, echo_times, first, turns - middle)
            for turns in CANDIDATES
        }
        limit = min(costs.values()) + ALIKE
        best = min((abs(turns), turns) for turns in CANDIDATES if costs[turns] <= limit)[1]
        template[inside] += TWO_PI * np.float32(best - middle)


def _mismatch(
    phase: Volume, magnitude: Volume, inside: Mask, echo_times: Volume, first: int, turns: float
) -> float:
    # magnitude-weighted 1 - cos of prediction against wrapped phase, over the other echoes
    base = phase[first][inside] + TWO_PI * np.float32(turns)
    above = below = 0.0
    for n, time in enumerate(echo_times):
        if n != first:
            weight = magnitude[n][inside] ** 2
            off = base * (time / echo_times[first]) - phase[n][inside]
            above += float(np.sum(weight * (1 - np.cos(off)), dtype=np.float64))
            below += float(np.sum(weight, dtype=np.float64))
    return above / below if below else 0.0

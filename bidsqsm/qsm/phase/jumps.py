"""The size of a full turn, read off the data: where smooth phase wraps, and how noise fills it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Share of the range that the step between neighbours may have in smooth phase
STEEP_STEP_SHARE = 0.3
STEADY_STEP_SHARE = 0.08  # share of the range by which steps that follow each other may differ
WRAP_SHARE = 0.3  # share of the range that sets a wrap apart from the steps about it
FEWEST_JUMPS = 30
LINES = 1_000_000  # voxels looked at per echo and axis
#: Density near both ends, as a share of the mean density, of values that wrap around
EVEN_DENSITY_SHARE = 0.2

Stored = npt.NDArray[np.number]


class Turn(NamedTuple):
    """What the data shows to be a full turn.

    Attributes
    ----------
    size
        In stored units.
    evidence
        A clause for the sidecar.

    """

    size: float
    evidence: str


def find_turn(stored: Stored, low: float, high: float) -> Turn | None:
    """Find what a full turn is, if the phase wraps.

    Two things show it. In tissue, neighbours differ by a full turn where the phase wraps. And
    values that wrap around, such as those of noise, are as frequent at the ends of the range as
    elsewhere, while any other quantity gets rare towards its extremes.

    Parameters
    ----------
    stored : (n_echoes, nx, ny, nz) array of any number type
        Phase in unknown units; non-finite voxels are left out.
    low, high
        Range of the finite values.

    Returns
    -------
    turn
        None where nothing shows it.

    """
    if not high > low:
        return None
    sizes = wrap_sizes(stored, high - low)
    if sizes.size >= FEWEST_JUMPS:
        middle = float(np.median(sizes))
        near = np.abs(sizes - middle) < 0.1 * middle
        if np.mean(near) > 0.6:
            size, count = float(np.median(sizes[near])), int(near.sum())
            return Turn(size, f'{count} pairs of neighbours in smooth phase differ by {size:.4g}')
    if _filled_to_the_ends(stored, low, high):
        return Turn(high - low, 'values fill the range evenly up to both ends, as wrapped ones do')
    return None


def wrap_sizes(stored: Stored, span: float) -> npt.NDArray[np.floating]:
    """Sizes of the jumps in smooth phase, along every axis.

    A step between neighbours counts where the three before and the three after it are alike and
    it is not: in tissue that is where the phase wraps, in noise it hardly ever happens.

    Parameters
    ----------
    stored : (n_echoes, nx, ny, nz) array of any number type
        Phase in unknown units.
    span
        Range of the finite values, in the same units.

    Returns
    -------
    sizes : (n,) float64 array
        How far each such step is from the steps about it.

    """
    found = [
        _jumps(np.moveaxis(_thinned(echo, axis), axis, -1), span)
        for echo in stored
        for axis in range(echo.ndim)
        if echo.shape[axis] >= 8
    ]
    return np.concatenate(found) if found else np.empty(0)


def _thinned(echo: Stored, axis: int) -> Stored:
    """Whole lines along one axis, fewer of them across."""
    step = max(1, int(np.ceil(np.sqrt(echo.size / LINES))))
    lines = (slice(None) if a == axis else slice(None, None, step) for a in range(echo.ndim))
    return echo[tuple(lines)]


def _jumps(lines: Stored, span: float) -> npt.NDArray[np.floating]:
    d = np.diff(lines.astype(np.float64), axis=-1)
    n = d.shape[-1] - 6
    first, early, before, step, after, late, last = (d[..., i : i + n] for i in range(7))
    smooth = np.abs(before) < STEEP_STEP_SHARE * span  # False for NaN, here and below
    for one, other in (
        (first, early),
        (early, before),
        (before, after),
        (after, late),
        (late, last),
    ):
        smooth &= np.abs(one - other) < STEADY_STEP_SHARE * span
    # an empty background of one value is smooth as well, but its rim is no wrap
    smooth &= ((early != 0) | (before != 0)) & ((after != 0) | (late != 0))
    jump = np.abs(step - (before + after) / 2)
    return jump[smooth & (jump > WRAP_SHARE * span)]


def _filled_to_the_ends(stored: Stored, low: float, high: float) -> bool:
    some = stored.ravel()[:: max(1, stored.size // LINES)]
    place = (some[np.isfinite(some)].astype(np.float64) - low) / (high - low)
    # the outermost hundredth may hold values that were clipped
    ends = [np.mean((place > 0.01) & (place < 0.05)), np.mean((place > 0.95) & (place < 0.99))]
    return bool(
        min(ends) > EVEN_DENSITY_SHARE * 0.04 and max(ends) < 2 * min(ends) and place.size > 1000
    )

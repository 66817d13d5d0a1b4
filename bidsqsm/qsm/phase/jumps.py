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
#: Share of neighbours within half a turn, below which values are no radians that were unwrapped
NEAR_SHARE = 0.6
GROWTH_RATIO = 1.2  # of the spread, from the first echo to the last
#: Spread of what two echoes differ by, as a share of their own, below which they are one image
SAME_SHARE = 0.02
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
    wraps
        Whether jumps of that size were seen, not only a range that is filled.

    """

    size: float
    evidence: str
    wraps: bool = False


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
            seen = f'{count} pairs of neighbours in smooth phase differ by {size:.4g}'
            return Turn(size, seen, wraps=True)
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


def unwrapped_evidence(stored: Stored) -> str:
    """What shows that values are radians which were unwrapped, a clause; empty where nothing does.

    Unwrapping leaves neighbours less than half a turn apart, which values in degrees or
    thousandths of a radian are not, and phase grows with the echo time, which a field map does
    not.

    Parameters
    ----------
    stored : (n_echoes, nx, ny, nz) array
        Values after the scale of the header; non-finite voxels and zeros are left out.

    """
    if len(stored) < 2:
        return ''
    spreads = [_spread(stored[0]), _spread(stored[-1])]
    near = min(_near_share(echo) for echo in stored)
    if near < NEAR_SHARE or not spreads[1] > GROWTH_RATIO * spreads[0] > 0:
        return ''
    return (
        f'{near:.0%} of neighbours differ by less than pi and the values spread over '
        f'{spreads[0]:.3g} in the first echo and {spreads[1]:.3g} in the last'
    )


def echoes_repeat(stored: Stored) -> bool:
    """Whether the last echo holds what the first holds, as a field map copied for each echo does."""
    if len(stored) < 2:
        return False
    first, last = (echo.astype(np.float64) for echo in (stored[0], stored[-1]))
    changes = np.where(first == 0, 0, last - first)
    # where most voxels are the same, the spread of those that are not says nothing
    middle = np.abs(changes[np.isfinite(changes) & (first != 0)])
    return bool(middle.size) and float(np.median(middle)) < SAME_SHARE * _spread(first)


def _spread(echo: Stored) -> float:
    seen = _seen(echo[np.isfinite(echo) & (echo != 0)])
    return float(np.subtract(*np.percentile(seen, [90, 10]))) if seen.size else 0.0


def _seen(values: Stored) -> Stored:
    return values[:: max(1, values.size // LINES)]


def _near_share(echo: Stored) -> float:
    """Share of neighbours along the axes, both of them known and not 0, less than pi apart."""
    near = total = 0
    for axis in range(echo.ndim):
        lines = np.moveaxis(_thinned(echo, axis), axis, -1).astype(np.float64)
        lines[lines == 0] = np.nan
        steps = np.abs(np.diff(lines, axis=-1))
        total += int(np.count_nonzero(np.isfinite(steps)))
        near += int(np.count_nonzero(steps < np.pi))
    return near / total if total else 0.0


def _filled_to_the_ends(stored: Stored, low: float, high: float) -> bool:
    some = stored.ravel()[:: max(1, stored.size // LINES)]
    place = (some[np.isfinite(some)].astype(np.float64) - low) / (high - low)
    # the outermost hundredth may hold values that were clipped
    ends = [np.mean((place > 0.01) & (place < 0.05)), np.mean((place > 0.95) & (place < 0.99))]
    return bool(
        min(ends) > EVEN_DENSITY_SHARE * 0.04 and max(ends) < 2 * min(ends) and place.size > 1000
    )

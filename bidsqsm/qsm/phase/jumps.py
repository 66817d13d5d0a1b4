"""The size of a full turn, read off the places where smooth phase wraps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CALM = 0.08  # share of the range that neighbours may differ by where phase counts as smooth
LARGE = 0.3  # share of the range from which a difference may be a wrap
FEWEST = 30
LINES = 1_000_000  # voxels looked at per echo and axis


class Jump(NamedTuple):
    """Wraps found between neighbours."""

    size: float
    count: int


def find_wrap_jump(stored: npt.NDArray[np.number], span: float) -> Jump | None:
    """Find the size of the jumps of wrapped phase, if it has any.

    Along every axis, a pair of neighbours counts where the two differences before and the two
    after it are small against the range: inside tissue that is where the phase wraps, and in
    noise it hardly ever happens. The size of the jump, corrected for the slope on both sides,
    must be the same nearly everywhere.

    Parameters
    ----------
    stored : (n_echoes, nx, ny, nz) array of any number type
        Phase in unknown units; non-finite voxels are left out.
    span
        Range of the finite values, in the same units.

    Returns
    -------
    jump
        Size in the units of the values, and number of pairs; None without clear wraps.

    """
    found = [
        _candidates(np.moveaxis(_thinned(echo, axis), axis, -1), span)
        for echo in stored
        for axis in range(echo.ndim)
        if echo.shape[axis] >= 6
    ]
    sizes = np.concatenate(found) if found else np.empty(0)
    if sizes.size < FEWEST:
        return None
    middle = float(np.median(sizes))
    near = np.abs(sizes - middle) < 0.1 * middle
    if np.mean(near) < 0.6:
        return None
    return Jump(float(np.median(sizes[near])), int(near.sum()))


def _thinned(echo: npt.NDArray[np.number], axis: int) -> npt.NDArray[np.number]:
    """Whole lines along one axis, fewer of them across."""
    step = max(1, int(np.ceil(np.sqrt(echo.size / LINES))))
    return echo[tuple(slice(None) if a == axis else slice(None, None, step) for a in range(echo.ndim))]


def _candidates(lines: npt.NDArray[np.number], span: float) -> npt.NDArray[np.floating]:
    d = np.diff(lines.astype(np.float64), axis=-1)
    small = np.abs(d) < CALM * span  # False for NaN
    # an empty background of one value is smooth as well, but its rim is no wrap
    flat = d == 0
    n = d.shape[-1] - 4
    before = small[..., :n] & small[..., 1 : n + 1] & ~(flat[..., :n] & flat[..., 1 : n + 1])
    after = small[..., 3 : n + 3] & small[..., 4:] & ~(flat[..., 3 : n + 3] & flat[..., 4:])
    jump = np.abs(d[..., 2 : n + 2] - (d[..., 1 : n + 1] + d[..., 3 : n + 3]) / 2)
    return jump[before & after & (jump > LARGE * span)]

"""The constants that echoes unwrapped on their own are left with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.units import TURN_RAD

#: Whole turns that the first echo may be off, the likeliest first
FIRST_ECHO_TURNS = (0, -1, 1, -2, 2)
FIRST_ECHO_GAIN_RAD = 0.5  # rad per echo: less does not speak for another turn of the first echo


def settle_turns(
    unwrapped: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float]
) -> None:
    """Add whole turns to each echo, in place, so that all grow in proportion to the echo time.

    An echo that was unwrapped without regard to the others has a mean within half a turn,
    whatever the frequency of the scanner is off by: a line through such echoes is bent
    everywhere. The median over the stronger half of the voxels tells the turns; those of the
    first echo are the ones with which the later echoes agree best.

    Parameters
    ----------
    unwrapped : (n_echoes, nx, ny, nz) float32 array
        Unwrapped phase in rad, free of a receive offset; changed.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels that are changed.
    echo_times
        Echo times in s, ascending.

    """
    if len(echo_times) < 2 or not mask.any():
        return
    ratio = np.asarray(echo_times, float) / echo_times[0]
    strength = magnitude[0][mask]
    strong = strength >= np.median(strength)
    first = unwrapped[0][mask][strong]
    ahead = np.array(
        [
            float(np.median(echo[mask][strong] - np.float32(r) * first))
            for echo, r in zip(unwrapped, ratio, strict=True)
        ]
    )
    best, least = np.zeros(len(ratio)), np.inf
    for turns in FIRST_ECHO_TURNS:
        off = ahead / TURN_RAD + turns * ratio  # in turns, the first echo turned back by so many
        miss = TURN_RAD * float(np.abs(off - np.rint(off)).mean())
        if miss < least - (FIRST_ECHO_GAIN_RAD if turns else 0):
            best, least = np.rint(off), miss
    for echo, count in zip(unwrapped, best, strict=True):
        if count:
            echo[mask] -= np.float32(TURN_RAD * count)

"""Wrapping of phase into one turn."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Volume

TURN = 2 * np.pi


def wrap(phase: Volume) -> Volume:
    """Bring phase into [-pi, pi], by whole turns and nothing else.

    Values that lie there already come back bit for bit; both ends may occur.

    Parameters
    ----------
    phase : float array
        Phase in rad.

    Returns
    -------
    wrapped : array of the same shape and dtype

    """
    turn = phase.dtype.type(TURN)
    # pi in single precision lies beyond pi by 9e-8 and is not to become -pi
    almost = phase.dtype.type((1 - 1e-6) / TURN)
    return phase - turn * np.rint(phase * almost)

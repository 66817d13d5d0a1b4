"""The phase that grew between two echoes, unwrapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.phase.wrap import wrap
from bidsqsm.qsm.units import TURN_RAD
from bidsqsm.qsm.unwrap.romeo import romeo
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped

Unwrapper = Callable[[Volume, Volume, Mask, Sequence[float]], Unwrapped]


def unwrapped_difference(
    difference: Volume,
    magnitude: Volume,
    mask: Mask,
    interval: float,
    unwrap: Unwrapper | None = None,
) -> Volume:
    """Unwrap the phase difference of two echoes, choosing the turn nearest to zero.

    Parameters
    ----------
    difference : (nx, ny, nz) float32 array
        Phase of the later echo minus that of the earlier one, in rad.
    magnitude : (nx, ny, nz) float32 array
        Weight of the difference, any unit.
    mask : (nx, ny, nz) bool array
        Where to unwrap.
    interval
        Time between the echoes, in s.
    unwrap
        Method of the step ``unwrap``; :func:`~bidsqsm.qsm.unwrap.romeo.romeo` where None.

    Returns
    -------
    unwrapped : (nx, ny, nz) float32 array
        In rad, zero outside the mask; its median in the mask is within half a turn of zero.

    """
    result = (unwrap or romeo)(wrap(difference)[None], magnitude[None], mask, (interval,))
    unwrapped = result.phase[0]
    turns = np.rint(np.median(unwrapped[mask]) / TURN_RAD)
    return np.where(mask, unwrapped - np.float32(TURN_RAD * turns), np.float32(0))


def signal_mask(magnitude: Volume) -> Mask:
    """Voxels with signal well above the background: a tenth of the bright ones.

    Parameters
    ----------
    magnitude : (nx, ny, nz) float32 array
        Magnitude, any unit.

    Returns
    -------
    mask : (nx, ny, nz) bool array

    Examples
    --------
    >>> import numpy as np
    >>> signal_mask(np.array([1.0, 90.0, 100.0, 110.0]).reshape(4, 1, 1)).ravel().tolist()
    [False, True, True, True]

    """
    sample = magnitude.ravel()[:: max(1, magnitude.size // 500_000)]
    bright = float(np.percentile(sample[sample > 0], 95)) if np.any(sample > 0) else 0.0
    if bright <= 0:
        raise ValueError('the magnitude is zero everywhere, expected signal in the head')
    mask: Mask = magnitude > 0.1 * bright
    return mask

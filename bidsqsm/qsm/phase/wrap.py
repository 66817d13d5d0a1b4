"""Wrapping of phase into one turn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

COMPILED_DTYPES = tuple(np.dtype(name) for name in ('i2', 'u2', 'f4', 'f8'))


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

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(x), 2) for x in wrap(np.float32([0.0, 4.0, -7.0]))]
    [0.0, -2.28, -0.72]

    """
    turn = phase.dtype.type(TURN_RAD)
    # pi in single precision lies beyond pi by 9e-8 and is not to become -pi
    almost = phase.dtype.type((1 - 1e-6) / TURN_RAD)
    return phase - turn * np.rint(phase * almost)


def subtract_wrapped(phase: Volume, other: Volume) -> Volume:
    """Difference of phase, wrapped, without arrays in between.

    Parameters
    ----------
    phase : (n, nx, ny, nz) or (nx, ny, nz) float32 array
        In rad.
    other : (nx, ny, nz) float32 array
        In rad; taken off each volume.

    Returns
    -------
    difference : array of the shape of ``phase``
        ``wrap(phase - other)``, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.full((1, 1, 1), 3.0, 'f4'), np.full((1, 1, 1), -3.0, 'f4')
    >>> round(float(subtract_wrapped(one, other)[0, 0, 0]), 2)
    -0.28

    """
    result = np.empty(phase.shape, np.float32)
    shape = (-1, *other.shape)
    _subtract(phase.reshape(shape), other, result.reshape(shape))
    return result


@kernel(parallel=False, fastmath=False)
def _subtract(phase: Volume, other: Volume, result: Volume) -> None:
    n, nx, ny, nz = phase.shape
    turn, almost = np.float32(TURN_RAD), np.float32((1 - 1e-6) / TURN_RAD)
    for i in range(nx):
        for m in range(n):
            for j in range(ny):
                for k in range(nz):
                    d = phase[m, i, j, k] - other[i, j, k]
                    result[m, i, j, k] = d - turn * np.rint(d * almost)


def scale_wrapped(
    stored: npt.NDArray[np.number], slope: float, intercept: float, result: Volume
) -> None:
    """Scale to radians and wrap, in double precision.

    Parameters
    ----------
    stored : array of any number type
        Not finite where unknown; stays so.
    slope, intercept
        Of the phase in rad: ``wrap(slope * stored + intercept)``.
    result : float32 array
        Of the same shape, C-contiguous; is filled.

    """
    if stored.dtype not in COMPILED_DTYPES:
        stored = stored.astype(np.float64)
    _scale(np.ascontiguousarray(stored).reshape(-1), slope, intercept, result.reshape(-1))


@kernel(parallel=False, fastmath=False)
def _scale(stored: npt.NDArray[np.number], slope: float, intercept: float, result: Volume) -> None:
    almost = (1 - 1e-6) / TURN_RAD
    for n in range(stored.size):
        phase = np.float64(stored[n]) * slope + intercept
        result[n] = phase - TURN_RAD * np.rint(phase * almost)

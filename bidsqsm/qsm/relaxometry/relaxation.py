"""What a fit of the magnitude's decay gives, and what all such fits share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.decay import Counts, Decay
from bidsqsm.qsm.relaxometry.rice import mean_squared

LONGEST_T2STAR_S = np.float32(0.5)  # s; beyond it T2* is not known from echoes of some tens of ms


class Relaxation(NamedTuple):
    """Mono-exponential decay S = S0 exp(-R2* TE), voxel by voxel.

    All maps are zero outside the mask and where no decay could be fitted.

    Parameters
    ----------
    r2star : (nx, ny, nz) float32 array
        Effective transverse relaxation rate in 1/s, at least zero.
    t2star : (nx, ny, nz) float32 array
        One over it in s, at most 0.5 s.
    s0 : (nx, ny, nz) float32 array
        Magnitude at TE = 0, in the magnitude's unit.
    error : (nx, ny, nz) float32 array
        Root mean square misfit over the echoes used as a share of ``s0`` (dimensionless).
    n_echoes : (nx, ny, nz) float32 array
        Number of echoes used, from the first on.
    noise
        Standard deviation of the noise in the real part, in the magnitude's unit, as it was given
        or estimated; 0 where it is not known.

    """

    r2star: Volume
    t2star: Volume
    s0: Volume
    error: Volume
    n_echoes: Volume
    noise: float = 0.0


def finished(decay: Decay, rate: Volume, amplitude: Volume, floor: float = 0.0) -> Relaxation:
    """Derive T2* and the misfit from a fitted rate and amplitude.

    Parameters
    ----------
    decay
        What was fitted.
    rate, amplitude : (n_voxels,) float32 arrays
        R2* in 1/s and S0.
    floor
        Standard deviation of the noise whose floor the model has, 0 for a decay to zero.

    """
    error = np.zeros_like(rate)
    squares = squared_misfit(decay, rate, amplitude, floor)
    fitted = amplitude > 0
    used = np.where(fitted, decay.used, 0).astype(np.float32)
    np.divide(np.sqrt(squares / np.maximum(used, 1)), amplitude, where=fitted, out=error)
    time = np.where(fitted, LONGEST_T2STAR_S, np.float32(0))
    np.divide(1, rate, where=rate > 1 / LONGEST_T2STAR_S, out=time)
    return Relaxation(
        decay.as_volume(rate),
        decay.as_volume(time),
        decay.as_volume(amplitude),
        decay.as_volume(error),
        decay.as_volume(used),
        decay.noise,
    )


def squared_misfit(decay: Decay, rate: Volume, amplitude: Volume, floor: float = 0.0) -> Volume:
    """Sum of the squared differences from the model over the echoes used, per voxel."""
    squares = np.zeros_like(rate)
    _squares(
        decay.signal,
        decay.share,
        decay.used,
        decay.times,
        np.float32(floor),
        rate,
        amplitude,
        squares,
    )
    return squares


@kernel(parallel=False)
def _squares(
    signal: Volume,
    share: Volume,
    used: Counts,
    times: Volume,
    floor: np.float32,
    rate: Volume,
    amplitude: Volume,
    squares: Volume,
) -> None:
    for v in range(rate.size):
        total = np.float32(0)
        for n in range(used[v]):
            clean = amplitude[v] * share[v, n] * np.exp(-rate[v] * times[n])
            square, _ = mean_squared(clean, floor)
            total += (signal[v, n] - np.sqrt(square)) ** 2
        squares[v] = total

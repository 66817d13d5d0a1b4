"""What a fit of the magnitude's decay gives, and what all such fits share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel

LONGEST = np.float32(0.5)  # s; beyond it T2* is not known from echoes of some tens of ms


class Relaxation(NamedTuple):
    """Mono-exponential decay S = S0 exp(-R2* TE), voxel by voxel; zero outside the mask.

    Parameters
    ----------
    r2star : (nx, ny, nz) float32 array
        Effective transverse relaxation rate in 1/s, at least zero.
    t2star : (nx, ny, nz) float32 array
        One over it in s, at most 0.5 s.
    s0 : (nx, ny, nz) float32 array
        Magnitude at TE = 0, in the magnitude's unit.
    error : (nx, ny, nz) float32 array
        Root mean square misfit over the echoes as a share of ``s0`` (dimensionless).

    """

    r2star: Volume
    t2star: Volume
    s0: Volume
    error: Volume


def checked_times(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Volume:
    """Echo times as a float32 array, once they are known to fit the magnitude."""
    times = np.asarray(echo_times, float)
    if magnitude.ndim != 4 or magnitude.shape != (times.size, *mask.shape):
        raise ValueError(
            f'magnitude has shape {magnitude.shape}, but {times.size} echo times and a mask of '
            f'{mask.shape} ask for {(times.size, *mask.shape)}: put echoes first'
        )
    if times.size < 2:
        raise ValueError(
            'R2* needs the decay over two echoes or more, found one: leave relaxometry out'
        )
    if not (np.diff(times) > 0).all():
        raise ValueError(f'echo times must ascend, found {times.tolist()} s: sort the echoes')
    return times.astype(np.float32)


def evenly_spaced(echo_times: Sequence[float]) -> bool:
    """Whether three echoes or more lie at equal distances, to one percent."""
    steps = np.diff(np.asarray(echo_times, float))
    return steps.size >= 2 and bool(np.ptp(steps) <= 0.01 * steps.mean())


def finished(
    magnitude: Volume, mask: Mask, times: Volume, r2star: Volume, s0: Volume, floor: float = 0.0
) -> Relaxation:
    """Derive T2* and the misfit from a fitted rate and amplitude."""
    error = np.zeros_like(r2star)
    _misfit(magnitude, mask, times, np.float32(floor) ** 2, r2star, s0, error)
    t2star = np.where(mask, LONGEST, np.float32(0))
    np.divide(1, r2star, where=r2star > 1 / LONGEST, out=t2star)
    return Relaxation(r2star, t2star, s0, error)


@kernel()
def _misfit(
    magnitude: Volume,
    mask: Mask,
    times: Volume,
    floor: np.float32,
    r2star: Volume,
    s0: Volume,
    error: Volume,
) -> None:
    # model sqrt((S0 exp(-R2* TE))^2 + floor)
    echoes, nx, ny, nz = magnitude.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if mask[i, j, k] and s0[i, j, k] > 0:
                    total = np.float32(0)
                    for n in range(echoes):
                        model = s0[i, j, k] * np.exp(-r2star[i, j, k] * times[n])
                        total += (magnitude[n, i, j, k] - np.sqrt(model * model + floor)) ** 2
                    error[i, j, k] = np.sqrt(total / np.float32(echoes)) / s0[i, j, k]

"""Relaxometry by nonlinear least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numba as nb
import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.loglinear import fit_line
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, checked_times, finished


def nlls(
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    noise: Annotated[float, From(0, float('inf'))] = 0.0,
    max_iter: Annotated[int, Between(0, 1000)] = 20,
) -> Relaxation:
    r"""Nonlinear least-squares fit of the decay.

    .. math:: \min_{S_0, R_2^*} \sum_n \left( S_n - \sqrt{S_0^2 e^{-2 R_2^* TE_n} + 2 \sigma^2}
       \right)^2

    by Levenberg and Marquardt's method [marquardt1963]_ in each voxel, from the log-linear fit. The
    noise :math:`\sigma` lifts the model as it lifts the magnitude [gudbjartsson1995]_.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of two echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending, at any distances.
    noise
        Standard deviation :math:`\sigma` of the noise in the real part, in the magnitude's unit; 0
        for a decay to zero.
    max_iter
        Steps after which to stop in each voxel.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0 and the relative misfit.

    References
    ----------
    .. [marquardt1963] Marquardt, J Soc Ind Appl Math 11:431-441 (1963). doi:10.1137/0111030
    .. [gudbjartsson1995] Gudbjartsson and Patz, Magn Reson Med 34:910-914 (1995).
       doi:10.1002/mrm.1910340618

    """
    times = checked_times(magnitude, mask, echo_times)
    r2star = np.zeros(mask.shape, np.float32)
    s0 = np.zeros(mask.shape, np.float32)
    fit_line(magnitude, mask, times, r2star, s0)
    floor = float(np.sqrt(2) * noise)
    _descend(magnitude, mask, times, np.float32(floor**2), max_iter, r2star, s0)
    return finished(magnitude, mask, times, r2star, s0, floor)


@nb.njit(fastmath=True, nogil=True)
def _normal(
    magnitude: Volume,
    times: Volume,
    floor: np.float32,
    rate: np.float32,
    amplitude: np.float32,
    i: int,
    j: int,
    k: int,
) -> tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]:
    # misfit of a voxel, its slope and its curvature (Gauss-Newton) along amplitude and rate
    misfit = da = dr = daa = dar = drr = np.float32(0)
    for n in range(times.size):
        decay = np.exp(-rate * times[n])
        signal = amplitude * decay
        model = np.sqrt(signal * signal + floor)
        if model <= 0:
            continue
        off = magnitude[n, i, j, k] - model
        by_a = decay * signal / model
        by_r = -times[n] * signal * signal / model
        misfit += off * off
        da += by_a * off
        dr += by_r * off
        daa += by_a * by_a
        dar += by_a * by_r
        drr += by_r * by_r
    return misfit, da, dr, daa, dar, drr


@kernel()
def _descend(
    magnitude: Volume,
    mask: Mask,
    times: Volume,
    floor: np.float32,
    max_iter: int,
    r2star: Volume,
    s0: Volume,
) -> None:
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k] or s0[i, j, k] <= 0:
                    continue
                a, r = s0[i, j, k], r2star[i, j, k]
                best, da, dr, daa, dar, drr = _normal(magnitude, times, floor, r, a, i, j, k)
                damp = np.float32(1e-3)
                for _ in range(max_iter):
                    more = np.float32(1) + damp
                    det = daa * drr * more * more - dar * dar
                    if det <= 0:
                        break
                    to_a = a + (more * drr * da - dar * dr) / det
                    to_r = max(np.float32(0), r + (more * daa * dr - dar * da) / det)
                    step = abs(to_r - r)
                    trial = _normal(magnitude, times, floor, to_r, to_a, i, j, k)
                    if trial[0] < best and to_a > 0:
                        a, r = to_a, to_r
                        best, da, dr, daa, dar, drr = trial
                        damp *= np.float32(0.1)
                    else:
                        damp *= np.float32(10)
                    if step < np.float32(1e-4) * (r + np.float32(1)):
                        break
                s0[i, j, k], r2star[i, j, k] = a, r

"""Relaxometry by nonlinear least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numba as nb
import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.decay import Counts, Decay
from bidsqsm.qsm.relaxometry.line import line, with_noise
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, finished
from bidsqsm.qsm.relaxometry.rice import mean_squared


def nlls(
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    dephasing: Volume | None = None,
    noise: Annotated[float, From(0, float('inf'))] = 0.0,
    rician: bool = True,
    max_iter: Annotated[int, Between(0, 1000)] = 20,
) -> Relaxation:
    r"""Nonlinear least-squares fit of the decay.

    .. math:: \min_{S_0, R_2^*} \sum_n \left( S_n - M(S_0 e^{-R_2^* TE_n}, \sigma) \right)^2

    by Levenberg and Marquardt's method [marquardt1963]_ in each voxel, from the log-linear fit. The
    mean :math:`M` of a magnitude does not fall to zero with the signal, but to a floor of 1.25
    :math:`\sigma` [gudbjartsson1995]_, so that all echoes can be used.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of two echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending, at any distances.
    dephasing : (n_echoes, nx, ny, nz) float32 array, optional
        Share of the signal that the gradient of the field leaves.
    noise
        Standard deviation of the noise in the real part, :math:`\sigma`, in the magnitude's unit;
        0 to estimate it from the decay of three echoes or more.
    rician
        Whether the model has the floor; without, it decays to zero.
    max_iter
        Iterations after which to stop regardless: steps in each voxel.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0, the relative misfit and the number of echoes used.

    References
    ----------
    .. [marquardt1963] Marquardt, J Soc Ind Appl Math 11:431-441 (1963). doi:10.1137/0111030
    .. [gudbjartsson1995] Gudbjartsson and Patz, Magn Reson Med 34:910-914 (1995).
       doi:10.1002/mrm.1910340618

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> echoes = sphere.echoes((0.004, 0.010, 0.016, 0.022), r2star=25.0)
    >>> fit = nlls(echoes.magnitude, sphere.mask, echoes.echo_times)
    >>> round(float(fit.r2star[sphere.mask].mean()), 1), round(float(fit.s0.max()))
    (25.0, 100)

    """
    decay = with_noise(Decay.of(magnitude, mask, echo_times, dephasing), noise).above(0, least=2)
    floor = decay.noise if rician else 0.0
    rate, amplitude = line(decay)
    _descend(
        decay.signal,
        decay.share,
        decay.used,
        decay.times,
        np.float32(floor),
        max_iter,
        rate,
        amplitude,
    )
    return finished(decay, rate, amplitude, floor)


_ROUNDING, _LEAST = np.float32(1e-6), np.float32(1e-30)


# not inline, code just compiled and code from the cache would round differently
@nb.njit(fastmath=True, nogil=True, inline='always')
def _normal(
    signal: Volume,
    share: Volume,
    times: Volume,
    floor: np.float32,
    rate: np.float32,
    amplitude: np.float32,
) -> tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]:
    # misfit of a voxel, its slope and its curvature (Gauss-Newton) along amplitude and rate
    misfit = da = dr = daa = dar = drr = np.float32(0)
    for n in range(signal.size):
        decay = share[n] * np.exp(-rate * times[n])
        clean = amplitude * decay
        # mean of a Rician magnitude: without its floor, late echoes make R2* too small
        square, slope = mean_squared(clean, floor)
        if square <= 0:
            continue
        model = np.sqrt(square)
        off = signal[n] - model
        by_a = slope * decay * clean / model
        by_r = -times[n] * amplitude * by_a
        misfit += off * off
        da += by_a * off
        dr += by_r * off
        daa += by_a * by_a
        dar += by_a * by_r
        drr += by_r * by_r
    return misfit, da, dr, daa, dar, drr


@kernel(parallel=False)
def _descend(
    signal: Volume,
    share: Volume,
    used: Counts,
    times: Volume,
    floor: np.float32,
    max_iter: int,
    rate: Volume,
    amplitude: Volume,
) -> None:
    for v in range(used.size):
        if amplitude[v] <= 0:
            continue
        seen, left, at = signal[v, : used[v]], share[v, : used[v]], times[: used[v]]
        a, r = amplitude[v], rate[v]
        best, da, dr, daa, dar, drr = _normal(seen, left, at, floor, r, a)
        damp = np.float32(1e-3)
        for _ in range(max_iter):
            # (H + damp diag H) step = gradient: Marquardt's scaling, as S0 and R2* differ in size
            more = np.float32(1) + damp
            det = daa * drr * more * more - dar * dar
            # what rounding leaves, in voxels of noise, is no curvature
            if det <= max(_ROUNDING * daa * drr, _LEAST):
                break
            to_a = a + (more * drr * da - dar * dr) / det
            to_r = max(np.float32(0), r + (more * daa * dr - dar * da) / det)
            step = abs(to_r - r)
            trial = _normal(seen, left, at, floor, to_r, to_a)
            if trial[0] < best and to_a > 0:
                a, r = to_a, to_r
                best, da, dr, daa, dar, drr = trial
                damp *= np.float32(0.1)
            else:
                damp *= np.float32(10)
            if step < np.float32(1e-4) * (r + np.float32(1)):
                break
        amplitude[v], rate[v] = a, r

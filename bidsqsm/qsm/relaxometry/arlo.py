"""Relaxometry by auto-regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numba as nb
import numpy as np

from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.decay import Counts, Decay, checked_times, evenly_spaced
from bidsqsm.qsm.relaxometry.line import with_noise
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, finished


def arlo(
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    dephasing: Volume | None = None,
    noise: Annotated[float, From(0, float('inf'))] = 0.0,
    min_snr: Annotated[float, From(0, float('inf'))] = 2.0,
) -> Relaxation:
    r"""Auto-regression on linear operations (ARLO).

    Over two echo spacings an exponential falls by its integral times :math:`R_2^*`. With Simpson's
    rule for the integral, :math:`s_i = \frac{\Delta}{3} (S_i + 4 S_{i+1} + S_{i+2})` and
    :math:`d_i = S_i - S_{i+2}`, the rate has a closed form [pei2015]_:

    .. math:: R_2^* = \frac{\frac{\Delta}{3} \sum d_i^2 + \sum s_i d_i}
       {\sum s_i^2 + \frac{\Delta}{3} \sum s_i d_i}

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of three echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, equally spaced.
    dephasing : (n_echoes, nx, ny, nz) float32 array, optional
        Share of the signal that the gradient of the field leaves.
    noise
        Standard deviation of the noise in the real part, in the magnitude's unit; 0 to estimate
        it from the decay.
    min_snr
        Echoes are used up to the first whose magnitude is below this many times the noise, three
        at least.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0, the relative misfit and the number of echoes used.

    References
    ----------
    .. [pei2015] Pei et al., Magn Reson Med 73:843-850 (2015). doi:10.1002/mrm.25137

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> echoes = sphere.echoes((0.004, 0.010, 0.016, 0.022), r2star=25.0)
    >>> fit = arlo(echoes.magnitude, sphere.mask, echoes.echo_times)
    >>> round(float(fit.r2star[sphere.mask].mean()), 1), round(float(fit.s0.max()))
    (25.0, 100)

    """
    checked_times(magnitude, mask, echo_times)
    if not evenly_spaced(echo_times):
        raise ValueError(
            f'arlo needs three equally spaced echoes or more, found {list(echo_times)} s: '
            'use loglinear or nlls'
        )
    decay = with_noise(Decay.of(magnitude, mask, echo_times, dephasing), noise)
    decay = decay.above(min_snr * decay.noise, least=3)
    rate, amplitude = decay.empty(), decay.empty()
    _fit(decay.signal, decay.share, decay.used, decay.times, rate, amplitude)
    return finished(decay, rate, amplitude)


@kernel()
def _fit(
    signal: Volume, share: Volume, used: Counts, times: Volume, rate: Volume, amplitude: Volume
) -> None:
    third = (times[-1] - times[0]) / np.float32(3 * (times.size - 1))
    for v in nb.prange(used.size):
        ss = sd = dd = np.float32(0)
        for n in range(used[v] - 2):
            first = signal[v, n] / share[v, n]
            middle = signal[v, n + 1] / share[v, n + 1]
            last = signal[v, n + 2] / share[v, n + 2]
            # s_i and d_i, freed of the signal that dephasing has taken
            s, d = third * (first + 4 * middle + last), first - last
            ss += s * s
            sd += s * d
            dd += d * d
        below = ss + third * sd
        if below > 0:
            rate[v] = max(np.float32(0), (third * dd + sd) / below)
        # amplitude by least squares, the rate given
        above = below = np.float32(0)
        for n in range(used[v]):
            decay = share[v, n] * np.exp(-rate[v] * times[n])
            above += decay * signal[v, n]
            below += decay * decay
        if below > 0:
            amplitude[v] = above / below

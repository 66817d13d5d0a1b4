"""Relaxometry by auto-regression."""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.relaxation import (
    Relaxation,
    checked_times,
    evenly_spaced,
    finished,
)


def arlo(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Relaxation:
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

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0 and the relative misfit.

    References
    ----------
    .. [pei2015] Pei et al., Magn Reson Med 73:843-850 (2015). doi:10.1002/mrm.25137

    """
    times = checked_times(magnitude, mask, echo_times)
    if not evenly_spaced(echo_times):
        raise ValueError(
            f'arlo needs three equally spaced echoes or more, found {list(echo_times)} s: '
            'use loglinear or nlls'
        )
    r2star = np.zeros(mask.shape, np.float32)
    s0 = np.zeros(mask.shape, np.float32)
    _fit(magnitude, mask, times, r2star, s0)
    return finished(magnitude, mask, times, r2star, s0)


@kernel()
def _fit(magnitude: Volume, mask: Mask, times: Volume, r2star: Volume, s0: Volume) -> None:
    echoes, nx, ny, nz = magnitude.shape
    third = (times[-1] - times[0]) / np.float32(3 * (echoes - 1))
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                ss = sd = dd = np.float32(0)
                for n in range(echoes - 2):
                    first, last = magnitude[n, i, j, k], magnitude[n + 2, i, j, k]
                    s = third * (first + 4 * magnitude[n + 1, i, j, k] + last)
                    d = first - last
                    ss += s * s
                    sd += s * d
                    dd += d * d
                below = ss + third * sd
                rate = (
                    max(np.float32(0), (third * dd + sd) / below) if below > 0 else np.float32(0)
                )
                # amplitude by least squares, the rate given
                above = below = np.float32(0)
                for n in range(echoes):
                    decay = np.exp(-rate * times[n])
                    above += decay * magnitude[n, i, j, k]
                    below += decay * decay
                r2star[i, j, k] = rate
                s0[i, j, k] = above / below

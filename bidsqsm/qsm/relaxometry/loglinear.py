"""Relaxometry by a straight line through the logarithm."""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, checked_times, finished


def loglinear(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Relaxation:
    r"""Weighted log-linear fit of the decay.

    A straight line through the logarithm of the magnitude, whose noise goes as one over the
    magnitude, hence the weights [veraart2013]_:

    .. math:: \min_{a, R_2^*} \sum_n S_n^2 (\ln S_n - a + R_2^* TE_n)^2, \quad S_0 = e^a

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of two echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending, at any distances.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0 and the relative misfit.

    References
    ----------
    .. [veraart2013] Veraart et al., NeuroImage 81:335-346 (2013).
       doi:10.1016/j.neuroimage.2013.05.028

    """
    times = checked_times(magnitude, mask, echo_times)
    r2star = np.zeros(mask.shape, np.float32)
    s0 = np.zeros(mask.shape, np.float32)
    fit_line(magnitude, mask, times, r2star, s0)
    return finished(magnitude, mask, times, r2star, s0)


@kernel()
def fit_line(magnitude: Volume, mask: Mask, times: Volume, r2star: Volume, s0: Volume) -> None:
    """Write rate and amplitude of the weighted line into their arrays; rates are at least zero."""
    echoes, nx, ny, nz = magnitude.shape
    zero = np.float32(0)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                w0 = wt = wl = wtt = wtl = zero
                top = zero
                for n in range(echoes):
                    top = max(top, magnitude[n, i, j, k])
                if top <= 0:
                    continue
                for n in range(echoes):
                    share = magnitude[n, i, j, k] / top
                    if share > 0:
                        w, log, t = share * share, np.log(share), times[n]
                        w0 += w
                        wt += w * t
                        wl += w * log
                        wtt += w * t * t
                        wtl += w * t * log
                det = w0 * wtt - wt * wt
                rate = max(zero, (wt * wl - w0 * wtl) / det) if det > 0 else zero
                r2star[i, j, k] = rate
                s0[i, j, k] = top * np.exp((wl + rate * wt) / w0)

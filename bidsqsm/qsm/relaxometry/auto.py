"""Relaxometry by what the echo times allow."""

from __future__ import annotations

from collections.abc import Sequence

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.relaxometry.arlo import arlo
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, evenly_spaced


def auto(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Relaxation:
    """ARLO for three equally spaced echoes or more, weighted log-linear fit otherwise.

    Both are closed forms: auto-regression [pei2015]_ is the more precise at low signal, the line
    through the logarithm [veraart2013]_ takes any echo times.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of two echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0 and the relative misfit.

    References
    ----------
    .. [pei2015] Pei et al., Magn Reson Med 73:843-850 (2015). doi:10.1002/mrm.25137
    .. [veraart2013] Veraart et al., NeuroImage 81:335-346 (2013).
       doi:10.1016/j.neuroimage.2013.05.028

    """
    fit = arlo if evenly_spaced(echo_times) else loglinear
    return fit(magnitude, mask, echo_times)

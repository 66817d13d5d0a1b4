"""Relaxometry by what the echo times allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.qsm.relaxometry.nlls import nlls
from bidsqsm.qsm.relaxometry.relaxation import Relaxation


def auto(
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    dephasing: Volume | None = None,
    noise: Annotated[float, From(0, float('inf'))] = 0.0,
) -> Relaxation:
    """Nonlinear fit with the noise's floor for three echoes or more, weighted log-linear fit for two.

    Three echoes tell the noise, and the nonlinear fit [marquardt1963]_ that knows its floor
    [gudbjartsson1995]_ has the least bias; for two echoes, the line through the logarithm
    [veraart2013]_ goes through both.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of two echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending.
    dephasing : (n_echoes, nx, ny, nz) float32 array, optional
        Share of the signal that the gradient of the field leaves.
    noise
        Standard deviation of the noise in the real part, in the magnitude's unit; 0 to estimate
        it from the decay of three echoes or more.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0, the relative misfit and the number of echoes used.

    References
    ----------
    .. [marquardt1963] Marquardt, J Soc Ind Appl Math 11:431-441 (1963). doi:10.1137/0111030
    .. [gudbjartsson1995] Gudbjartsson and Patz, Magn Reson Med 34:910-914 (1995).
       doi:10.1002/mrm.1910340618
    .. [veraart2013] Veraart et al., NeuroImage 81:335-346 (2013).
       doi:10.1016/j.neuroimage.2013.05.028

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> echoes = sphere.echoes((0.004, 0.010, 0.016, 0.022), r2star=25.0)
    >>> fit = auto(echoes.magnitude, sphere.mask, echoes.echo_times)
    >>> round(float(fit.r2star[sphere.mask].mean()), 1), round(float(fit.s0.max()))
    (25.0, 100)

    """
    fit = nlls if len(echo_times) > 2 else loglinear
    return fit(magnitude, mask, echo_times, dephasing=dephasing, noise=noise)

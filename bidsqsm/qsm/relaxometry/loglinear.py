"""Relaxometry by a straight line through the logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.relaxometry.decay import Decay
from bidsqsm.qsm.relaxometry.line import line, with_noise
from bidsqsm.qsm.relaxometry.relaxation import Relaxation, finished


def loglinear(
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    dephasing: Volume | None = None,
    noise: Annotated[float, From(0, float('inf'))] = 0.0,
    min_snr: Annotated[float, From(0, float('inf'))] = 2.0,
    passes: Annotated[int, Between(0, 11)] = 2,
) -> Relaxation:
    r"""Weighted log-linear fit of the decay.

    A straight line through the logarithm of the magnitude, whose noise goes as one over the
    signal, hence the weights. Weights from the noisy magnitude itself would bias the line; those
    of a second pass come from the line before [veraart2013]_:

    .. math:: \min_{a, R_2^*} \sum_n \hat{S}_n^2 (\ln S_n - a + R_2^* TE_n)^2, \quad S_0 = e^a

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
        Standard deviation of the noise in the real part, in the magnitude's unit; 0 to estimate
        it from the decay of three echoes or more.
    min_snr
        Echoes are used up to the first whose magnitude is below this many times the noise, two at
        least.
    passes
        How often the line is drawn; 1 for the squared magnitude as weights.

    Returns
    -------
    relaxation : Relaxation
        R2* in 1/s, T2* in s, S0, the relative misfit and the number of echoes used.

    References
    ----------
    .. [veraart2013] Veraart et al., NeuroImage 81:335-346 (2013).
       doi:10.1016/j.neuroimage.2013.05.028

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> echoes = sphere.echoes((0.004, 0.010, 0.016, 0.022), r2star=25.0)
    >>> fit = loglinear(echoes.magnitude, sphere.mask, echoes.echo_times)
    >>> round(float(fit.r2star[sphere.mask].mean()), 1), round(float(fit.s0.max()))
    (25.0, 100)

    """
    decay = with_noise(Decay.of(magnitude, mask, echo_times, dephasing), noise)
    decay = decay.above(min_snr * decay.noise, least=2)
    return finished(decay, *line(decay, passes))

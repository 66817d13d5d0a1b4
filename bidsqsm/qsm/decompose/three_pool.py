"""DECOMPOSE: paramagnetic, diamagnetic and neutral matter of a voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.decompose.pools import candidates, fit_voxels, rate_per_ppm
from bidsqsm.qsm.grid import Mask, Volume

#: Six unknowns against two numbers an echo; three echoes leave nothing to judge the fit by.
FEWEST_ECHOES = 4


class Pools(NamedTuple):
    """What the fit of three pools gives; zero outside the mask and where nothing was fitted.

    Parameters
    ----------
    paramagnetic, diamagnetic : (nx, ny, nz) float32 array
        Susceptibility in ppm that the voxel would show if the other pool were neutral; at least
        zero and at most zero.
    error : (nx, ny, nz) float32 array
        Root mean square misfit over the echoes as a share of the strongest one (dimensionless).
    fitted : (nx, ny, nz) bool array
        Voxels of the mask whose signal could be fitted.

    """

    paramagnetic: Volume
    diamagnetic: Volume
    error: Volume
    fitted: Mask


def three_pool(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    imaging_frequency: float,
    *,
    max_chi: Annotated[float, Between(0, 10)] = 0.5,
    max_iter: Annotated[int, Between(0, 1000)] = 60,
) -> Pools:
    r"""DECOMPOSE, a fit of three pools to the complex signal.

    A voxel holds paramagnetic, diamagnetic and neutral matter [chen2021]_:

    .. math:: S(t) = \left( C_+ e^{(-a + i \kappa) \chi_+ t} + C_- e^{(-a - i \kappa) |\chi_-| t}
       + C_0 \right) e^{-R_{2,0}^* t}

    with :math:`a = \frac{2 \pi}{9 \sqrt 3} \omega`, the static dephasing among spheres
    [yablonskiy1994]_, and :math:`\kappa = \frac{2}{3} \omega` for the angular frequency
    :math:`\omega` of 1 ppm. Each voxel starts from the best of a coarse grid of rates and
    susceptibilities, with amplitudes by nonnegative least squares, and goes on by Levenberg and
    Marquardt's method [marquardt1963]_ within the bounds. The maps are the slopes of the phase
    of :math:`C_+ e^{i \kappa \chi_+ t - a \chi_+ t} + C_- + C_0`, and of the same with the other
    pool, over the echoes with their squared magnitude as weights: what a susceptibility map would
    show of one kind of source, were the other neutral.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Unwrapped phase in rad of the voxel's own susceptibility, growing with it (see
        :func:`bidsqsm.qsm.decompose.own_phase.own_phase`).
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude of four echoes or more.
    mask : (nx, ny, nz) bool array
        Voxels to fit; the result is zero elsewhere.
    echo_times
        Echo times in s, ascending, at any distances.
    imaging_frequency
        In MHz.
    max_chi
        Largest susceptibility of a pool, of either sign, in ppm; voxels beyond it are not fitted.
    max_iter
        Iterations after which to stop regardless: steps in each voxel.

    Returns
    -------
    pools : Pools
        Paramagnetic and diamagnetic susceptibility in ppm, relative misfit, voxels fitted.

    References
    ----------
    .. [chen2021] Chen et al., NeuroImage 242:118477 (2021). doi:10.1016/j.neuroimage.2021.118477
    .. [yablonskiy1994] Yablonskiy and Haacke, Magn Reson Med 32:749-763 (1994).
       doi:10.1002/mrm.1910320610
    .. [marquardt1963] Marquardt, J Soc Ind Appl Math 11:431-441 (1963). doi:10.1137/0111030

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.decompose.own_phase import own_phase
    >>> mask = np.ones((4, 4, 4), bool)
    >>> times, chi = [0.005, 0.011, 0.017, 0.023, 0.029], 0.05 * mask
    >>> magnitude = np.stack([100 * np.exp(-20 * t) * mask for t in times]).astype('f4')
    >>> magnitude[0, 0, 0, 0] += 1  # the brightest of all is no saturated value
    >>> pools = three_pool(own_phase(chi, times, 127.74), magnitude, mask, times, 127.74)
    >>> round(float(np.median(pools.paramagnetic + pools.diamagnetic)), 2)
    0.05

    """
    times = _checked(phase, magnitude, mask, echo_times)
    unit = rate_per_ppm(imaging_frequency)
    fitted = fittable(phase, magnitude, mask, largest=abs(unit.imag) * max_chi * times[-1])
    found = np.zeros((3, int(fitted.sum())), np.float32)
    angles, sizes = (np.ascontiguousarray(echoes[:, fitted]) for echoes in (phase, magnitude))
    start = candidates(times, unit, max_chi)
    fit_voxels(angles, sizes, times, unit, start, max_chi, max_iter, found)
    volumes = np.zeros((3, *mask.shape), np.float32)
    volumes[:, fitted] = found
    return Pools(volumes[0], volumes[1], volumes[2], fitted)


def fittable(phase: Volume, magnitude: Volume, mask: Mask, *, largest: float) -> Mask:
    """Voxels of the mask that the model may hold for.

    Their magnitude is positive in every echo and not saturated (the greatest of all, more than
    once), and their phase (rad) is finite and ends within the largest.
    """
    sizes, angles = magnitude[:, mask], phase[:, mask]
    positive = (np.isfinite(sizes) & (sizes > 0)).all(axis=0)
    greatest = sizes[np.isfinite(sizes)].max(initial=0)
    saturated = (sizes == greatest).sum(axis=0) > 1
    within = np.isfinite(angles).all(axis=0) & (np.abs(angles[-1]) <= largest)
    good = mask.copy()
    good[mask] = positive & ~saturated & within
    return good


def _checked(phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Volume:
    times = np.asarray(echo_times, float)
    for name, echoes in (('phase', phase), ('magnitude', magnitude)):
        if echoes.shape != (times.size, *mask.shape):
            raise ValueError(
                f'{name} has shape {echoes.shape}, but {times.size} echo times and a mask of '
                f'{mask.shape} ask for {(times.size, *mask.shape)}: put echoes first'
            )
    if times.size < FEWEST_ECHOES:
        raise ValueError(
            f'three pools need {FEWEST_ECHOES} echoes or more, found {times.size}: leave decompose out'
        )
    if not (np.diff(times) > 0).all() or times[0] <= 0:
        raise ValueError(
            f'echo times must be positive and ascend, found {times.tolist()} s: sort the echoes'
        )
    return times

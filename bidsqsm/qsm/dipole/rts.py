"""Rapid two-step inversion."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.modelled_fields import KnownSpectrum
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.kspace.weighted_least_squares import fit
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import KNOWN_FACTOR, variation_weight
from bidsqsm.qsm.window import Window


def rts(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    threshold: Annotated[float, Between(0, 2 / 3)] = 0.12,
    steps: Annotated[int, Between(0, 1000)] = 4,
    weight: Annotated[float | None, Between(0, 1)] = None,
    rho: Annotated[float, Between(0, 1e6)] = 100.0,
    tol: Annotated[float, Between(0, 1)] = 2e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Rapid two-step inversion (RTS).

    First the well-conditioned part of k-space [kames2018]_, by a few steps of least squares,

    .. math:: \min_{\chi_0} \tfrac12 \|W (D\chi_0 - f)\|_2^2,

    then the rest of it, by the map of least total variation that agrees with it,

    .. math:: \min_\chi \tfrac12 \|\chi(k) - \chi_0(k)\|_2^2 \big|_{|D| > \delta}
       + \lambda \|\nabla\chi\|_{2,1}

    W is zero outside the mask: there the field is unknown, not zero. The steps are conditioned by
    1 / D, its small values bounded, so that they go straight to what the field determines.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise, zero where the field is unknown; scaled to a
        mean of one where it is not zero, so that its unit does not matter. All ones if not given.
    threshold
        Magnitude :math:`\delta` of the dipole kernel up to which k-space is ill-conditioned
        (dimensionless): there total variation fills it.
    steps
        Steps of the least squares; more fit the noise.
    weight
        Regularisation weight :math:`\lambda`, in ppm mm, of the second part: the less, the closer
        the map keeps to the first part.
        Found in the field if not given.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed,
        not the solution.
    tol
        Distance of the map to its limit, as a share of the map inside the mask, at which to stop;
        estimated from how its changes fall.
    max_iter
        Iterations after which to stop regardless.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [kames2018] Kames et al., NeuroImage 167:276-283 (2018).
       doi:10.1016/j.neuroimage.2017.11.018

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = rts(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    inner, inside, dipole = window.cut(field), window.cut_mask(), dipole_kernel(window.grid)
    if weight is None:
        weight = variation_weight(
            windowed_spectra(inner, inside, window), KNOWN_FACTOR / threshold**2
        )
    # chi_0(k) is believed where |D| > delta (T = 1); the total variation fills the rest (T = 0)
    spectrum = fit(inner, window.data_weight(weight_map), dipole, threshold, steps, 'rts, fit')
    trust = (np.abs(dipole) > threshold).astype(np.float32)
    penalty = TotalVariation(window.grid, inside, (weight, weight), rho=rho * weight)
    admm = Admm(KnownSpectrum(spectrum, trust), penalty)
    settle(admm.step, name='rts', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

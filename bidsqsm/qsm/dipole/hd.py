"""Inversion in two stages, with a plain and with a squared misfit."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.data_terms import LeastSquares, Phasors
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import iterate, settle
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import plain_variation_weight, variation_weight
from bidsqsm.qsm.window import Window


def hd(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    first_weight: Annotated[float | None, Between(0, 100)] = None,
    first_iter: Annotated[int, Between(1, 10000)] = 20,
    outside: Annotated[float, Between(0, 100)] = 2.0,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""HD-QSM: total variation with a plain misfit, then with a squared one.

    .. math:: \min_\chi \|W (D\chi - f)\|_1 + \|\lambda_1 \nabla\chi\|_{2,1}
        \quad\text{then}\quad
        \min_\chi \tfrac12 \|W' (D\chi - f)\|_2^2 + \|\lambda \nabla\chi\|_{2,1}

    both by the alternating direction method of multipliers, the second from where the first has
    come to in a few steps [lambert2022]_. The first is not misled by outliers; the second smooths
    noise better. What the first left unexplained, :math:`r = D\chi_1 - f`, says how far the second
    may trust a voxel: :math:`W' = W (1 - |r| / \max |r|)`, the largest over the mask.

    The first stage stops early by design, after ``first_iter`` steps; the second converges. The
    authors penalise the differences along each axis by themselves, here it is the length of the
    gradient, as in ``tv``; their weight of the first stage is the root of that of the second, here
    each has its own.

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
    weight
        Regularisation weight :math:`\lambda`, in ppm mm, of the second stage inside the mask.
        Found in the field if not given.
    first_weight
        Regularisation weight :math:`\lambda_1` of the first stage, in mm.
        Found in the field if not given.
    first_iter
        Iterations of the first stage.
    outside
        Regularisation weight outside the mask, as a share of that inside: chi is free there, and
        takes up what is harmonic inside the mask.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed
        more than the solution.
    mu
        Penalty of the splitting of the data, dimensionless, in the second stage; a thousand times
        this, in 1/ppm, in the first. Changes the speed more than the solution.
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
    .. [lambert2022] Lambert et al., Magn Reson Med 88:962-972 (2022). doi:10.1002/mrm.29218

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = hd(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    inner, trust = window.cut(field), window.data_weight(weight_map)
    inside = window.cut_mask()
    spectra = windowed_spectra(inner, inside, window)
    if weight is None:
        weight = variation_weight(spectra)
    if first_weight is None:
        first_weight = plain_variation_weight(spectra, name='first_weight')
    dipole = dipole_kernel(window.grid)
    penalty = TotalVariation(
        window.grid,
        inside,
        (first_weight, first_weight * outside),
        rho=rho * first_weight,
    )
    plain = Phasors(inner, trust, 1000 * mu, 0, plain=True)
    admm = Admm(OneField(dipole, plain), penalty)
    iterate(admm.step, name='hd, first stage', tol=None, max_iter=first_iter)
    model = convolve(admm.chi, dipole)
    trust = believed(trust, model - inner)
    penalty.rescale(rho * weight)
    admm.go_on(OneField(dipole, LeastSquares(inner, trust, mu, start=model)))
    settle(admm.step, name='hd', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)


def believed(trust: Volume, misfit: Volume) -> Volume:
    """Lower the trust W in each voxel by its misfit, as a share of the largest: W (1 - |r| / max |r|).

    Examples
    --------
    >>> import numpy as np
    >>> believed(np.array([1, 2, 0, 2], 'f4'), np.array([0, 1, 9, -4], 'f4')).tolist()
    [1.0, 1.5, 0.0, 0.0]

    """
    off = np.where(trust > 0, np.abs(misfit), np.float32(0))
    largest = float(off.max())
    # no misfit at all, no reason for distrust
    return trust if largest == 0 else trust * (1 - off / np.float32(largest))

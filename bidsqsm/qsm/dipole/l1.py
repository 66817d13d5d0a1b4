"""Inversion with a plain, not squared, misfit."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.admm.data_terms import Phasors
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import plain_variation_weight
from bidsqsm.qsm.window import Window


def l1(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 100)] = None,
    outside: Annotated[float, Between(0, 100)] = 1.0,
    phase_scale: Annotated[float, Between(1e-3, 1000)] = 15.0,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 1e6)] = 50.0,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""L1-QSM: nonlinear total variation with a plain, not squared, misfit.

    .. math:: \min_\chi \tfrac{1}{k} \|W (e^{i k D\chi} - e^{i k f})\|_1
        + \|\lambda \nabla\chi\|_{2,1}

    by the alternating direction method of multipliers; the split of the field becomes a soft
    threshold along the circle [milovic2022]_. A voxel pulls with its weight however wrong it is, so
    that outliers make no streaks.

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
        Regularisation weight :math:`\lambda`, in mm, inside the mask. That of ``tv`` is about this
        times the misfit that is usual in a voxel.
        Found in the field if not given.
    outside
        Regularisation weight outside the mask, as a share of that inside: chi is free there, and
        takes up what is harmonic inside the mask.
    phase_scale
        Phase k of the signal per field, in rad/ppm: 15 is that at 3 T after 19 ms. Whole turns of
        it, 0.42 ppm, do not count.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed
        more than the solution.
    mu
        Penalty of the splitting of the data, in 1/ppm; changes the speed more than the solution.
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
    .. [milovic2022] Milovic et al., Magn Reson Med 87:457-473 (2022). doi:10.1002/mrm.28957

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = l1(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    inner, inside = window.cut(field), window.cut_mask()
    if weight is None:
        weight = plain_variation_weight(windowed_spectra(inner, inside, window))
    trust = window.data_weight(weight_map)
    data = Phasors(inner, trust, mu, phase_scale, plain=True)
    penalty = TotalVariation(window.grid, inside, (weight, weight * outside), rho=rho * weight)
    admm = Admm(OneField(dipole_kernel(window.grid), data), penalty)
    settle(admm.step, name='l1', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

"""Nonlinear total variation beside a weakly harmonic field."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.admm.data_terms import Phasors
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.weak_harmonic import WeakHarmonic
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import HARMONIC_FACTOR, variation_weight
from bidsqsm.qsm.window import Window


def wh(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    outside: Annotated[float, Between(0, 100)] = 1.0,
    harmonic_weight: Annotated[float, Between(0, 1e6)] = 1500.0,
    phase_scale: Annotated[float, Between(1e-3, 1000)] = 15.0,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    mu_harmonic: Annotated[float, Between(0, 1e6)] = 1.0,
    max_iter: Annotated[int, Between(0, 10000)] = 80,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Weak-harmonic nonlinear total variation (WH-QSM).

    .. math:: \min_{\chi, \phi} \tfrac{1}{2 k^2} \|W (e^{i k (D\chi + \phi)} - e^{i k f})\|_2^2
        + \|\lambda \nabla\chi\|_{2,1} + \tfrac{\beta}{2} \|M \nabla^2 \phi\|_2^2

    by the alternating direction method of multipliers [milovic2019]_. What the removal of the
    background has left in the mask M, or has taken with it, is harmonic there: it costs next to
    nothing as :math:`\phi` and need not be explained by susceptibility. Use ``nltv`` for a field that
    is free of such errors, which this method loses some of.

    Stops early by design, after ``max_iter`` steps. The smooth part of the harmonic field comes
    first; what it takes of the field in the outermost layers of the mask comes ever more slowly, and
    costs the map detail there. After 80 steps it is 6 % of the map from the limit, two voxels deep
    less than 3 %; after 500, 2 %.

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
        Regularisation weight :math:`\lambda`, in ppm mm, inside the mask.
        Found in the field if not given.
    outside
        Regularisation weight outside the mask, as a share of that inside: chi is free there, and
        takes up what is harmonic inside the mask.
    harmonic_weight
        Weight :math:`\beta` of the Laplacian of the harmonic field, in mm^4.
    phase_scale
        Phase k of the signal per field, in rad/ppm: 15 is that at 3 T after 19 ms. Whole turns of
        it, 0.42 ppm, do not count.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed
        more than the solution.
    mu
        Penalty of the splitting of the data, dimensionless; changes the speed more than the
        solution.
    mu_harmonic
        Penalty of the splitting of the Laplacian, in mm^4; changes the speed more than the solution.
    max_iter
        Iterations after which to stop regardless, here by design.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [milovic2019] Milovic et al., Magn Reson Med 81:1399-1411 (2019). doi:10.1002/mrm.27483

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = wh(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    inner, inside = window.cut(field), window.cut_mask()
    if weight is None:
        weight = variation_weight(windowed_spectra(inner, inside, window), HARMONIC_FACTOR)
    trust = window.data_weight(weight_map)
    data = Phasors(inner, trust, mu, phase_scale)
    penalty = WeakHarmonic(
        window.grid,
        inside,
        (weight, weight * outside),
        rho=rho * weight,
        harmonic_weight=harmonic_weight,
        mu_harmonic=mu_harmonic,
    )
    admm = Admm(OneField(dipole_kernel(window.grid), data), penalty)
    iterate(admm.step, name='wh', tol=None, max_iter=max_iter)
    return window.restore(admm.chi)

"""Total variation beside noise and model errors whose spectrum the field itself tells."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.modelled_fields import ColouredField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import note_weight, whitened_variation_weight
from bidsqsm.qsm.window import Window


def wiener_tv(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    colour: Annotated[float, From(0, 1)] = 0.4,
    outside: Annotated[float, Between(0, 100)] = 1.0,
    rho: Annotated[float, Between(0, 1e6)] = 100.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 200,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Total variation beside the noise and the errors of the model that the field shows.

    .. math:: \min_{\chi, e} \tfrac12 \|W (D\chi + e - f)\|_2^2 + \tfrac12 \|C^{-1/2} e\|_2^2
        + \|\lambda \nabla\chi\|_{2,1}, \quad 1 + C(k) = (N(k) / N_{min})^c

    by the alternating direction method of multipliers [bilgic2014]_. On the cone where the dipole
    kernel D is zero the field holds noise and what the model does not explain; its power there, N(k),
    is red in people: slow errors are larger than quick ones. The field e takes them up, and so they
    need not be explained by susceptibility. The weight follows from N(k) and from S(k), the power of
    susceptibility that the field off the cone tells. With c = 1 the data would be whitened fully;
    as the most probable map of a total variation is a dull one, half as much keeps more of the
    nuclei at the same error.

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
        Regularisation weight :math:`\lambda`, in ppm mm, beside the noise of the quietest
        frequencies; found in the field if not given.
    colour
        Power c by which the spectrum of the noise counts (dimensionless); 0 for white.
    outside
        Regularisation weight outside the mask, as a share of that inside.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm: one over the slope
        of chi at an edge; changes the speed, not the solution.
    mu
        Penalty of the splitting of the data, dimensionless; changes the speed, not the solution.
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
    .. [bilgic2014] Bilgic et al., Magn Reson Med 72:1444-1459 (2014). doi:10.1002/mrm.25029

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = wiener_tv(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    inner, inside = window.cut(field), window.cut_mask()
    found = windowed_spectra(inner, inside, window)
    # in units of the quietest shell, whose noise is taken for that of the voxels: white
    power = (found.noise / found.noise.min()) ** colour
    if weight is None:
        weight = note_weight(whitened_variation_weight(found, colour))
    error = found.shells.on_grid(power)
    error -= np.float32(1)
    data = LeastSquares(inner, window.data_weight(weight_map), mu)
    penalty = TotalVariation(window.grid, inside, (weight, weight * outside), rho=rho * weight)
    admm = Admm(ColouredField(dipole_kernel(window.grid), data, error), penalty)
    settle(admm.step, name='wiener-tv', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

"""Single-step total-variation inversion."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.modelled_fields import SeveralFields
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.sphere_terms import radii_of_bank, sphere_terms
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import (
    SPHERES_FACTOR,
    note_weight,
    whitened_variation_weight,
)
from bidsqsm.qsm.window import Window


def sstv(
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    colour: Annotated[float, From(0, 1)] = 0.4,
    max_radius: Annotated[float, Between(0, 100)] = 18.0,
    n_radii: Annotated[int, Between(0, 100)] = 6,
    rho: Annotated[float, Between(0, 1e6)] = 400.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 1e-2,
    max_iter: Annotated[int, Between(0, 10000)] = 200,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Single-step inversion with total variation (SSTV).

    .. math:: \min_\chi \tfrac12 \sum_r \|W M_r (\delta - s_r) * (D\chi - f)\|_2^2
              + \lambda \|\nabla\chi\|_{2,1}

    where :math:`s_r` is the mean over a sphere of radius r and :math:`M_r` the voxels whose
    largest sphere inside the mask it is: a field of sources outside the mask is harmonic in it,
    equals its mean over such a sphere, and falls out of the data [chatnuntawech2017]_. The bank of
    spheres is that of V-SHARP [wu2012]_, but nothing is divided out of its result: what the spheres
    do to the field of the tissue is part of the model. Solved by the alternating direction method
    of multipliers with a split for each sphere.

    Beyond the paper, a field e beside :math:`D\chi`, of the spectrum
    :math:`(N(k) / N_{min})^c - 1`, takes up errors of the model, as in ``wiener-tv``: N(k) and the
    weight are read off the field after a first removal of the background.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise; scaled to a mean of one where it is not zero,
        so that its unit does not matter. All ones if not given.
    weight
        Regularisation weight :math:`\lambda`, in ppm mm, beside the noise of the quietest
        frequencies; found in the field if not given.
    colour
        Power c by which the spectrum of the noise counts (dimensionless); 0 for white, which is the
        published method.
    max_radius
        Radius of the largest sphere, in mm; the smallest is the longest voxel edge.
    n_radii
        Number of radii, each the same share of the one before.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the
        speed, not the solution.
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
    .. [chatnuntawech2017] Chatnuntawech et al., NMR Biomed 30:e3570 (2017). doi:10.1002/nbm.3570
    .. [wu2012] Wu et al., Magn Reson Med 67:137-147 (2012). doi:10.1002/mrm.23000

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = sstv(sphere.total_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, max(padding, max_radius))
    inside, trust = window.cut_mask(), window.data_weight(weight_map)
    radii = radii_of_bank(max_radius, n_radii, grid.voxel_size)
    # a sphere takes no field from where it is not known
    found = spectra_behind(total_field, mask, grid)
    power = (found.noise / found.noise.min()) ** colour
    if weight is None:
        weight = note_weight(whitened_variation_weight(found, colour, SPHERES_FACTOR))
    error = replace(found.shells, grid=window.grid).on_grid(power) - np.float32(1)
    terms = sphere_terms(
        window.cut(total_field), trust, trust > 0, window, radii, mu=mu, error=error
    )
    penalty = TotalVariation(window.grid, inside, (weight, weight), rho=rho * weight)
    admm = Admm(SeveralFields(terms), penalty)
    settle(admm.step, name='sstv', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

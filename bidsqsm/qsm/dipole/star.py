"""Strong sources first, the rest from what is left."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import variation_weight
from bidsqsm.qsm.window import Window

MU = 5e-2  # penalty of the field's splitting


def star(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    strong: Annotated[float, Between(1, 1e6)] = 10.0,
    source_threshold: Annotated[float, From(0, 100)] = 0.05,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Streaking artefact reduction (STAR-QSM).

    A map of little detail, by total variation with a strong weight, tells the strong sources: veins,
    iron-rich nuclei, blood. Their field is taken off before a weak weight looks for the fine detail
    in what is left, which their streaks would drown otherwise [wei2015]_:

    .. math:: \chi_s = \chi_1 \text{ where } |\chi_1 - \operatorname{median}| > t, \quad
       \chi = \chi_s + \arg\min_x \tfrac12 \|W (D x + D \chi_s - f)\|_2^2
       + \lambda \|\nabla x\|_{2,1}

    W is zero outside the mask: there the field is unknown, not zero.

    The two levels of regularisation are those of the paper. Its program is closed, so that the ratio of
    the weights, ``strong``, and what counts as a strong source, ``source_threshold``, are chosen here, as is
    the solver.

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
        Regularisation weight :math:`\lambda`, in ppm mm, of the second map.
        Found in the field if not given.
    strong
        Weight of the first map as a multiple of that of the second.
    source_threshold
        Distance :math:`t` from the median at which a source counts as strong, in ppm.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed,
        not the solution.
    tol
        Distance of the map to its limit, as a share of the map inside the mask, at which to stop;
        estimated from how its changes fall.
    max_iter
        Iterations after which to stop regardless, for each of the two maps.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [wei2015] Wei et al., NMR Biomed 28:1294-1303 (2015). doi:10.1002/nbm.3383

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = star(sphere.local_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding)
    local, inside = window.cut(field), window.cut_mask()
    trust = window.data_weight(weight_map)
    if weight is None:
        weight = variation_weight(windowed_spectra(local, inside, window))

    dipole = dipole_kernel(window.grid)

    def least_variation(data: Volume, weight: float, name: str) -> Volume:
        penalty = TotalVariation(window.grid, inside, (weight, weight), rho=rho * weight)
        admm = Admm(OneField(dipole, LeastSquares(data, trust, MU)), penalty)
        settle(admm.step, name=name, tol=tol, max_iter=max_iter)
        return admm.chi

    # chi_1: the strong weight leaves the strong sources only, without streaks and without detail
    sources = least_variation(local, strong * weight, 'star, strong sources')
    # chi is known up to a constant, so strong (> t) means far from the bulk of tissue
    sources -= np.median(sources[inside])
    sources[~inside | (np.abs(sources) <= source_threshold)] = 0
    # f - D chi_s: what is left is of one order of size, and a weak weight keeps its detail
    local -= convolve(sources, dipole)
    return window.restore(sources + least_variation(local, weight, 'star'))

"""Single-step total-generalised-variation inversion."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.admm.generalized_variation import GeneralizedVariation
from bidsqsm.qsm.admm.modelled_fields import SeveralFields
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.sphere_terms import radii_of_bank, sphere_terms
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import variation_weight
from bidsqsm.qsm.window import Window


def sstgv(
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    second: Annotated[float, Between(0, 1000)] = 4.0,
    max_radius: Annotated[float, Between(0, 100)] = 12.0,
    n_radii: Annotated[int, Between(0, 100)] = 6,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Single-step inversion with total generalised variation (SSTGV).

    .. math:: \min_{\chi, w} \tfrac12 \sum_r \|W M_r (\delta - s_r) * (D\chi - f)\|_2^2
              + \lambda \|\nabla\chi - w\|_{2,1} + \lambda\tau \|\mathcal{E}w\|_{2,1}

    where :math:`s_r` is the mean over a sphere of radius r and :math:`M_r` the voxels whose
    largest sphere inside the mask it is: a field of sources outside the mask is harmonic in it,
    equals its mean over such a sphere, and falls out of the data [chatnuntawech2017]_. The bank of
    spheres is that of V-SHARP [wu2012]_, but nothing is divided out of its result: what the spheres
    do to the field of the tissue is part of the model. The penalty lets chi rise evenly at a low
    price, where total variation makes steps [langkammer2015]_. Solved by the alternating direction method
    of multipliers with a split for each sphere and the slope w solved for together with chi.

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
        Regularisation weight :math:`\lambda`, in ppm mm.
        Found in the field if not given.
    second
        Price of a change of slope over that of a step, :math:`\tau`, in mm.
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
    .. [langkammer2015] Langkammer et al., NeuroImage 111:622-630 (2015).
       doi:10.1016/j.neuroimage.2015.02.041
    .. [wu2012] Wu et al., Magn Reson Med 67:137-147 (2012). doi:10.1002/mrm.23000

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = sstgv(sphere.total_field, sphere.mask, sphere.grid)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, max(padding, max_radius))
    inside, trust = window.cut_mask(), window.data_weight(weight_map)
    if weight is None:
        weight = variation_weight(spectra_behind(total_field, mask, grid))
    radii = radii_of_bank(max_radius, n_radii, grid.voxel_size)
    # a sphere takes no field from where it is not known
    terms = sphere_terms(window.cut(total_field), trust, trust > 0, window, radii, mu=mu)
    penalty = GeneralizedVariation(
        window.grid, inside, (weight, weight), length=second, rho=rho * weight
    )
    admm = Admm(SeveralFields(terms), penalty)
    settle(admm.step, name='sstgv', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

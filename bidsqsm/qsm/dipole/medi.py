"""Morphology-enabled dipole inversion."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.admm.magnitude_edges import edge_codes, without_mean
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.outlier_weights import Reweighted
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import variation_weight
from bidsqsm.qsm.window import Window


def medi(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    magnitude: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    edges: Annotated[float, From(0, 100)] = 10.0,
    outside: Annotated[float, Between(0, 100)] = 1.0,
    outlier: Annotated[float, Between(0, 1000)] = 6.0,
    smv_radius: Annotated[float, From(0, 100)] = 0.0,
    phase_scale: Annotated[float, Between(1e-3, 1000)] = 15.0,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Morphology-enabled dipole inversion (MEDI).

    .. math:: \min_\chi \tfrac{1}{2 k^2} \|W (e^{i k D\chi} - e^{i k f})\|_2^2
        + \lambda \|M \nabla\chi\|_1

    where M is zero across the edges of the magnitude: chi may change there at no cost, and is smooth
    elsewhere [liu2012]_. The data term is blind to whole turns, and voxels whose misfit is far beyond
    that of the others, which noise cannot explain, are trusted less as the iteration goes on (MERIT)
    [liu2013]_. Solved by the alternating direction method of multipliers rather than by the papers'
    Gauss-Newton method: the same minimum in a small part of the time.

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
    magnitude : (nx, ny, nz) float32 array
        Of the scan, in any unit; needed, though it comes as a keyword.
    weight
        Regularisation weight :math:`\lambda`, in ppm mm.
        Found in the field if not given.
    edges
        Percentage of the differences between neighbours in the mask that count as edges: those with
        the largest relative change of the magnitude per mm.
    outside
        Regularisation weight outside the mask, as a share of that inside: small lets chi outside take
        up what the removal of the background has left.
    outlier
        Misfit beyond which a voxel is trusted less, in standard deviations of the misfit of all.
    smv_radius
        Radius of a sphere whose mean is taken from the field and from its model alike, in mm,
        which removes what is left of the background and the data less than a radius from the rim;
        0 for none.
    phase_scale
        Phase k of the signal per field, in rad/ppm: 15 is that at 3 T after 19 ms. Whole turns of
        it, 0.42 ppm, do not count.
    rho
        Penalty of the gradient's splitting as a multiple of the weight, in mm/ppm; changes the speed
        more than the solution.
    mu
        Penalty of the splitting of the data, dimensionless; changes the speed more than the
        solution.
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
    .. [liu2012] Liu J et al., NeuroImage 59:2560-2568 (2012). doi:10.1016/j.neuroimage.2011.08.082
    .. [liu2013] Liu T et al., Magn Reson Med 69:467-476 (2013). doi:10.1002/mrm.24272

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> magnitude = 100 - 50 * sphere.chi  # its edge is that of the sphere
    >>> chi = medi(sphere.local_field, sphere.mask, sphere.grid, magnitude=magnitude)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    window = Window.around(mask, grid, padding + smv_radius)
    # the model is filtered as the data are (``blur``), or the sphere's mean would count as misfit
    data, trust, blur = without_mean(field, weight_map, window, smv_radius)
    inside = window.cut_mask()
    if weight is None:
        weight = variation_weight(windowed_spectra(window.cut(field), inside, window))
    # M is zero at the edges of the magnitude; outliers lose their weight on the way (MERIT)
    kernel = dipole_kernel(window.grid) if blur is None else blur * dipole_kernel(window.grid)
    penalty = TotalVariation(
        window.grid,
        inside,
        (weight, weight * outside),
        rho=rho * weight,
        codes=edge_codes(magnitude, window, edges),
    )
    admm = Admm(OneField(kernel, Reweighted(data, trust, mu, phase_scale, outlier)), penalty)
    settle(admm.step, name='medi', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

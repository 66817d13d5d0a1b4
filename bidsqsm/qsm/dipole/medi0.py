"""Morphology-enabled dipole inversion with uniform cerebrospinal fluid."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.magnitude_edges import edge_codes, without_mean
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.outlier_weights import Reweighted
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.uniform_region import Uniform
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.reference.csf import central_parts, decays_slowly
from bidsqsm.qsm.spectra.field_spectra import windowed_spectra
from bidsqsm.qsm.spectra.weight_laws import variation_weight
from bidsqsm.qsm.window import Window

LOGGER = logging.getLogger(__name__)
NU = 3e-3  # penalty of the fluid's splitting: larger ones slow down the whole map, smaller ones it


def medi0(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    magnitude: Volume | None = None,
    r2star: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    csf_weight: Annotated[float, From(0, 1000)] = 0.1,
    max_r2star: Annotated[float, Between(0, 1000)] = 5.0,
    search_radius: Annotated[float, Between(0, 200)] = 30.0,
    components: Annotated[int, Between(0, 1000)] = 3,
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
    r"""Morphology-enabled dipole inversion with uniform fluid (MEDI+0).

    .. math:: \min_\chi \tfrac{1}{2 k^2} \|W (e^{i k D\chi} - e^{i k f})\|_2^2
        + \lambda \|M \nabla\chi\|_1 + \tfrac{\lambda_0}{2} \|\chi - \bar\chi\|_{2, CSF}^2

    MEDI with a penalty on what the susceptibility of the ventricles' fluid differs from its mean: the
    fluid is uniform, and shadows across it are errors that reach further [liu2018]_. It is found by
    its slow decay, as the largest connected parts with :math:`0 < R_2^* < R_{max}`, and with signal,
    near the centre of the mask; where there is no R2* or no such voxel, the penalty is left out with a warning. The
    other terms, and how the minimum is found, are those of ``medi`` [liu2012]_ [liu2013]_.

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
    r2star : (nx, ny, nz) float32 array, optional
        Effective transverse relaxation rate, in 1/s.
    weight
        Regularisation weight :math:`\lambda`, in ppm mm.
        Found in the field if not given.
    csf_weight
        Weight :math:`\lambda_0` of the fluid's variance, as a share of that of the data.
    max_r2star
        Rate :math:`R_{max}` below which a voxel may be fluid, in 1/s.
    search_radius
        Distance from the centre of the mask within which to look for fluid, in mm.
    components
        Number of connected parts of the fluid to keep.
    edges
        Percentage of the differences between neighbours in the mask that count as edges: those with
        the largest relative change of the magnitude per mm.
    outside
        Regularisation weight outside the mask, as a share of that inside.
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
    .. [liu2018] Liu Z et al., Magn Reson Med 79:2795-2803 (2018). doi:10.1002/mrm.26946
    .. [liu2012] Liu J et al., NeuroImage 59:2560-2568 (2012). doi:10.1016/j.neuroimage.2011.08.082
    .. [liu2013] Liu T et al., Magn Reson Med 69:467-476 (2013). doi:10.1002/mrm.24272

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> decay = {'magnitude': 100 - 50 * sphere.chi, 'r2star': np.where(sphere.inside, 2, 20)}
    >>> chi = medi0(sphere.local_field, sphere.mask, sphere.grid, **decay)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    The fluid, here the sphere that hardly decays, is kept uniform:

    >>> round(float(chi[sphere.inside].std()), 2)
    0.01

    """
    window = Window.around(mask, grid, padding + smv_radius)
    data, trust, blur = without_mean(field, weight_map, window, smv_radius)
    inside = window.cut_mask()
    if weight is None:
        weight = variation_weight(windowed_spectra(window.cut(field), inside, window))
    # M_CSF: the fluid, told by its slow decay, whose variance is penalised
    fluid = fluid_of(mask, grid, r2star, magnitude, max_r2star, search_radius, components)
    kernel = dipole_kernel(window.grid) if blur is None else blur * dipole_kernel(window.grid)
    penalty = TotalVariation(
        window.grid,
        inside,
        (weight, weight * outside),
        rho=rho * weight,
        codes=edge_codes(magnitude, window, edges),
        uniform=None if fluid is None else Uniform(window.cut(fluid) > 0, csf_weight, NU),
    )
    admm = Admm(OneField(kernel, Reweighted(data, trust, mu, phase_scale, outlier)), penalty)
    settle(admm.step, name='medi0', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)


def fluid_of(
    mask: Mask,
    grid: Grid,
    r2star: Volume | None,
    magnitude: Volume | None,
    max_r2star: float,
    radius: float,
    components: int,
) -> Volume | None:
    """Ones in the ventricles, or None with a warning where they cannot be found."""
    if r2star is None:
        LOGGER.warning('medi0 was given no R2* to find fluid with: it works as medi does')
        return None
    slow = decays_slowly(mask, r2star, max_r2star, magnitude)
    region = central_parts(slow, mask, grid, radius, components)
    if not region.any():
        LOGGER.warning(
            'medi0 found no voxel with R2* below %g 1/s within %g mm of the centre of the mask: '
            'it works as medi does',
            max_r2star,
            radius,
        )
        return None
    return region.astype(np.float32)

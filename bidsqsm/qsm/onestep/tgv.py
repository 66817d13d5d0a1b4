"""Total-generalised-variation inversion of wrapped phase."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.generalized_variation import GeneralizedVariation
from bidsqsm.qsm.admm.modelled_fields import DataTerm, SeveralFields
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.harmonic_field import anharmonic_field
from bidsqsm.qsm.iteration import settle
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import variation_weight
from bidsqsm.qsm.window import Window


def tgv(
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    echoes: Echoes | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    second: Annotated[float, Between(0, 1000)] = 4.0,
    outside: Annotated[float, Between(0, 100)] = 0.1,
    erosion: Annotated[int, From(0, 100)] = 0,
    rho: Annotated[float, Between(0, 1e6)] = 200.0,
    mu: Annotated[float, Between(0, 100)] = 0.1,
    tol: Annotated[float, Between(0, 1)] = 5e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 500,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Total-generalised-variation inversion of wrapped phase (TGV-QSM).

    .. math:: \min_{\chi, w, \psi} \tfrac12 \|W\psi\|_2^2
              + \lambda \|\nabla\chi - w\|_{2,1} + \lambda\tau \|\mathcal{E}w\|_{2,1}
              \quad \text{where} \quad
              \nabla^2 \psi = \tfrac13 \nabla^2\chi - \partial_b^2 \chi - \nabla^2 f
              \text{ in the mask}

    with the second derivative along the main field b, whatever its direction [langkammer2015]_.
    The Laplacian of the field f is had from wrapped phase and blind to fields that are harmonic in
    the mask, which is what sources outside make: nothing is unwrapped and no background removed.
    Of several echoes, each phase difference between neighbours is expected from the earlier ones
    and weighs as one over its variance.

    The equation says that :math:`\psi = D\chi - f + h` with any h that is harmonic in the mask.
    As the solution is the same for all f of one Laplacian, the one that vanishes at the edge is
    taken, which leaves h small; h is the field of a susceptibility outside the mask that costs
    little. This turns some thousand steps of a primal-dual iteration into tens of the alternating
    direction method of multipliers, solved in k-space.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm; used only where there are no echoes.
    mask : (nx, ny, nz) bool array
        Voxels where the phase is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise; scaled to a mean of one where it is not zero,
        so that its unit does not matter. All ones if not given.
    echoes : Echoes, optional
        Wrapped phase and magnitude of each echo.
    weight
        Regularisation weight :math:`\lambda`, in ppm mm, inside the mask; found in the field if
        not given.
    second
        Price of a change of slope over that of a step, :math:`\tau`, in mm.
    outside
        Regularisation weight outside the mask, as a share of that inside.
    erosion
        Layers of voxels whose phase is not used, at the edge of the mask.
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
    .. [langkammer2015] Langkammer et al., NeuroImage 111:622-630 (2015).
       doi:10.1016/j.neuroimage.2015.02.041

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = tgv(sphere.total_field, sphere.mask, sphere.grid)
    >>> 0.38 < sphere.contrast(chi) < 0.5
    True

    """
    if weight is None:
        weight = variation_weight(spectra_behind(total_field, mask, grid))
    window = Window.around(mask, grid, padding)
    trust = window.data_weight(weight_map)
    field, known = anharmonic_field(total_field, echoes, trust > 0, erosion, window)
    trust *= known
    inside = window.cut_mask()
    term = DataTerm(dipole_kernel(window.grid), LeastSquares(field, trust, mu))
    penalty = GeneralizedVariation(
        window.grid,
        inside,
        (weight, weight * outside),
        length=second,
        rho=rho * weight,
    )
    admm = Admm(SeveralFields([term]), penalty)
    settle(admm.step, name='tgv', tol=tol, max_iter=max_iter)
    return window.restore(admm.chi)

"""Total field inversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from bidsqsm.qsm.admm.magnitude_edges import edge_codes
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.outlier_weights import Reweighted
from bidsqsm.qsm.admm.solver import Admm, relative_change
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.harmonic_field import harmonic_part
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.spectra.total_field import spectra_behind
from bidsqsm.qsm.spectra.weight_laws import GIVEN_BACK_FACTOR, variation_weight
from bidsqsm.qsm.window import Window

# steps of the solver in the first round, which starts from nothing, and in later ones
FIRST, LATER = 30, 10


def tfi(
    total_field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    magnitude: Volume | None = None,
    weight: Annotated[float | None, Between(0, 1)] = None,
    edges: Annotated[float, From(0, 100)] = 10.0,
    outside: Annotated[float, Between(0, 100)] = 0.3,
    outlier: Annotated[float, Between(0, 1000)] = 6.0,
    share: Annotated[float, From(0, 1)] = 0.8,
    phase_scale: Annotated[float, Between(1e-3, 1000)] = 15.0,
    rho: Annotated[float, Between(0, 1e6)] = 100.0,
    mu: Annotated[float, Between(0, 100)] = 5e-2,
    tol: Annotated[float, Between(0, 1)] = 2e-2,
    max_iter: Annotated[int, Between(0, 1000)] = 25,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Total field inversion (TFI).

    .. math:: \min_\chi \tfrac{1}{2 k^2} \|W (e^{i k (D\chi + \phi)} - e^{i k f})\|_2^2
        + \lambda \|M \nabla\chi\|_1,
        \quad \nabla^2 \phi = 0 \text{ inside}, \quad \phi = f - \alpha D\chi \text{ on the edge}

    The fields of the sources inside and outside the mask are found together [liu2017]_, chi with the
    regularisation of MEDI. The paper has a map of the sources outside, and needs a preconditioner,
    as they are so much stronger; simplified, here it is their field that is found, which is harmonic inside and
    so follows from its values at the edge of the mask. In turns, chi is moved on and phi made anew
    from what chi explains at the edge, which LBV takes for nothing [zhou2014]_. Chi is least well
    known near the edge, so that it is believed there only by the share :math:`\alpha` below one.

    Stops early by design: a round has 10 steps of the solver, and the rounds end when the map changes by
    less than ``tol`` from one to the next, or after ``max_iter``. With a share near one chi and phi go on
    exchanging what is harmonic, ever more slowly.

    The mask should end where the tissue does: of what it cuts through, this method makes more errors
    than ``sstv``.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm.
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
        Regularisation weight :math:`\lambda`, in ppm mm; found in the field if not given.
    edges
        Percentage of the differences between neighbours in the mask that count as edges: those with
        the largest relative change of the magnitude per mm.
    outside
        Regularisation weight outside the mask, as a share of that inside.
    outlier
        Misfit beyond which a voxel is trusted less, in standard deviations of the misfit of all.
    share
        :math:`\alpha`, the share of the field of chi at the edge that is believed; 0 for LBV and MEDI.
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
        Distance of the map to its limit, as a share of the map inside the mask, at which to stop; here
        the change from one round to the next stands for it.
    max_iter
        Iterations after which to stop regardless: rounds.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [liu2017] Liu Z et al., Magn Reson Med 78:303-315 (2017). doi:10.1002/mrm.26331
    .. [zhou2014] Zhou et al., NMR Biomed 27:312-319 (2014). doi:10.1002/nbm.3064

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> magnitude = 100 - 50 * sphere.chi  # its edge is that of the sphere
    >>> chi = tfi(sphere.total_field, sphere.mask, sphere.grid, magnitude=magnitude)
    >>> 0.4 < sphere.contrast(chi) < 0.5
    True

    """
    if weight is None:
        weight = variation_weight(spectra_behind(total_field, mask, grid), GIVEN_BACK_FACTOR)
    window = Window.around(mask, grid, padding)
    given = mask.astype(np.float32) if weight_map is None else weight_map
    local_field, left = lbv(total_field, mask & (given > 0), grid)
    trust = window.data_weight(given * left)
    data = Reweighted(window.cut(local_field), trust, mu, phase_scale, outlier)
    dipole = dipole_kernel(window.grid)
    penalty = TotalVariation(
        window.grid,
        window.cut_mask(),
        (weight, weight * outside),
        rho=rho * weight,
        codes=edge_codes(magnitude, window, edges),
    )
    admm = Admm(OneField(dipole, data), penalty)
    one_round = _rounds(admm, dipole, data, window, left, share)
    iterate(one_round, name='tfi', tol=tol, max_iter=max_iter, least=2)
    return window.restore(admm.chi)


def _rounds(
    admm: Admm[TotalVariation],
    dipole: Volume,
    data: Reweighted,
    window: Window,
    left: Mask,
    share: float,
) -> Callable[[], float]:
    # a round: move chi on, then give back what was harmonic of its field; returns how far chi went
    returned = np.zeros(window.grid.shape, np.float32)

    def one_round() -> float:
        last, first = admm.chi, not admm.chi.any()
        for _ in range(FIRST if first else LATER):
            admm.step()
        believed = convolve(admm.chi, dipole)
        believed *= np.float32(share)
        data.field += harmonic_part(believed - returned, left, window)
        returned[...] = believed
        return relative_change(admm.chi, last, admm.penalty.inside)

    return one_round

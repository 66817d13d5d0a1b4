"""Second-order total generalised variation, the penalty of the ADMM iteration."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.tgv_kernels import (
    face_codes,
    follow_slopes,
    pull_bends,
    pull_slopes,
    right_of_slopes,
    shrink_bends,
    shrink_slopes,
    solve_slopes,
)
from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.operators import inverse, laplacian_spectrum

AXES = (1, 2, 3)
# Of the lengths, so that weights mean what they mean for forward differences, whose lengths are taken
# over fewer first differences and all second differences together: of noise, 7 % more and 1.7 times as
# much. An even step, which has both sides, costs the root of two: heads come out as smooth with 0.8.
SIDES_SHARE, BENDS_SHARE = 0.8, 0.6
NO_THRESHOLD = 1e-30  # instead of zero, which nothing is divided by


class GeneralizedVariation:
    r""":math:`\min_w \|\lambda (\nabla\chi - w)\|_{2,1} + \|\lambda \ell\, \mathcal{E} w\|_{2,1}`.

    Over the slopes w, whose symmetric differences :math:`\mathcal{E} w` make a symmetric matrix. Two
    splits, :math:`y = \nabla\chi - w` and :math:`h = \mathcal{E} w`, leave a quadratic in chi and w
    that is solved at each point of k-space: for one field in one compiled pass (``solve``), for
    several with what is left for chi tabulated (``curvature``), and w following (``follow``).

    No cost tells one end of an axis from the other (:mod:`~bidsqsm.qsm.admm.tgv_kernels` says how
    lengths are taken), so that a map does not depend on how an image is stored.

    Parameters
    ----------
    grid
        The padded grid.
    inside : (nx, ny, nz) bool array
        Where the first weight holds, and where the change of chi is measured.
    weights
        :math:`\lambda` inside and outside, in ppm mm.
    length
        :math:`\ell`, price of a change of slope over that of a step, in mm.
    rho
        Penalty of the first split, in mm^2; that of the second is nu, its product with
        :math:`\ell^2`, in mm^4.

    """

    def __init__(
        self, grid: Grid, inside: Mask, weights: tuple[float, float], *, length: float, rho: float
    ) -> None:
        shape = grid.shape
        half = (*shape[:2], shape[2] // 2 + 1)
        self.grid, self.inside, self.codes = grid, inside, face_codes(inside)
        self.rho, self.nu = np.float32(rho), np.float32(rho * length**2)
        thresholds = SIDES_SHARE * np.asarray(weights) / rho
        self.thresholds = np.maximum(thresholds, NO_THRESHOLD).astype(np.float32)
        bend_thresholds = BENDS_SHARE * np.asarray(weights) / (rho * length)
        self.bend_thresholds = np.maximum(bend_thresholds, NO_THRESHOLD).astype(np.float32)
        self.per_mm, self.steps = inverse(grid.voxel_size), step_spectra(grid)
        self.split = np.zeros((*shape[:2], 6, shape[2]), np.float32)
        self.bend_split = np.zeros((6, *shape), np.float32)
        self.share = np.empty(shape, np.float32)
        self.pull, self.bend_pull, self.slope_spectra = np.zeros((3, 3, *half), np.complex64)

    def solve(
        self, field: Spectrum, kernel: Volume, mu: np.float32, *, modelled: bool, out: Spectrum
    ) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        # chi- and w-subproblem
        solve_slopes(
            field,
            self.pull,
            self.bend_pull,
            kernel,
            self.steps,
            mu,
            self.rho,
            self.nu,
            modelled,
            out,
            self.slope_spectra,
        )

    def curvature(self) -> Volume:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`.

        It is what is left of rho times the squared gradient once w has taken its part.
        """
        square = laplacian_spectrum(self.grid)
        return np.asarray(self.rho * self.nu * square**2 / (self.rho + self.nu * square))

    def right_side(self) -> Spectrum:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        out: Spectrum = np.empty_like(self.pull[0])
        right_of_slopes(self.pull, self.bend_pull, self.steps, self.rho, self.nu, out)
        return out

    def follow(self, spectrum: Spectrum) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        # w-subproblem: (rho + nu E^H E) w = nu E^H (h - u) - rho (y - u) + rho grad chi
        follow_slopes(
            spectrum,
            self.pull,
            self.bend_pull,
            self.steps,
            self.rho,
            self.nu,
            self.slope_spectra,
        )

    def update(self, chi: Volume, relax: np.float32) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        slopes = fft.irfftn(self.slope_spectra, s=self.grid.shape, axes=AXES)
        # y-subproblem: shrink(grad chi - w + u, lambda / rho); back becomes y - u
        shrink_slopes(
            chi,
            slopes,
            self.per_mm,
            self.inside,
            self.thresholds,
            relax,
            self.split,
            self.share,
        )
        back = np.empty_like(slopes)
        pull_slopes(self.split, self.share, back)
        self.pull = fft.rfftn(back, axes=AXES)
        # h-subproblem: shrink(E w + u, lambda l / nu); back becomes E^H (h - u)
        shrink_bends(
            slopes,
            self.per_mm,
            self.codes,
            self.bend_thresholds,
            relax,
            self.bend_split,
            self.share,
        )
        pull_bends(
            self.bend_split, self.share, self.codes, self.bend_thresholds, self.per_mm, back
        )
        self.bend_pull = fft.rfftn(back, axes=AXES)


def step_spectra(grid: Grid) -> Spectrum:
    """Spectra of the forward differences, in 1/mm.

    Returns
    -------
    spectra : (nx + ny + nz // 2 + 1,) complex64 array
        That of the first axis, then of the second, then the half spectrum of the third.

    """
    spectra = [
        (np.exp(2j * np.pi * k.ravel().astype(float) * d) - 1) / d
        for k, d in zip(grid.frequencies(), grid.voxel_size, strict=True)
    ]
    return np.concatenate(spectra).astype(np.complex64)

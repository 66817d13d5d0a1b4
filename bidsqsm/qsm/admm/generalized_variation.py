"""Second-order total generalised variation, the penalty of the ADMM iteration."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.tgv_backward_kernels import (
    shrink_first,
    shrink_second,
    solve_slope,
    symmetric_divergence,
    symmetric_gradient,
)
from bidsqsm.qsm.admm.tgv_forward_kernels import (
    pull_bends,
    shrink_bends,
    shrink_slopes,
    solve_slopes,
)
from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.operators import inverse, laplacian_spectrum, minus_divergence

AXES = (1, 2, 3)


class GeneralizedVariation:
    r""":math:`\min_w \|\lambda (\nabla\chi - w)\|_{2,1} + \|\lambda \ell\, \mathcal{E} w\|_{2,1}`.

    Over the slopes w, whose symmetric differences :math:`\mathcal{E} w` make a symmetric matrix in
    each voxel. Two splits, :math:`y = \nabla\chi - w` and :math:`h = \mathcal{E} w`, leave a quadratic
    in chi and w that is solved at each point of k-space.

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
    mixed
        Which way the mixed differences of w go, those of a part of w along another axis than its own;
        those along its own are backward, w being a forward difference of chi.

        forward
            The differences lie on voxels and edges, as the second differences of chi do. Then w and
            chi come out of one compiled pass (``solve``), for one field.
        backward
            :math:`\mathcal{E}` is the backward gradient, symmetrised. The quadratic for chi alone is
            tabulated (``curvature``), for several fields, and w follows (``follow``).

    """

    # These are two discretisations, not two programs for one: E^H E is (|e|^2 + e e^H) / 2 if mixed
    # differences are forward, e being the spectra of the forward differences, and if they are backward
    # it has the conjugates of e there. The gradient of chi lies along e, which is an eigenvector of the
    # first alone. So the costs, their minima and what is solved in closed form differ, and with them
    # the maps: nltgv is defined by the first, tgv and sstgv by the second.

    def __init__(
        self,
        grid: Grid,
        inside: Mask,
        weights: tuple[float, float],
        *,
        length: float,
        rho: float,
        mixed: Literal['forward', 'backward'],
    ) -> None:
        shape = grid.shape
        half = (*shape[:2], shape[2] // 2 + 1)
        self.grid, self.inside, self.mixed = grid, inside, mixed
        self.rho, self.nu = np.float32(rho), np.float32(rho * length**2)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.per_mm, self.steps = inverse(grid.voxel_size), step_spectra(grid)
        self.split, self.back = np.zeros((2, 3, *shape), np.float32)
        self.bend_split = np.zeros((6, *shape), np.float32)
        if mixed == 'forward':
            bend_weights = np.asarray(weights) * length
            self.bend_thresholds = (bend_weights / (rho * length**2)).astype(np.float32)
            self.share = np.empty(shape, np.float32)
            self.pull, self.bend_pull, self.slope_spectra = np.zeros((3, 3, *half), np.complex64)
        else:
            self.bend_thresholds = (self.thresholds / np.float32(length)).astype(np.float32)
            self.slopes, self.bend = (np.zeros((n, *shape), np.float32) for n in (3, 6))
            # 2 s - 1 of each voxel, s being the share of y + u that is y, and of h + u that is h
            self.both, self.bend_both = (np.full(shape, -1, np.float32) for _ in range(2))
            self.right = np.zeros((3, *half), np.complex64)
            self.chi_right = np.zeros(half, np.complex64)

    def solve(
        self, field: Spectrum, kernel: Volume, mu: np.float32, *, modelled: bool, out: Spectrum
    ) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`; for ``mixed='forward'``."""
        if self.mixed != 'forward':
            raise ValueError("one field is solved for in one pass with mixed='forward' alone")
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
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`; for ``mixed='backward'``.

        It is what is left of rho times the squared gradient once w has taken its part.
        """
        if self.mixed != 'backward':
            raise ValueError("the quadratic is tabulated with mixed='backward' alone")
        rho, nu = self.rho, self.nu
        square = laplacian_spectrum(self.grid)
        x, y, z = self._broadcast_steps()
        mixed = abs(x**2 + y**2 + z**2) ** 2
        alpha = rho + nu / 2 * square
        taken = (square - nu / 2 * mixed / (alpha + nu / 2 * square)) / alpha
        return np.asarray(rho * np.maximum(square - rho * taken, 0), np.float32)

    def right_side(self) -> Spectrum:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`; for ``mixed='backward'``."""
        return self.chi_right.copy()

    def follow(self, spectrum: Spectrum) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`; for ``mixed='backward'``."""
        # w-subproblem: (rho + nu E^H E) w = nu E^H (h - u) - rho (y - u) + rho grad chi
        for axis, step in enumerate(self._broadcast_steps()):
            self.right[axis] += self.rho * step * spectrum
        solve_slope(self.right, self.steps_of_axes(), self.rho, self.nu)
        for axis in range(3):
            self.slopes[axis] = fft.irfftn(self.right[axis], s=self.grid.shape)

    def update(self, chi: Volume, relax: np.float32) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        if self.mixed == 'forward':
            self._update_forward(chi, relax)
        else:
            self._update_backward(chi, relax)

    def steps_of_axes(self) -> tuple[Spectrum, Spectrum, Spectrum]:
        """Spectra of the forward differences along each axis, in 1/mm."""
        nx, ny, _ = self.grid.shape
        return self.steps[:nx], self.steps[nx : nx + ny], self.steps[nx + ny :]

    def _update_forward(self, chi: Volume, relax: np.float32) -> None:
        slopes = fft.irfftn(self.slope_spectra, s=self.grid.shape, axes=AXES)
        # y-subproblem: shrink(grad chi - w + u, lambda / rho); back = y - u
        shrink_slopes(
            chi, slopes, self.per_mm, self.inside, self.thresholds, relax, self.split, self.back
        )
        self.pull = fft.rfftn(self.back, axes=AXES)
        # h-subproblem: shrink(E w + u, lambda l / nu); slopes become E^H (h - u)
        shrink_bends(
            slopes,
            self.per_mm,
            self.inside,
            self.bend_thresholds,
            relax,
            self.bend_split,
            self.share,
        )
        pull_bends(self.bend_split, self.share, self.per_mm, slopes)
        self.bend_pull = fft.rfftn(slopes, axes=AXES)

    def _update_backward(self, chi: Volume, relax: np.float32) -> None:
        # y-subproblem: shrink(grad chi - w + u, lambda / rho); back = y - u
        shrink_first(
            chi,
            self.slopes,
            self.split,
            self.both,
            self.per_mm,
            self.inside,
            self.thresholds,
            relax,
            self.back,
        )
        # h-subproblem: shrink(E w + u, lambda l / nu); slopes become E^H (h - u)
        symmetric_gradient(self.slopes, self.per_mm, self.bend)
        shrink_second(
            self.bend, self.bend_split, self.bend_both, self.inside, self.bend_thresholds, relax
        )
        symmetric_divergence(self.bend, self.per_mm, self.slopes)
        self._eliminate_slopes()

    def _eliminate_slopes(self) -> None:
        # right-hand side for w without chi, and for chi what is left when w is put in
        self.slopes *= self.nu
        self.slopes -= self.rho * self.back
        for axis in range(3):
            self.right[axis] = fft.rfftn(self.slopes[axis])
        self.chi_right = fft.rfftn(minus_divergence(self.back, self.grid.voxel_size))
        solved = self.right.copy()
        solve_slope(solved, self.steps_of_axes(), self.rho, self.nu)
        for axis, step in enumerate(self._broadcast_steps()):
            self.chi_right += step.conj() * solved[axis]
        self.chi_right *= self.rho

    def _broadcast_steps(self) -> tuple[Spectrum, Spectrum, Spectrum]:
        x, y, z = self.steps_of_axes()
        return x[:, None, None], y[None, :, None], z[None, None, :]


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

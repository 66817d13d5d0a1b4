"""The alternating iteration behind second-order total generalised variation."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.admm import RELAX
from bidsqsm.qsm.dipole.fidelity import Fidelity
from bidsqsm.qsm.dipole.splitting import relative_change
from bidsqsm.qsm.dipole.tgv_steps import pull_bends, shrink_bends, shrink_slopes, solve_slopes
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.operators import inverse

AXES = (1, 2, 3)


class TgvAdmm:
    r"""Minimise :math:`\Phi(D\chi) + \|\lambda (\nabla\chi - w)\|_{2,1} + \|\lambda_2 \mathcal{E} w\|_{2,1}`.

    Over chi and the slopes w, whose symmetric differences :math:`\mathcal{E} w` make a symmetric
    matrix in each voxel. Three splits, of :math:`\nabla\chi - w`, :math:`\mathcal{E} w` and
    :math:`D\chi`, leave a quadratic in chi and w that is solved at each point of k-space.

    Parameters
    ----------
    fidelity
        The data term on the padded grid, with the field's split.
    inside : (nx, ny, nz) bool array
        Where the first of each pair of weights holds.
    grid
        The padded grid.
    weights, bend_weights
        :math:`\lambda` inside and outside, in ppm mm, and :math:`\lambda_2`, in ppm mm^2.
    rho, nu
        Penalties of the splits of the slopes (mm^2) and of their differences (mm^4).

    """

    def __init__(
        self,
        fidelity: Fidelity,
        inside: Mask,
        grid: Grid,
        weights: tuple[float, float],
        bend_weights: tuple[float, float],
        *,
        rho: float,
        nu: float,
    ) -> None:
        shape = grid.shape
        self.fidelity, self.inside, self.shape = fidelity, inside, shape
        self.rho, self.nu = np.float32(rho), np.float32(nu)
        self.dipole, self.steps = dipole_kernel(grid), step_spectra(grid)
        self.per_mm = inverse(grid.voxel_size)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.bend_thresholds = (np.asarray(bend_weights) / nu).astype(np.float32)
        self.chi = np.zeros(shape, np.float32)
        self.split, self.pull = np.zeros((2, 3, *shape), np.float32)
        self.bend_split, self.share = np.zeros((6, *shape), np.float32), np.empty_like(self.chi)
        self.field_pull = fft.rfftn(fidelity.begin())
        self.spectrum = np.empty_like(self.field_pull)
        self.gradient_pull, self.bend_pull, self.slopes = np.zeros(
            (3, 3, *self.spectrum.shape), np.complex64
        )

    def step(self) -> float:
        """Update the splits once; returns the relative change of chi inside the mask."""
        last, self.chi = self.chi, self._solve(modelled=False)
        change = relative_change(self.chi, last, self.inside)
        slopes = fft.irfftn(self.slopes, s=self.shape, axes=AXES)
        relax = RELAX
        shrink_slopes(
            self.chi,
            slopes,
            self.per_mm,
            self.inside,
            self.thresholds,
            relax,
            self.split,
            self.pull,
        )
        self.gradient_pull = fft.rfftn(self.pull, axes=AXES)
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
        model = self._solve(modelled=True)
        self.fidelity.update(model, relax)
        self.field_pull = fft.rfftn(model)
        return change

    def _solve(self, *, modelled: bool) -> Volume:
        # for chi and w, the problem is diagonal in k-space but for the parts of w
        solve_slopes(
            self.field_pull,
            self.gradient_pull,
            self.bend_pull,
            self.dipole,
            self.steps,
            np.float32(self.fidelity.mu),
            self.rho,
            self.nu,
            modelled,
            self.spectrum,
            self.slopes,
        )
        result: Volume = fft.irfftn(self.spectrum, s=self.shape, overwrite_x=True)
        return result


def step_spectra(grid: Grid) -> Volume:
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

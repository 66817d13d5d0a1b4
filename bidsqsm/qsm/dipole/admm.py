"""The alternating iteration behind total variation, one FFT pair at a time."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.fidelity import Fidelity
from bidsqsm.qsm.dipole.splitting import (
    close_seams,
    relative_change,
    shrink_gradient,
    solve_spectrum,
)
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.operators import edge_spectra, inverse

SLABS = 16  # into which a volume is cut for the gradient: more than threads, each many planes
# Over-relaxation of both splittings: with two updates of multipliers per step it must stay below
# the golden ratio, else a growing oscillation sets in after some tens of steps.
RELAX = np.float32(1.5)


class Admm:
    r"""Minimise :math:`\Phi(D\chi) + \|\lambda \nabla\chi\|_{2,1}` for a data term :math:`\Phi`.

    Two splits, :math:`y = \nabla\chi` and :math:`z = D\chi`, leave a quadratic in chi that k-space
    makes diagonal. It is solved anew before each of them is updated, so that every half of a step
    has one inverse and one forward transform.

    Parameters
    ----------
    fidelity
        The data term on the padded grid, with the field's split.
    inside : (nx, ny, nz) bool array
        Where the first weight holds.
    grid
        The padded grid.
    weights
        :math:`\lambda` inside and outside, in the unit of the data term per ppm, times mm.
    rho
        Penalty of the gradient's split, in the unit of the data term's ``mu`` times mm^2.

    """

    def __init__(
        self,
        fidelity: Fidelity,
        inside: Mask,
        grid: Grid,
        weights: tuple[float, float],
        *,
        rho: float,
    ) -> None:
        shape = grid.shape
        self.fidelity, self.inside, self.shape = fidelity, inside, shape
        self.rho = np.float32(rho)
        self.dipole, self.edges = dipole_kernel(grid), edge_spectra(grid)
        self.per_mm = inverse(grid.voxel_size)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.chi = np.zeros(shape, np.float32)
        self.gradient_split = np.zeros((3, *shape), np.float32)
        self.seam = np.empty((min(SLABS, shape[0]), *shape[1:]), np.float32)
        self.pull = np.empty_like(self.chi)
        # what the two splits pull, in k-space, and room for what is solved from it
        self.field_pull = fft.rfftn(fidelity.begin())
        self.gradient_pull = np.zeros_like(self.field_pull)
        self.spectrum = np.empty_like(self.field_pull)

    def go_on(self, fidelity: Fidelity, *, rho: float) -> None:
        """Take another data term from here on, with weights in proportion to ``rho``."""
        self.fidelity, self.rho = fidelity, np.float32(rho)
        self.field_pull = fft.rfftn(fidelity.begin())

    def step(self) -> float:
        """Update both splits once; returns the relative change of chi inside the mask."""
        last, self.chi = self.chi, self._solve(modelled=False)
        change = relative_change(self.chi, last, self.inside)
        self._update_gradient()
        self._update_field()
        return change

    def _solve(self, *, modelled: bool) -> Volume:
        # for chi, the problem is diagonal in k-space
        solve_spectrum(
            self.field_pull,
            self.gradient_pull,
            self.dipole,
            self.edges,
            np.float32(self.fidelity.mu),
            self.rho,
            modelled,
            self.spectrum,
        )
        result: Volume = fft.irfftn(self.spectrum, s=self.shape, overwrite_x=True)
        return result

    def _update_gradient(self) -> None:
        # the gradient split is a soft threshold
        shrink_gradient(
            self.chi,
            self.gradient_split,
            self.per_mm,
            self.inside,
            self.thresholds,
            RELAX,
            self.pull,
            self.seam,
        )
        close_seams(self.seam, self.pull)
        self.gradient_pull = fft.rfftn(self.pull)

    def _update_field(self) -> None:
        # the field split is solved voxel by voxel
        model = self._solve(modelled=True)
        self.fidelity.update(model, RELAX)
        self.field_pull = fft.rfftn(model)

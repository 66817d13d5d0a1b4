"""Total variation as a penalty of the iteration in :mod:`bidsqsm.qsm.onestep.admm`."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.splitting import close_seams, shrink_gradient
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.onestep.admm import RELAX, Spectrum
from bidsqsm.qsm.operators import edge_spectra, inverse

SLABS = 16  # into which a volume is cut for the gradient: more than threads, each many planes


def squared_gradient(grid: Grid) -> Volume:
    """Squared spectrum of the gradient, in 1/mm^2, (nx, ny, nz // 2 + 1) float32."""
    nx, ny, nz = grid.shape
    x, y, z = np.split(edge_spectra(grid), [nx, nx + ny])
    return np.asarray(x[:, None, None] + y[None, :, None] + z[None, None, : nz // 2 + 1])


class TotalVariation:
    r""":math:`\|\lambda\nabla\chi\|_{2,1}` with a split :math:`y = \nabla\chi`.

    Parameters
    ----------
    grid
        The padded grid.
    inside : (nx, ny, nz) bool array
        Where the first weight holds.
    weights
        :math:`\lambda` inside and outside, in ppm mm.
    rho
        Penalty of the split, in mm^2.

    """

    def __init__(
        self, grid: Grid, inside: Mask, weights: tuple[float, float], *, rho: float
    ) -> None:
        shape = grid.shape
        self.grid, self.inside, self.rho = grid, inside, np.float32(rho)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.per_mm = inverse(grid.voxel_size)
        self.split = np.zeros((3, *shape), np.float32)
        self.seam = np.empty((min(SLABS, shape[0]), *shape[1:]), np.float32)
        self.back = np.zeros(shape, np.float32)
        self.spectrum: Spectrum = fft.rfftn(self.back)

    def curvature(self) -> Volume:
        """Rho times the squared spectrum of the gradient."""
        return np.asarray(self.rho * squared_gradient(self.grid))

    def pull(self) -> Spectrum:
        """Rho times the divergence of the split less its multiplier, in k-space."""
        return self.spectrum

    def update(self, chi: Volume, spectrum: Spectrum) -> None:  # noqa: ARG002 - as Penalty says
        """Shrink the gradient."""
        shrink_gradient(
            chi,
            self.split,
            self.per_mm,
            self.inside,
            self.thresholds,
            RELAX,
            self.back,
            self.seam,
        )
        close_seams(self.seam, self.back)
        self.spectrum = fft.rfftn(self.back)
        self.spectrum *= self.rho

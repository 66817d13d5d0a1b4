"""Filling the gaps of a spectrum with the least total variation."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.admm import RELAX, SLABS
from bidsqsm.qsm.dipole.splitting import close_seams, relative_change, shrink_gradient
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.operators import edge_spectra, inverse


@kernel()
def solve_trusted(
    known: Volume,
    trust: Volume,
    gradient: Volume,
    edges: Volume,
    rho: np.float32,
    out: Volume,
) -> None:
    """Solve (trust + rho |E|^2) chi = known + rho gradient in k-space.

    ``known`` is the given spectrum times its trust, ``gradient`` the spectrum of what the split
    pulls; ``edges`` holds |E|^2 of the three axes, one after another, in 1/mm^2.
    """
    nx, ny, nz = trust.shape
    tiny = np.float32(1e-20)  # at k = 0
    for i in nb.prange(nx):
        for j in range(ny):
            flat = edges[i] + edges[nx + j]
            for k in range(nz):
                scale = np.float32(1) / (trust[i, j, k] + rho * (flat + edges[nx + ny + k]) + tiny)
                pull = scale * rho
                out[i, j, k] = complex(
                    scale * known[i, j, k].real + pull * gradient[i, j, k].real,
                    scale * known[i, j, k].imag + pull * gradient[i, j, k].imag,
                )
    out[0, 0, 0] = 0  # the mean is free


class Filling:
    r"""Minimise :math:`\tfrac12 \|T^{1/2} (\chi(k) - \chi_0(k))\|_2^2 + \lambda \|\nabla\chi\|_{2,1}`.

    By the alternating direction method of multipliers with one split, :math:`y = \nabla\chi`; a step
    has one forward and one inverse transform.

    Parameters
    ----------
    spectrum : (nx, ny, nz // 2 + 1) complex64 array
        What is known, :math:`\chi_0(k)`, in ppm.
    trust : (nx, ny, nz // 2 + 1) float32 array
        Its weight T, dimensionless; zero in the gaps.
    inside : (nx, ny, nz) bool array
        Where the change of the map is judged.
    grid
        The padded grid.
    weight
        :math:`\lambda`, in ppm mm.
    rho
        Penalty of the split, in mm^2.

    """

    def __init__(
        self,
        spectrum: Volume,
        trust: Volume,
        inside: Mask,
        grid: Grid,
        weight: float,
        *,
        rho: float,
    ) -> None:
        shape = grid.shape
        self.trust, self.inside, self.shape = trust, inside, shape
        self.known = spectrum * trust
        self.rho = np.float32(rho)
        self.edges, self.per_mm = edge_spectra(grid), inverse(grid.voxel_size)
        self.thresholds = np.full(2, weight / rho, np.float32)
        self.chi = np.zeros(shape, np.float32)
        self.split = np.zeros((3, *shape), np.float32)
        self.seam = np.empty((min(SLABS, shape[0]), *shape[1:]), np.float32)
        self.pull = np.empty(shape, np.float32)
        self.gradient_pull = np.zeros_like(self.known)
        self.spectrum = np.empty_like(self.known)

    def step(self) -> float:
        """Update chi and the split once; returns the relative change of chi inside the mask."""
        # chi: (T + rho E^H E) chi = T chi_0 + rho E^H (y - u), diagonal in k-space as T and E are
        solve_trusted(
            self.known, self.trust, self.gradient_pull, self.edges, self.rho, self.spectrum
        )
        last = self.chi
        self.chi = fft.irfftn(self.spectrum, s=self.shape, overwrite_x=True)
        change = relative_change(self.chi, last, self.inside)
        # y = shrink(E chi + u, lambda / rho), then the multiplier u
        shrink_gradient(
            self.chi,
            self.split,
            self.per_mm,
            self.inside,
            self.thresholds,
            RELAX,
            self.pull,
            self.seam,
        )
        close_seams(self.seam, self.pull)
        self.gradient_pull = fft.rfftn(self.pull)
        return change

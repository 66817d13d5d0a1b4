"""A field beside that of the sources, harmonic in the mask, in the ADMM iteration."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel


class WeakHarmonic(TotalVariation):
    r"""Total variation of chi beside :math:`\tfrac{\beta}{2} \|M \nabla^2 \phi\|^2`, for :math:`\Phi(D\chi + \phi)`.

    The field phi is harmonic, more or less, in the mask M. A third split, :math:`h = \nabla^2 \phi`,
    is free outside of it. The quadratic in chi and phi that the three splits leave is a pair of
    equations at each point of k-space; it is for one field.

    Parameters
    ----------
    grid, inside, weights, rho
        As for :class:`~bidsqsm.qsm.admm.total_variation.TotalVariation`; ``inside`` is M.
    harmonic_weight
        :math:`\beta`, in mm^4.
    mu_harmonic
        Penalty of the third split, in mm^4.

    """

    def __init__(
        self,
        grid: Grid,
        inside: Mask,
        weights: tuple[float, float],
        *,
        rho: float,
        harmonic_weight: float,
        mu_harmonic: float,
    ) -> None:
        super().__init__(grid, inside, weights, rho=rho)
        self.mu_harmonic = np.float32(mu_harmonic)
        self.share = np.float32(harmonic_weight / (harmonic_weight + mu_harmonic))
        self.bend_split = np.zeros(grid.shape, np.float32)  # h and its multiplier, summed
        self.bend_pull = np.zeros_like(self.pull)
        self.bend_spectrum = np.empty_like(self.pull)

    def solve(
        self, field: Spectrum, kernel: Volume, mu: np.float32, *, modelled: bool, out: Spectrum
    ) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        # chi- and phi-subproblem; but for the modelled field, the Laplacian of phi comes along
        solve_pair(
            field,
            self.pull,
            self.bend_pull,
            kernel,
            self.edges,
            mu,
            self.rho,
            self.mu_harmonic,
            modelled,
            out,
            self.bend_spectrum,
        )

    def update(self, chi: Volume, relax: np.float32) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        super().update(chi, relax)
        # h-subproblem: drawn to zero in the mask, L phi itself outside; bend becomes h - u
        bend = fft.irfftn(self.bend_spectrum, s=self.inside.shape, overwrite_x=True)
        shrink_bend(bend, self.bend_split, self.inside, self.share, relax)
        self.bend_pull = fft.rfftn(bend)


@kernel()
def shrink_bend(
    bend: Volume, split: Volume, inside: Mask, share: np.float32, relax: np.float32
) -> None:
    """Update the split of the Laplacian; ``bend``, the Laplacian, becomes what it pulls, h - u.

    With w = h + u: h = (1 - share) w in the mask, and w elsewhere.
    split <- w = relax * bend + (1 - relax) * h + u.
    """
    one = np.float32(1)
    for i in nb.prange(bend.shape[0]):
        for j in range(bend.shape[1]):
            for k in range(bend.shape[2]):
                c = share if inside[i, j, k] else np.float32(0)
                w = relax * bend[i, j, k] + (one - relax * (one - c)) * split[i, j, k]
                split[i, j, k] = w
                bend[i, j, k] = (one - c - c) * w


@kernel()
def solve_pair(
    field: Spectrum,
    gradient: Spectrum,
    bend: Spectrum,
    dipole: Volume,
    edges: Volume,
    mu: np.float32,
    rho: np.float32,
    nu: np.float32,
    modelled: bool,
    out: Spectrum,
    out_bend: Spectrum,
) -> None:
    """Solve for chi and phi in k-space what the three splits leave.

    (mu D^2 + rho |E|^2) chi + mu D phi = mu D field + rho gradient
    mu D chi + (mu + nu L^2) phi = mu field + nu L bend,   L = -|E|^2
    Writes D chi + phi if ``modelled``, else chi, and L phi to ``out_bend``.
    """
    nx, ny, nz = dipole.shape
    tiny = np.float32(1e-20)
    for i in nb.prange(nx):
        for j in range(ny):
            flat = edges[i] + edges[nx + j]
            for k in range(nz):
                d = dipole[i, j, k]
                square = flat + edges[nx + ny + k]
                stiff = nu * square * square
                free = mu + stiff
                # phi put into the first equation
                right = mu * d * nu * square / free * (square * field[i, j, k] + bend[i, j, k])
                left = mu * d * d * stiff / free + rho * square + tiny
                chi = (right + rho * gradient[i, j, k]) / left
                phi = (mu * (field[i, j, k] - d * chi) - nu * square * bend[i, j, k]) / free
                if modelled:
                    out[i, j, k] = d * chi + phi
                else:
                    out[i, j, k] = chi
                    out_bend[i, j, k] = -square * phi
    if modelled:
        out[0, 0, 0] = field[0, 0, 0]
    else:
        out[0, 0, 0] = 0  # the mean is free
        out_bend[0, 0, 0] = 0

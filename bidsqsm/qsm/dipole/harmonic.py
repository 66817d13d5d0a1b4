"""The alternating iteration with a field beside that of the sources, harmonic in the mask."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.admm import RELAX, Admm
from bidsqsm.qsm.dipole.fidelity import Fidelity
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel


class HarmonicAdmm(Admm):
    r"""Minimise :math:`\Phi(D\chi + \phi) + \|\lambda \nabla\chi\|_{2,1} + \tfrac{\beta}{2} \|M \nabla^2 \phi\|^2`.

    A third split, :math:`h = \nabla^2 \phi`, is free outside the mask M. The quadratic in chi and
    phi that the three leave is a pair of equations at each point of k-space.

    Parameters
    ----------
    fidelity, inside, grid, weights, rho
        As for :class:`Admm`; ``inside`` is M.
    harmonic_weight
        :math:`\beta`, in mm^4.
    mu_harmonic
        Penalty of the third split, in mm^4.

    """

    def __init__(
        self,
        fidelity: Fidelity,
        inside: Mask,
        grid: Grid,
        weights: tuple[float, float],
        *,
        rho: float,
        harmonic_weight: float,
        mu_harmonic: float,
    ) -> None:
        super().__init__(fidelity, inside, grid, weights, rho=rho)
        self.mu_harmonic = np.float32(mu_harmonic)
        self.share = np.float32(harmonic_weight / (harmonic_weight + mu_harmonic))
        self.bend_split = np.zeros(grid.shape, np.float32)  # h and its multiplier, summed
        self.bend_pull = np.zeros_like(self.field_pull)
        self.bend_spectrum = np.empty_like(self.field_pull)

    def _solve(self, *, modelled: bool) -> Volume:
        # with the model of the field left to itself, the Laplacian of phi comes along
        solve_pair(
            self.field_pull,
            self.gradient_pull,
            self.bend_pull,
            self.dipole,
            self.edges,
            np.float32(self.fidelity.mu),
            self.rho,
            self.mu_harmonic,
            modelled,
            self.spectrum,
            self.bend_spectrum,
        )
        result: Volume = fft.irfftn(self.spectrum, s=self.shape, overwrite_x=True)
        return result

    def _update_gradient(self) -> None:
        super()._update_gradient()
        bend = fft.irfftn(self.bend_spectrum, s=self.shape, overwrite_x=True)
        shrink_bend(bend, self.bend_split, self.inside, self.share, RELAX)
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
    field: Volume,
    gradient: Volume,
    bend: Volume,
    dipole: Volume,
    edges: Volume,
    mu: np.float32,
    rho: np.float32,
    nu: np.float32,
    modelled: bool,
    out: Volume,
    out_bend: Volume,
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

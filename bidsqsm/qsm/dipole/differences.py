"""The L1 norm of the differences along each axis, in the alternating iteration."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.dipole.admm import RELAX, Admm
from bidsqsm.qsm.dipole.fidelity import Fidelity
from bidsqsm.qsm.dipole.splitting import close_seams
from bidsqsm.qsm.dipole.uniform import Uniform
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel


class Differences(Admm):
    r"""Minimise :math:`\Phi(K\chi) + \sum_a \|\lambda_a \partial_a\chi\|_1` for a data term Phi.

    Every difference between neighbours has a weight of its own, zero across edges.

    Parameters
    ----------
    fidelity
        The data term on the padded grid, with the field's split.
    inside : (nx, ny, nz) bool array
        Where the change of chi is measured.
    grid
        The padded grid.
    codes : (nx, ny, nz) uint8 array
        What each difference is, from :func:`bidsqsm.qsm.dipole.morphology.edge_codes`.
    weights
        :math:`\lambda` inside and outside, in ppm mm; it is zero across edges.
    rho
        Penalty of the gradient's split, in mm^2.
    blur : (nx, ny, nz // 2 + 1) float32 array, optional
        Real spectrum by which the data differ from the field: K is the dipole kernel times this.
    uniform
        A penalty on the variation of chi in a region, to be added.

    """

    def __init__(
        self,
        fidelity: Fidelity,
        inside: Mask,
        grid: Grid,
        codes: Labels,
        weights: tuple[float, float],
        *,
        rho: float,
        blur: Volume | None = None,
        uniform: Uniform | None = None,
    ) -> None:
        super().__init__(fidelity, inside, grid, weights, rho=rho)
        self.codes, self.uniform = codes, uniform
        if blur is not None:
            self.dipole *= blur
        if uniform is not None:  # its share of the quadratic, whatever the frequency
            self.edges[: grid.shape[0]] += np.float32(uniform.nu / rho)

    def _update_gradient(self) -> None:
        shrink_differences(
            self.chi,
            self.gradient_split,
            self.per_mm,
            self.codes,
            self.thresholds,
            RELAX,
            self.pull,
            self.seam,
        )
        close_seams(self.seam, self.pull)
        if self.uniform is not None:
            self.uniform.update(self.chi, self.pull, self.uniform.nu / float(self.rho))
        self.gradient_pull = fft.rfftn(self.pull)


@kernel()
def shrink_differences(
    chi: Volume,
    split: Volume,
    per_mm: Volume,
    codes: Labels,
    thresholds: Volume,
    relax: np.float32,
    pull: Volume,
    seam: Volume,
) -> None:
    """Update the split of the gradient and return what it pulls on chi, in one pass.

    As :func:`bidsqsm.qsm.dipole.splitting.shrink_gradient`, but each difference is shrunk by itself:
    not at all across an edge, by the first threshold in the mask and the second outside of it. With
    w = y + u, the multiplier u is w cut off at the threshold.
    """
    nx, ny, nz = chi.shape
    zero = np.float32(0)
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        behind = seam[slab]  # y - u along x, one plane back
        behind[:, :] = zero
        row = np.zeros((3, nz), np.float32)  # y - u of this row; along y, of the row before
        before = np.zeros(nz, np.float32)
        for i in range(slab * nx // slabs, (slab + 1) * nx // slabs):
            after_i = i + 1 if i + 1 < nx else 0
            before[:] = zero
            for j in range(ny):
                after_j = j + 1 if j + 1 < ny else 0
                for k in range(nz):
                    code, here = codes[i, j, k], chi[i, j, k]
                    for axis in range(3):
                        if axis == 0:
                            there = chi[after_i, j, k]
                        elif axis == 1:
                            there = chi[i, after_j, k]
                        else:
                            there = chi[i, j, k + 1 if k + 1 < nz else 0]
                        t = thresholds[(code >> (3 + axis)) & 1]
                        t = zero if (code >> axis) & 1 else t
                        w = split[axis, i, j, k]
                        u = min(max(w, -t), t)
                        w += relax * (per_mm[axis] * (there - here) - (w - u))
                        split[axis, i, j, k] = w
                        u = min(max(w, -t), t)
                        row[axis, k] = per_mm[axis] * (w - u - u)
                for k in range(nz):
                    before_k = k - 1 if k > 0 else nz - 1
                    pull[i, j, k] = (
                        behind[j, k]
                        - row[0, k]
                        + before[k]
                        - row[1, k]
                        + row[2, before_k]
                        - row[2, k]
                    )
                    behind[j, k] = row[0, k]
                    before[k] = row[1, k]
            for k in range(nz):
                pull[i, 0, k] += before[k]

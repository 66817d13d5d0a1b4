"""Total variation, the penalty of the ADMM iteration."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.tv_kernels import (
    Spectrum,
    close_seams,
    shrink_differences,
    shrink_gradient,
    solve_coloured,
    solve_known,
    solve_spectrum,
)
from bidsqsm.qsm.admm.uniform_region import Uniform
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.operators import edge_spectra, inverse

SLABS = 16  # into which a volume is cut for the gradient: more than threads, each many planes


class TotalVariation:
    r""":math:`\|\lambda \nabla\chi\|_{2,1}`, or :math:`\sum_a \|\lambda_a \partial_a\chi\|_1`, y = grad chi.

    The length of the gradient, unless ``codes`` are given: then every difference between neighbours
    counts by itself and has a weight of its own, zero across edges.

    Parameters
    ----------
    grid
        The padded grid.
    inside : (nx, ny, nz) bool array
        Where the first weight holds, and where the change of chi is measured.
    weights
        :math:`\lambda` inside and outside, in the unit of the data term per ppm, times mm.
    rho
        Penalty of the split, in the unit of the data term's ``mu`` times mm^2.
    codes : (nx, ny, nz) uint8 array, optional
        What each difference is, from :func:`bidsqsm.qsm.admm.magnitude_edges.edge_codes`; instead of
        ``inside``, they say which weight holds.
    uniform
        A penalty on the variation of chi in a region, to be added; only for one field.

    """

    def __init__(
        self,
        grid: Grid,
        inside: Mask,
        weights: tuple[float, float],
        *,
        rho: float,
        codes: Labels | None = None,
        uniform: Uniform | None = None,
    ) -> None:
        shape = grid.shape
        self.inside, self.codes, self.uniform = inside, codes, uniform
        self.rho = np.float32(rho)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.per_mm, self.edges = inverse(grid.voxel_size), edge_spectra(grid)
        if uniform is not None:  # its share of the quadratic, whatever the frequency
            self.edges[: shape[0]] += np.float32(uniform.nu / rho)
        self.split = np.zeros((3, *shape), np.float32)
        self.seam = np.empty((min(SLABS, shape[0]), *shape[1:]), np.float32)
        self.back = np.empty(shape, np.float32)
        self.pull: Spectrum = np.zeros((*shape[:2], shape[2] // 2 + 1), np.complex64)

    def rescale(self, rho: float) -> None:
        """Take another rho, and weights in proportion: the thresholds of the shrinkage stay."""
        self.rho = np.float32(rho)

    def solve(
        self, field: Spectrum, kernel: Volume, mu: np.float32, *, modelled: bool, out: Spectrum
    ) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        # chi-subproblem: (mu K^2 + rho |E|^2) chi = mu K (z - v) + rho E^H (y - u)
        solve_spectrum(field, self.pull, kernel, self.edges, mu, self.rho, modelled, out)

    def solve_coloured(
        self,
        field: Spectrum,
        kernel: Volume,
        pulls: Volume,
        mu: np.float32,
        *,
        modelled: bool,
        out: Spectrum,
    ) -> None:
        """Solve the quadratic beside an error of the model; ``out`` becomes chi or K chi + e."""
        # chi-subproblem: (m K^2 + rho |E|^2) chi = m K (z - v) + rho E^H (y - u), m = mu / (1 + mu C)
        solve_coloured(field, self.pull, kernel, self.edges, pulls, mu, self.rho, modelled, out)

    def solve_known(self, known: Spectrum, trust: Volume, out: Spectrum) -> None:
        """Solve the quadratic with a spectrum that is known in part; ``out`` becomes that of chi."""
        # chi-subproblem: (T + rho |E|^2) chi = T chi_0 + rho E^H (y - u)
        solve_known(known, trust, self.pull, self.edges, self.rho, out)

    def curvature(self) -> Volume:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`: rho |E|^2."""
        nx, ny, _ = self.inside.shape
        x, y, z = np.split(self.edges, [nx, nx + ny])
        return np.asarray(self.rho * (x[:, None, None] + y[:, None] + z))

    def right_side(self) -> Spectrum:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`: rho E^H (y - u)."""
        return self.pull * self.rho

    def follow(self, spectrum: Spectrum) -> None:
        """Nothing but chi is unknown."""

    def update(self, chi: Volume, relax: np.float32) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.Penalty`."""
        # y-subproblem: shrink(grad chi + u, lambda / rho); back = E^H (y - u)
        if self.codes is None:
            shrink_gradient(
                chi,
                self.split,
                self.per_mm,
                self.inside,
                self.thresholds,
                relax,
                self.back,
                self.seam,
            )
        else:
            shrink_differences(
                chi,
                self.split,
                self.per_mm,
                self.codes,
                self.thresholds,
                relax,
                self.back,
                self.seam,
            )
        close_seams(self.seam, self.back)
        if self.uniform is not None:
            # s-subproblem: chi in the region, drawn to its mean there
            self.uniform.update(chi, self.back, self.uniform.nu / float(self.rho))
        self.pull = fft.rfftn(self.back)

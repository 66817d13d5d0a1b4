"""The alternating iteration for several data terms that k-space makes diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.dipole.splitting import match_data, relative_change
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel

Spectrum = npt.NDArray[np.complex64]
# Over-relaxation of the splittings; below 2 the iteration converges.
RELAX = np.float32(1.6)


class DataTerm(NamedTuple):
    r"""One term :math:`\tfrac12 \|W (K\chi - d)\|_2^2`.

    Attributes
    ----------
    kernel
        Real half spectrum of K.
    data
        d on the padded grid.
    squared_weight
        :math:`W^2` on the padded grid, zero where d is not known.

    """

    kernel: Volume
    data: Volume
    squared_weight: Volume


class Penalty(Protocol):
    """What regularises: its split, and the quadratic that the split adds to k-space."""

    def curvature(self) -> Volume:
        """What the split adds to the diagonal of the quadratic for chi."""

    def pull(self) -> Spectrum:
        """What the split adds to its right-hand side."""

    def update(self, chi: Volume, spectrum: Spectrum) -> None:
        """Update the split, from chi and its spectrum."""


@kernel()
def _add_term(total: Spectrum, factor: Volume, mu: np.float32, term: Spectrum) -> None:
    nx, ny, nz = factor.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                total[i, j, k] += mu * factor[i, j, k] * term[i, j, k]


class SplitData:
    r"""Minimise :math:`\sum_r \tfrac12 \|W_r (K_r\chi - d_r)\|_2^2 + R(\chi)`.

    With a split :math:`z_r = K_r\chi` for each term, and those of the penalty R, chi is solved in
    closed form in k-space and the splits voxel by voxel.

    Parameters
    ----------
    terms
        The data terms.
    penalty
        R.
    inside : (nx, ny, nz) bool array
        Where the change of chi is measured.
    mu
        Penalty of the splits of the data (dimensionless).

    """

    def __init__(
        self, terms: Sequence[DataTerm], penalty: Penalty, inside: Mask, *, mu: float
    ) -> None:
        self.terms, self.penalty, self.inside = terms, penalty, inside
        self.mu = np.float32(mu)
        self.splits = [term.data.copy() for term in terms]
        self.shares = [t.squared_weight / (t.squared_weight + self.mu) for t in terms]
        self.pulls = [fft.rfftn(term.data) for term in terms]
        curvature = penalty.curvature() + sum(self.mu * t.kernel**2 for t in terms)
        curvature[0, 0, 0] = np.inf  # the mean is free
        self.inverse = (1 / curvature).astype(np.float32)
        self.chi = np.zeros_like(terms[0].data)

    def step(self) -> float:
        """Update chi, then all splits; returns the relative change of chi inside the mask."""
        spectrum = self.penalty.pull().copy()
        for term, pull in zip(self.terms, self.pulls, strict=True):
            _add_term(spectrum, term.kernel, self.mu, pull)
        spectrum *= self.inverse
        last, self.chi = self.chi, fft.irfftn(spectrum, s=self.chi.shape)
        change = relative_change(self.chi, last, self.inside)
        for n, (term, split) in enumerate(zip(self.terms, self.splits, strict=True)):
            model = fft.irfftn(term.kernel * spectrum, s=self.chi.shape, overwrite_x=True)
            match_data(model, split, term.data, self.shares[n], RELAX, model)
            self.pulls[n] = fft.rfftn(model)
        self.penalty.update(self.chi, spectrum)
        return change

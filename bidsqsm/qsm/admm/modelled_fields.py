"""The quadratic for chi in the ADMM iteration: of one field, of several, of a known spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.admm.data_terms import Fidelity
from bidsqsm.qsm.admm.solver import Penalty
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel

# Over-relaxation where the quadratic is solved anew between updates of multipliers: with two of them
# per step it must stay below the golden ratio, else a growing oscillation sets in after some tens of
# steps.
RELAX_ANEW = np.float32(1.5)
# Over-relaxation where all splits follow one chi; below 2 the iteration converges.
RELAX_TOGETHER = np.float32(1.6)


class OneField:
    """One data term; the quadratic is solved anew before each of the two splits is updated.

    So every half of a step has one inverse and one forward transform. Of the quadratic no more than
    the kernel is kept in memory: the rest of it is made in the pass that solves it.

    Parameters
    ----------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum K of what models the field.
    fidelity
        The data term, with the field's split.

    """

    relax = RELAX_ANEW

    def __init__(self, kernel: Volume, fidelity: Fidelity) -> None:
        self.kernel, self.fidelity = kernel, fidelity

    def start(self, penalty: Penalty) -> None:  # noqa: ARG002 - as ModelledFields says
        """Transform what the split pulls before the first step, and make room for a spectrum."""
        self.pull: Spectrum = fft.rfftn(self.fidelity.begin())
        self.spectrum = np.empty_like(self.pull)

    def solve(self, penalty: Penalty) -> Volume:
        """See :class:`~bidsqsm.qsm.admm.solver.ModelledFields`."""
        return self._solve(penalty, modelled=False)

    def update(self, penalty: Penalty) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.ModelledFields`."""
        # chi-subproblem once more, with the new y and u; of its solution only K chi is needed
        model = self._solve(penalty, modelled=True)
        # z-subproblem, voxel by voxel; the model becomes z - v
        self.fidelity.update(model, self.relax)
        self.pull = fft.rfftn(model)

    def _solve(self, penalty: Penalty, *, modelled: bool) -> Volume:
        mu = np.float32(self.fidelity.mu)
        penalty.solve(self.pull, self.kernel, mu, modelled=modelled, out=self.spectrum)
        result: Volume = fft.irfftn(self.spectrum, s=penalty.inside.shape, overwrite_x=True)
        return result


class ColouredField(OneField):
    r"""One data term beside an error e of the model, a field of known spectrum C.

    The split follows K chi + e, which costs :math:`\tfrac12 \|C^{-1/2} e\|_2^2`; e is solved for in
    closed form.

    Parameters
    ----------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum K of what models the field.
    fidelity
        The data term, with the field's split.
    error : (nx, ny, nz // 2 + 1) float32 array
        C, the power of the error over that of the noise for which the weight of the data is one.

    """

    def __init__(self, kernel: Volume, fidelity: Fidelity, error: Volume) -> None:
        super().__init__(kernel, fidelity)
        self.pulls = np.asarray(1 / (1 / fidelity.mu + error), np.float32)

    def _solve(self, penalty: TotalVariation, *, modelled: bool) -> Volume:  # type: ignore[override]
        mu = np.float32(self.fidelity.mu)
        penalty.solve_coloured(
            self.pull, self.kernel, self.pulls, mu, modelled=modelled, out=self.spectrum
        )
        result: Volume = fft.irfftn(self.spectrum, s=penalty.inside.shape, overwrite_x=True)
        return result


class DataTerm(NamedTuple):
    """One of several data terms.

    Attributes
    ----------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum K of what models the field.
    fidelity
        The data term, with the field's split.

    """

    kernel: Volume
    fidelity: Fidelity


class SeveralFields:
    """Data terms with kernels of their own; all splits are updated from one solution for chi.

    The quadratic is the same at each step and is tabulated: to sum the squares of many kernels anew
    would cost more than to read one array.

    Parameters
    ----------
    terms
        The data terms.

    """

    relax = RELAX_TOGETHER

    def __init__(self, terms: Sequence[DataTerm]) -> None:
        self.terms = terms

    def start(self, penalty: Penalty) -> None:
        """Tabulate the inverse of the quadratic and transform what the splits pull at first."""
        self.pulls: list[Spectrum] = [fft.rfftn(t.fidelity.begin()) for t in self.terms]
        curvature = penalty.curvature() + sum(
            np.float32(t.fidelity.mu) * t.kernel**2 for t in self.terms
        )
        curvature[0, 0, 0] = np.inf  # the mean is free
        self.inverse = (1 / curvature).astype(np.float32)

    def solve(self, penalty: Penalty) -> Volume:
        """See :class:`~bidsqsm.qsm.admm.solver.ModelledFields`."""
        spectrum = penalty.right_side()
        for term, pull in zip(self.terms, self.pulls, strict=True):
            add_pull(spectrum, term.kernel, np.float32(term.fidelity.mu), pull)
        spectrum *= self.inverse
        penalty.follow(spectrum)
        self.spectrum = spectrum
        result: Volume = fft.irfftn(spectrum, s=penalty.inside.shape)
        return result

    def update(self, penalty: Penalty) -> None:
        """See :class:`~bidsqsm.qsm.admm.solver.ModelledFields`."""
        for n, term in enumerate(self.terms):
            model = fft.irfftn(
                term.kernel * self.spectrum, s=penalty.inside.shape, overwrite_x=True
            )
            # z-subproblem of this term, voxel by voxel; the model becomes z - v
            term.fidelity.update(model, self.relax)
            self.pulls[n] = fft.rfftn(model)


class KnownSpectrum:
    r"""The term :math:`\tfrac12 \|T^{1/2} (\chi(k) - \chi_0(k))\|_2^2`, quadratic as it is: no split.

    A step has one forward and one inverse transform.

    Parameters
    ----------
    spectrum : (nx, ny, nz // 2 + 1) complex64 array
        What is known, :math:`\chi_0(k)`, in ppm.
    trust : (nx, ny, nz // 2 + 1) float32 array
        Its weight T, dimensionless; zero in the gaps.

    """

    relax = RELAX_ANEW

    def __init__(self, spectrum: Spectrum, trust: Volume) -> None:
        self.trust, self.known = trust, spectrum * trust

    def start(self, penalty: TotalVariation) -> None:  # noqa: ARG002 - as ModelledFields says
        """Make room for a spectrum."""
        self.spectrum = np.empty_like(self.known)

    def solve(self, penalty: TotalVariation) -> Volume:
        """See :class:`~bidsqsm.qsm.admm.solver.ModelledFields`."""
        penalty.solve_known(self.known, self.trust, self.spectrum)
        result: Volume = fft.irfftn(self.spectrum, s=penalty.inside.shape, overwrite_x=True)
        return result

    def update(self, penalty: TotalVariation) -> None:
        """Nothing is split."""


@kernel()
def add_pull(total: Spectrum, factor: Volume, mu: np.float32, term: Spectrum) -> None:
    """Add to the right-hand side what one field pulls, mu K (z - v)."""
    nx, ny, nz = factor.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                total[i, j, k] += mu * factor[i, j, k] * term[i, j, k]

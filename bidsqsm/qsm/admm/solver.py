r"""The alternating direction method of multipliers (ADMM), the engine of the regularised inversions.

It minimises :math:`\sum_r \Phi_r(K_r \chi) + R(\chi)`. A split stands for every image of chi that a
term takes, and a scaled multiplier for every split; what is left for chi is quadratic and solved in
k-space. Data terms :math:`\Phi` are in :mod:`~bidsqsm.qsm.admm.data_terms`, the quadratic is in
:mod:`~bidsqsm.qsm.admm.modelled_fields`, and penalties R are
:class:`~bidsqsm.qsm.admm.total_variation.TotalVariation`,
:class:`~bidsqsm.qsm.admm.generalized_variation.GeneralizedVariation` and, with a field of sources
outside as a second unknown, :class:`~bidsqsm.qsm.admm.weak_harmonic.WeakHarmonic`.

====================  =============  ================================================  ===========
in the papers         in the code    meaning                                           unit
====================  =============  ================================================  ===========
:math:`\chi`          chi            susceptibility                                    ppm
f                     field          measured field                                    ppm
D, :math:`K_r`        kernel         dipole kernel, or another that models a field     1
W                     weight         trust in the field                                1
:math:`z, v`          total = z + v  split of the modelled field; its multiplier       ppm
:math:`\mu`           mu             penalty of z = K chi; sets the speed              1 [#plain]_
:math:`\lambda`       weights        weight of the gradient; sets the solution         ppm mm
:math:`y, u`          split = y + u  split of grad chi, in TGV less w; its multiplier  ppm/mm
:math:`\rho`          rho            penalty of that split; sets the speed             mm^2
:math:`\lambda/\rho`  thresholds     what shrinkage takes from the length of y + u     ppm/mm
w                     slopes         smooth part of the gradient (TGV)                 ppm/mm
:math:`\ell, \tau`    length         price of a change of w over that of grad chi - w  mm
:math:`h, u`          bend_split     split of the symmetric differences E w, as h + u  ppm/mm^2
:math:`\nu`           nu             penalty of that split, :math:`\rho \ell^2`        mm^4
:math:`\alpha`        relax          over-relaxation of the splits                     1
:math:`|E|^2`         edges          squared spectra of the forward differences        1/mm^2
e                     steps          spectra of the forward differences                1/mm
====================  =============  ================================================  ===========

Penalties weigh :math:`\tfrac{\mu}{2} |z - K \chi|^2` and the like in the augmented Lagrangian; where the
cost is convex the solution does not depend on them.

.. [#plain] 1/ppm where the misfit is plain, not squared; then lambda is in mm and rho in mm^2/ppm.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import numba as nb
import numpy as np

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel


class Penalty(Protocol):
    """What regularises, R: its splits, and the quadratic that they add to that of the data."""

    inside: Mask

    def solve(
        self, field: Spectrum, kernel: Volume, mu: np.float32, *, modelled: bool, out: Spectrum
    ) -> None:
        """Solve the quadratic with one field in a compiled pass.

        ``field`` is the spectrum of z - v; ``out`` becomes that of chi or, if ``modelled``, K chi.
        """

    def curvature(self) -> Volume:
        """What the splits add to the diagonal of the quadratic for chi, to be tabulated."""

    def right_side(self) -> Spectrum:
        """What the splits add to the right-hand side for chi, in a new array."""

    def follow(self, spectrum: Spectrum) -> None:
        """Solve for whatever else is unknown, given the spectrum of chi."""

    def update(self, chi: Volume, relax: np.float32) -> None:
        """Update the splits and their multipliers."""


P = TypeVar('P', bound=Penalty)
P_contra = TypeVar('P_contra', bound=Penalty, contravariant=True)


class ModelledFields(Protocol[P_contra]):
    """The data terms with their kernels: the quadratic for chi and the splits of the fields."""

    relax: np.float32

    def start(self, penalty: P_contra) -> None:
        """Prepare what lasts from step to step."""

    def solve(self, penalty: P_contra) -> Volume:
        """Chi, of the quadratic that all splits leave."""

    def update(self, penalty: P_contra) -> None:
        """Update the splits of the fields and their multipliers."""


class Admm(Generic[P]):
    """The iteration, from a chi of zero and the splits as they are given.

    Parameters
    ----------
    data
        The data terms on the padded grid.
    penalty
        What regularises; its mask is where the change of chi is measured.

    Attributes
    ----------
    chi : (nx, ny, nz) float32 array
        In ppm, with a mean of zero over the padded grid.

    """

    def __init__(self, data: ModelledFields[P], penalty: P) -> None:
        self.penalty = penalty
        self.chi: Volume = np.zeros(penalty.inside.shape, np.float32)
        self.go_on(data)

    def go_on(self, data: ModelledFields[P]) -> None:
        """Take these data from here on."""
        self.data = data
        data.start(self.penalty)

    def step(self) -> float:
        """Update chi, then all splits; returns the relative change of chi inside the mask."""
        # chi-subproblem: (sum mu K^2 + rho |E|^2) chi = sum mu K (z - v) + rho E^H (y - u);
        # with TGV, w takes its part of |E|^2 and of the right-hand side
        last, self.chi = self.chi, self.data.solve(self.penalty)
        change = relative_change(self.chi, last, self.penalty.inside)
        # y-subproblem: shrink(grad chi + u, lambda / rho); u = u + grad chi - y; so h with TGV
        self.penalty.update(self.chi, self.data.relax)
        # z-subproblem: min phi(z - f) + mu / 2 (z - K chi - v)^2; v = v + K chi - z
        self.data.update(self.penalty)
        return change


def relative_change(new: Volume, old: Volume, mask: Mask) -> float:
    """Length of new - old over that of new, inside the mask; 0 where new is zero there, NaN for NaN."""
    sums = np.empty((2, mask.shape[0]))
    _plane_changes(new, old, mask, sums)
    moved, whole = sums.sum(axis=1)
    return 0.0 if whole == 0 else float(np.sqrt(moved / whole))


@kernel()
def _plane_changes(new: Volume, old: Volume, mask: Mask, sums: Volume) -> None:
    """Squared length of new - old and of new inside the mask, per plane."""
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        moved = whole = np.float64(0)
        for j in range(ny):
            row_moved = row_whole = np.float32(0)
            for k in range(nz):
                if mask[i, j, k]:
                    row_moved += (new[i, j, k] - old[i, j, k]) ** 2
                    row_whole += new[i, j, k] ** 2
            moved += row_moved
            whole += row_whole
        sums[0, i] = moved
        sums[1, i] = whole

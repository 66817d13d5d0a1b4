"""Least squares over the fields of several orientations, with sources outside the mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Mask, Volume


class NormalEquations:
    """Those of chi and of the sources outside, one volume after another along the first axis.

    Parameters
    ----------
    kernels
        Dipole kernels of the orientations, real spectra.
    squares
        Squared weights of the fields.
    places
        Where chi may be, then where the sources outside may be in each orientation.
    weights
        Regularisation of chi and of the others.

    """

    def __init__(
        self,
        kernels: Sequence[Volume],
        squares: Sequence[Volume],
        places: Sequence[Mask],
        weights: tuple[float, float],
    ) -> None:
        self._kernels, self._squares, self._places = kernels, squares, places
        self._shape = squares[0].shape
        self._weights = [np.float32(w) for w in (weights[0], *(weights[1] for _ in kernels))]
        powers = [kernel**2 for kernel in kernels]
        both = zip([sum(powers), *powers], self._weights, strict=True)
        # diagonal in k-space: the normal equations as they were if W_i = 1 everywhere
        self._powers = [power + weight for power, weight in both]

    def __call__(self, stack: Volume) -> Volume:
        """What the sources of a stack pull on the stack."""
        chi, *others = stack.reshape(-1, *self._shape)
        fields = [
            square * self._inverse(kernel * fft.rfftn(chi + other))
            for square, kernel, other in zip(self._squares, self._kernels, others, strict=True)
        ]
        pulled = self.pull(fields)
        parts = pulled.reshape(-1, *self._shape)
        for index, (weight, x) in enumerate(zip(self._weights, (chi, *others), strict=True)):
            parts[index] += weight * x
        return pulled

    def pull(self, fields: Sequence[Volume]) -> Volume:
        """Adjoint of the model: sum of D_i fields_i for chi, each alone for the others."""
        spectra = [k * fft.rfftn(f) for k, f in zip(self._kernels, fields, strict=True)]
        return self._stacked([sum(spectra), *spectra])

    def precondition(self, stack: Volume) -> Volume:
        """Divide each volume by what its kernels would give without weights and masks."""
        parts = zip(stack.reshape(-1, *self._shape), self._powers, strict=True)
        return self._stacked([fft.rfftn(part) / power for part, power in parts])

    def _stacked(self, spectra: Sequence[Volume]) -> Volume:
        out = np.zeros((len(self._places), *self._shape), np.float32)
        for part, spectrum, place in zip(out, spectra, self._places, strict=True):
            np.copyto(part, self._inverse(spectrum), where=place)
        stack: Volume = out.reshape(-1, *self._shape[1:])
        return stack

    def _inverse(self, spectrum: Volume) -> Volume:
        volume: Volume = fft.irfftn(spectrum, s=self._shape)
        return volume

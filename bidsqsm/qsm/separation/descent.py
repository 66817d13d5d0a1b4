"""Accelerated projected gradients for two sources that share a field and a rate."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.operators import inverse
from bidsqsm.qsm.separation.roughness import add_roughness
from bidsqsm.qsm.separation.sources import Rates


class SourceDescent:
    r"""Minimise the misfit of the field, of R2' and of a map, and the roughness, over two parts.

    Parameters
    ----------
    chi, field : (nx, ny, nz) float32 array
        Susceptibility map and local field in ppm, zero outside the mask.
    trust : (nx, ny, nz) float32 array
        W, zero where the field is unknown.
    rates
        R2' in ppm.
    mask : (nx, ny, nz) bool array
        Where the parts may be other than zero.
    grid
        Padded grid of the arrays.
    weights
        Of R2' and of the map, against the field.
    smoothing, edge
        Weight of the roughness in ppm mm, and the gradient in ppm/mm from which it is an edge.
    start
        Both parts to begin with, in ppm, not negative.

    """

    def __init__(
        self,
        chi: Volume,
        field: Volume,
        trust: Volume,
        rates: Rates,
        mask: Mask,
        grid: Grid,
        weights: tuple[float, float],
        smoothing: float,
        edge: float,
        start: tuple[Volume, Volume],
    ) -> None:
        self.chi, self.rates, self.mask = chi, rates, mask
        self.dipole = dipole_kernel(grid)
        self.trust2 = trust**2
        # what the map's mean makes at the edge of the mask went with the background
        middle = mask * np.float32(chi[mask].mean(dtype=float))
        self.target = field + convolve(middle, self.dipole)
        self.weights = np.array(weights, np.float32)
        pull = 4 / 9 * float(self.trust2.max()) + weights[1]
        bend = float(rates.paramagnetic**2 + rates.diamagnetic**2) * weights[0]
        self.per_mm = inverse(grid.voxel_size)
        self.smoothing, self.edge = np.float32(smoothing), np.float32(edge)
        rough = smoothing / edge * 4 * float((self.per_mm**2).sum())
        self.pace = np.float32(1 / (2 * pull + bend + rough))  # one over a bound of the curvature
        self.parts = np.stack(start)
        self.ahead = self.parts.copy()
        self.speed = 1.0
        self.changes = np.zeros((grid.shape[0], 3))

    def step(self) -> float:
        """One iteration; gives the relative change of the parts."""
        # D W^2 (D (chi+ - |chi-|) - f): the field pulls the two parts in opposite directions
        misfit = convolve(self.ahead[0] - self.ahead[1], self.dipole)
        misfit -= self.target
        misfit *= self.trust2
        pull = convolve(misfit, self.dipole)
        slope = np.stack([pull, -pull])
        add_roughness(self.ahead, self.mask, self.per_mm, self.smoothing, self.edge, slope)
        # Nesterov's t_k, as in FISTA
        speed = (1 + math.sqrt(1 + 4 * self.speed**2)) / 2
        push = np.float32((self.speed - 1) / speed)
        rates = np.array([self.rates.paramagnetic, self.rates.diamagnetic], np.float32)
        _descend(
            self.parts,
            self.ahead,
            slope,
            self.chi,
            self.rates.load,
            self.mask,
            self.weights,
            rates,
            self.pace,
            push,
            self.changes,
        )
        moved, size, uphill = self.changes.sum(axis=0)
        self.speed = 1.0 if uphill > 0 else speed  # start anew where the momentum leads astray
        return 0.0 if size == 0 else math.sqrt(moved / size)


@kernel()
def _descend(
    parts: Volume,
    ahead: Volume,
    slope: Volume,
    chi: Volume,
    load: Volume,
    mask: Mask,
    weights: Volume,
    rates: Volume,
    pace: np.float32,
    push: np.float32,
    changes: Volume,
) -> None:
    # a step down from where the momentum led, then on; sums of change, size and ascent by plane
    for i in nb.prange(chi.shape[0]):
        moved, size, uphill = 0.0, 0.0, 0.0
        for j in range(chi.shape[1]):
            for k in range(chi.shape[2]):
                if not mask[i, j, k]:
                    continue
                p, n = ahead[0, i, j, k], ahead[1, i, j, k]
                # beta and alpha: both are local, so their gradients need no volume of their own
                g = weights[1] * (p - n - chi[i, j, k])
                h = weights[0] * (rates[0] * p + rates[1] * n - load[i, j, k])
                # projection: neither part below zero
                after_p = max(p - pace * (slope[0, i, j, k] + g + rates[0] * h), np.float32(0))
                after_n = max(n - pace * (slope[1, i, j, k] - g + rates[1] * h), np.float32(0))
                step_p = after_p - parts[0, i, j, k]
                step_n = after_n - parts[1, i, j, k]
                moved += step_p * step_p + step_n * step_n
                size += after_p * after_p + after_n * after_n
                uphill += (p - after_p) * step_p + (n - after_n) * step_n
                parts[0, i, j, k], parts[1, i, j, k] = after_p, after_n
                ahead[0, i, j, k] = after_p + push * step_p
                ahead[1, i, j, k] = after_n + push * step_n
        changes[i, 0], changes[i, 1], changes[i, 2] = moved, size, uphill

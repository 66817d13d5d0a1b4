"""Balls of known susceptibility in a ball of tissue, and the field that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel


@dataclass
class Phantom:
    """A susceptibility map and the field it makes."""

    chi: Volume
    field: Volume
    mask: Mask
    grid: Grid


def make_phantom() -> Phantom:
    """Three balls of known susceptibility in a ball of tissue."""
    grid = Grid((48, 48, 40), (1.0, 1.0, 1.2))
    i, j, k = np.ogrid[:48, :48, :40]

    def ball(x, y, z, radius):
        return (i - x) ** 2 + (j - y) ** 2 + (1.2 * (k - z)) ** 2 < radius**2

    mask = ball(24, 24, 20, 20)
    chi = 0.1 * ball(18, 24, 20, 4) - 0.05 * ball(30, 24, 20, 4) + 0.2 * ball(24, 32, 22, 3)
    chi = np.where(mask, chi - chi[mask].mean(), 0)
    return Phantom(chi, convolve(chi, dipole_kernel(grid)), mask, grid)

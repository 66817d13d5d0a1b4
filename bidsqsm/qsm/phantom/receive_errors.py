"""Errors of the receive chain that all echoes share: open fringes, slices with offsets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import Head

Complex = npt.NDArray[np.complex64]
#: Width (mm) of the hole where coils cancel, and how far (mm) from the middle of the brain it lies
_HOLE_MM, _AWAY_MM = 5.0, 30.0


def open_fringe(length: float, head: Head, seed: int) -> Complex:
    """Factor (nx, ny, nz) of combined coils that cancel along two lines: a turn about each.

    Parameters
    ----------
    length
        Distance of the lines in mm; the phase has a fringe between them that ends at both.
    head
        The lines run along world z through its brain.
    seed
        Of their place.

    """
    random = np.random.default_rng([seed, 23])
    x, y, _ = head.coordinates_in_mm()
    middle = head.affine[:3, :3] @ np.argwhere(head.mask).mean(0) + head.affine[:3, 3]
    at, towards = np.exp(1j * random.uniform(-np.pi, np.pi, 2))
    centre = middle[0] + 1j * middle[1] + _AWAY_MM * at
    plane = x + 1j * y
    factor = np.ones(head.grid.shape, np.complex64)
    for side in (-1, 1):
        off = plane - (centre + side * length / 2 * towards)
        hole = off / np.sqrt(abs(off) ** 2 + _HOLE_MM**2)
        factor *= hole.astype(np.complex64) if side > 0 else np.conj(hole).astype(np.complex64)
    return factor


def slice_phases(size: float, count: int, seed: int) -> Volume:
    """Phase (rad) of each slice, (1, 1, nz), normal with this standard deviation."""
    random = np.random.default_rng([seed, 29])
    return np.asarray(size * random.standard_normal((1, 1, count)), np.float32)

"""A susceptibility map with its zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume


class Referenced(NamedTuple):
    """A referenced map and what was taken for zero.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility relative to the region, in ppm; zero outside the mask.
    region : (nx, ny, nz) bool array
        Voxels whose mean is zero; none where nothing was subtracted.
    value
        What was subtracted, in ppm: the mean of the region before.
    spread
        Standard deviation over the region, in ppm.

    """

    chi: Volume
    region: Mask
    value: float
    spread: float


def relative_to(region: Mask, chi: Volume, mask: Mask) -> Referenced:
    """Subtract the mean of a region from a map, inside its mask."""
    values = chi[region].astype(float)
    value = float(values.mean())
    moved = np.where(mask, chi - np.float32(value), np.float32(0))
    return Referenced(moved, region, value, float(values.std()))

"""A penalty on the variation of susceptibility within a region, in the ADMM iteration."""

from __future__ import annotations

import logging

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.csf import slow_centre

LOGGER = logging.getLogger(__name__)


class Uniform:
    r"""Half of a weight times :math:`\sum_{i \in R} (\chi_i - \bar\chi_R)^2`, with a split s = chi.

    Outside the region the split follows chi at once, and has no multiplier.

    Parameters
    ----------
    region : (nx, ny, nz) bool array
        R, on the padded grid.
    weight
        Dimensionless, as the square of the data's weight.
    nu
        Penalty of the split (dimensionless).

    """

    def __init__(self, region: Mask, weight: float, nu: float) -> None:
        self.places, self.nu = np.flatnonzero(region), nu
        self.keep = np.float32(nu / (nu + weight))  # of what a voxel differs from the mean
        self.multiplier = np.zeros(self.places.size, np.float32)

    def update(self, chi: Volume, pull: Volume, scale: float) -> None:
        """Update the split and add what it pulls on chi, s - v, times ``scale``."""
        q = chi.ravel()[self.places] + self.multiplier
        mean = q.mean(dtype=np.float64).astype(np.float32)
        split = mean + self.keep * (q - mean)
        self.multiplier = q - split
        whole = pull.ravel()
        whole += np.float32(scale) * chi.ravel()
        whole[self.places] += np.float32(scale) * (
            split - self.multiplier - chi.ravel()[self.places]
        )


def fluid_of(
    mask: Mask,
    grid: Grid,
    r2star: Volume | None,
    max_r2star: float,
    radius: float,
    components: int,
) -> Volume | None:
    """Ones in the ventricles, or None with a warning where they cannot be found."""
    if r2star is None:
        LOGGER.warning('medi0 was given no R2* to find fluid with: it works as medi does')
        return None
    region = slow_centre(mask, grid, r2star, max_r2star, radius, components)
    if not region.any():
        LOGGER.warning(
            'medi0 found no voxel with R2* below %g 1/s within %g mm of the centre of the mask: '
            'it works as medi does',
            max_r2star,
            radius,
        )
        return None
    return region.astype(np.float32)

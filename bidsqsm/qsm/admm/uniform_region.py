"""A penalty on the variation of susceptibility within a region, in the ADMM iteration."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume


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

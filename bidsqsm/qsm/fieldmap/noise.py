"""Noise of the complex signal, from what the data itself shows."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.units import MAD_TO_SD


def noise_from_misfit(misfit: Volume, mask: Mask, freedom: int) -> float:
    """Standard deviation of the complex signal (per channel, unit of the magnitude).

    ``misfit`` is the sum over echoes of |data - model|^2 with the magnitude of the model taken
    from the data, so that only the part across the signal counts; ``freedom`` the number of
    echoes less that of the fitted phase parameters. The median over the mask keeps vessels and
    edges out; for a chi-square of few degrees of freedom it lies below the mean by the
    Wilson-Hilferty factor.
    """
    median = float(np.median(misfit[mask]))
    return float(np.sqrt(median / (freedom * (1 - 2 / (9 * freedom)) ** 3)))


def noise_from_neighbours(magnitude: Volume, mask: Mask) -> float:
    """Standard deviation of the magnitude (its own unit), from the bend between neighbours.

    The second difference of three voxels in a row has six times the variance of one; its median
    absolute value keeps edges out.
    """
    bend = magnitude[:-2] - 2 * magnitude[1:-1] + magnitude[2:]
    inside = mask[:-2] & mask[1:-1] & mask[2:]
    if not inside.any():
        return 0.0
    return float(MAD_TO_SD * np.median(np.abs(bend[inside])) / np.sqrt(6))

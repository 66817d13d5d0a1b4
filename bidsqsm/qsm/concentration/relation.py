"""A susceptibility that is linear in a concentration, solved for the concentration."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume


def concentration_of(chi: Volume, mask: Mask, coefficient: float, baseline: float) -> Volume:
    """Concentration that explains a susceptibility: what is above the baseline over the coefficient.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Where it is known.
    coefficient
        In ppm per unit of the concentration.
    baseline
        Susceptibility where the concentration is zero, in ppm.

    Returns
    -------
    concentration : (nx, ny, nz) float32 array
        Negative where the susceptibility lies below the baseline, since to cut it there would
        lift the means of regions; zero outside the mask and where chi is not finite.

    """
    if chi.shape != mask.shape:
        raise ValueError(
            f'the mask has shape {mask.shape}, but chi has {chi.shape}: give arrays of one grid'
        )
    found = np.zeros(chi.shape, np.float32)
    known = mask & np.isfinite(chi)
    found[known] = (chi[known] - np.float32(baseline)) / np.float32(coefficient)
    return found

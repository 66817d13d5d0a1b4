"""Which voxels have a phase that can be trusted."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume

QUALITY_LIMIT, RESIDUAL_LIMIT = 0.3, 0.1


def reliable(
    quality_map: Volume,
    residual: Volume,
    brain: Mask,
    quality_limit: float = QUALITY_LIMIT,
    residual_limit: float = RESIDUAL_LIMIT,
) -> Mask:
    """Voxels whose phase is good and whose echoes agree on one field.

    Parameters
    ----------
    quality_map : (nx, ny, nz) float32 array
        Quality of the unwrapped phase, 0 to 1.
    residual : (nx, ny, nz) float32 array
        Relative residual of the field fit; 0 is a perfect fit.
    brain : (nx, ny, nz) bool array
        Where what is usual is measured: at least one voxel.
    quality_limit
        Lowest quality; at most half the median of the brain, so that noisy data keep theirs.
    residual_limit
        Highest residual; at least three times the median of the brain.

    Returns
    -------
    good : (nx, ny, nz) bool array

    """
    lowest = min(quality_limit, 0.5 * float(np.median(quality_map[brain])))
    highest = max(residual_limit, 3 * float(np.median(residual[brain])))
    poor: Mask = (quality_map < lowest) | (residual > highest)
    return ~poor

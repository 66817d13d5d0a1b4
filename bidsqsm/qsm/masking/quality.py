"""Masks from magnitude and the quality of the phase."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.masking.brain import brain_mask
from bidsqsm.qsm.masking.morphology import (
    erode,
    fill_holes,
    largest_component,
    open_,
)
from bidsqsm.qsm.masking.result import Masks

LOGGER = logging.getLogger(__name__)


def quality(
    magnitude: Volume,
    quality_map: Volume,
    residual: Volume,
    grid: Grid,
    *,
    quality_limit: Annotated[float, Between(0, 1)] = 0.3,
    residual_limit: Annotated[float, Between(0, 2)] = 0.1,
    trim_depth: Annotated[float, From(0, 100)] = 8.0,
) -> Masks:
    """Brain mask from the magnitude, trimmed at its edge by phase quality and fit residual.

    The brain is the largest tissue that the skull sets apart. From it, voxels whose phase
    quality is low [dymerska2021]_ or whose echoes do not agree on one field [bilgic2024]_ are
    taken away, from the edge inwards and to a limited depth; poor voxels within (vessels,
    microbleeds) stay, since a hole would hide what one looks for.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    quality_map : (nx, ny, nz) float32 array
        Quality of the unwrapped phase, 0 to 1.
    residual : (nx, ny, nz) float32 array
        Relative residual of the field fit; 0 is a perfect fit.
    grid
        Voxel size and field direction.
    quality_limit
        Phase quality below which an edge voxel goes; at most half the median of the brain, so
        that noisy data keep their edge.
    residual_limit
        Relative residual above which an edge voxel goes; at least three times the median of the
        brain.
    trim_depth
        Depth from the brain's surface that trimming may reach, in mm.

    Returns
    -------
    masks
        The brain, and the part of it that trimming left.

    References
    ----------
    .. [dymerska2021] Dymerska et al., Magn Reson Med 85:2294-2308 (2021). doi:10.1002/mrm.28563
    .. [bilgic2024] Bilgic et al., Magn Reson Med 91:1834-1862 (2024). doi:10.1002/mrm.30006

    """
    combined = np.sqrt(np.mean(magnitude**2, axis=0))
    brain = brain_mask(combined, grid.voxel_size)
    if not brain.any():
        return Masks(brain, brain.copy())
    lowest = min(quality_limit, 0.5 * float(np.median(quality_map[brain])))
    highest = max(residual_limit, 3 * float(np.median(residual[brain])))
    poor = (quality_map < lowest) | (residual > highest)
    trimmed = trim(brain, poor, trim_depth, grid.voxel_size)
    LOGGER.info('quality: brain %d voxels, %d after trimming', brain.sum(), trimmed.sum())
    return Masks(brain, trimmed)


def trim(brain: Mask, poor: Mask, depth: float, voxel_size: tuple[float, float, float]) -> Mask:
    """Take poor voxels off a mask from its edge inwards, at most to ``depth`` mm; no holes left."""
    rim = brain & ~erode(brain, depth, voxel_size) if depth > 0 else np.zeros_like(brain)
    kept = brain & ~(poor & rim)
    opened = open_(kept, 1.01 * min(voxel_size), voxel_size)
    return fill_holes(largest_component(opened)) & brain

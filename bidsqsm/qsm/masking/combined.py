"""Masks from magnitude, template and the quality of the phase."""

from __future__ import annotations

import logging
from typing import Annotated

import numpy as np

from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.masking.mask_result import Masks
from bidsqsm.qsm.masking.morphology import erode, fill_holes, largest_component, open_
from bidsqsm.qsm.masking.reliable_voxels import QUALITY_LIMIT, RESIDUAL_LIMIT, reliable
from bidsqsm.qsm.masking.structural import structural

LOGGER = logging.getLogger(__name__)


def combined(
    magnitude: Volume,
    quality_map: Volume,
    residual: Volume,
    grid: Grid,
    body: Body = ADULT,
    *,
    template_mask: Mask | None = None,
    quality_limit: Annotated[float, Between(0, 1)] = QUALITY_LIMIT,
    residual_limit: Annotated[float, Between(0, 2)] = RESIDUAL_LIMIT,
    trim_depth: Annotated[float, From(0, 100)] = 8.0,
    tolerance: Annotated[float, From(0, 100)] = 5.0,
) -> Masks:
    """Brain mask from the magnitude (and a template, if any), trimmed by phase quality and residual.

    The brain is the largest tissue that the skull sets apart. Where a template was registered, it
    rules out gross errors [heckemann2006]_: what lies well outside its brain (eyes, scalp) goes,
    what lies well inside it (a lobe that was missed) is added. From the brain, voxels whose phase
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
    body
        What was scanned; where it is no head, the whole object is taken.
    template_mask : (nx, ny, nz) bool array
        Brain of the template on the grid of the run, where there is one.
    quality_limit
        Phase quality below which an edge voxel goes; at most half the median of the brain, so
        that noisy data keep their edge.
    residual_limit
        Relative residual above which an edge voxel goes; at least three times the median of the
        brain.
    trim_depth
        Depth from the brain's surface that trimming may reach, in mm.
    tolerance
        Distance from the edge of the template's brain within which the magnitude decides, in mm.

    Returns
    -------
    masks
        The brain, the part of it that trimming left, and what they were made from.

    References
    ----------
    .. [heckemann2006] Heckemann et al., NeuroImage 33:115-126 (2006).
       doi:10.1016/j.neuroimage.2006.05.061
    .. [dymerska2021] Dymerska et al., Magn Reson Med 85:2294-2308 (2021). doi:10.1002/mrm.28563
    .. [bilgic2024] Bilgic et al., Magn Reson Med 91:1834-1862 (2024). doi:10.1002/mrm.30006

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> magnitude = sphere.echoes((0.01,)).magnitude
    >>> quality, residual = 0.9 * sphere.mask, 0.01 * sphere.mask
    >>> quality[:, :, 18:] = 0.1  # noise at the top
    >>> masks = combined(magnitude, quality, residual, sphere.grid)
    >>> int(masks.brain.sum()), int(masks.qsm.sum())
    (3816, 3276)

    """
    whole = structural(magnitude, grid, body, template_mask=template_mask, tolerance=tolerance)
    brain = whole.brain
    if not brain.any():
        return whole
    good = reliable(quality_map, residual, brain, quality_limit, residual_limit)
    trimmed = trim(brain, ~good, trim_depth, grid.voxel_size)
    LOGGER.info('combined: brain %d voxels, %d after trimming', brain.sum(), trimmed.sum())
    return whole._replace(qsm=trimmed, quality=good & brain)


def trim(brain: Mask, poor: Mask, depth: float, voxel_size: Triple) -> Mask:
    """Take poor voxels off a mask from its edge inwards, at most to ``depth`` mm; no holes left."""
    rim = brain & ~erode(brain, depth, voxel_size) if depth > 0 else np.zeros_like(brain)
    kept = brain & ~(poor & rim)
    opened = open_(kept, 1.01 * min(voxel_size), voxel_size)
    return fill_holes(largest_component(opened)) & brain

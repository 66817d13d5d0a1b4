"""Mask from magnitude and template, whatever the phase."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.masking.brain import whole_of
from bidsqsm.qsm.masking.head_mask import head_mask
from bidsqsm.qsm.masking.mask_result import Masks
from bidsqsm.qsm.masking.morphology import dilate, erode, fill_holes, largest_component


def structural(
    magnitude: Volume,
    grid: Grid,
    body: Body = ADULT,
    *,
    template_mask: Mask | None = None,
    tolerance: Annotated[float, From(0, 100)] = 5.0,
) -> Masks:
    """Brain mask from the magnitude (and a template, if any), untrimmed.

    The brain is the largest tissue that the skull sets apart [otsu1979]_. Where a template was
    registered, it rules out gross errors [heckemann2006]_: what lies well outside its brain (eyes,
    scalp) goes, what lies well inside it (a lobe that was missed) is added.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    grid
        Voxel size and field direction.
    body
        What was scanned; where it is no head, the whole object is taken.
    template_mask : (nx, ny, nz) bool array
        Brain of the template on the grid of the run, where there is one.
    tolerance
        Distance from the edge of the template's brain within which the magnitude decides, in mm.

    Returns
    -------
    masks
        The brain, which is also the QSM mask, and what it was made from.

    References
    ----------
    .. [otsu1979] Otsu, IEEE Trans Syst Man Cybern 9:62-66 (1979). doi:10.1109/TSMC.1979.4310076
    .. [heckemann2006] Heckemann et al., NeuroImage 33:115-126 (2006).
       doi:10.1016/j.neuroimage.2006.05.061

    Examples
    --------
    >>> from bidsqsm.qsm.mask_overlap import dice
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> masks = structural(sphere.echoes((0.01,)).magnitude, sphere.grid)
    >>> bool(dice(masks.brain, sphere.mask) > 0.9)
    True

    """
    found = whole_of(np.sqrt(np.mean(magnitude**2, axis=0)), grid.voxel_size, body)
    brain = found
    if template_mask is not None:
        signal = head_mask(magnitude)
        brain = correct(found, template_mask, signal, tolerance, grid.voxel_size)
    return Masks(brain, brain.copy(), found, template_mask)


def correct(
    found: Mask, template_mask: Mask, signal: Mask, tolerance: float, voxel_size: Triple
) -> Mask:
    """Bring a brain to within ``tolerance`` mm of the template's; nearer to its edge it is kept."""
    missed = erode(template_mask, tolerance, voxel_size) & signal & ~found
    beyond = found & ~dilate(template_mask, tolerance, voxel_size)
    if not (missed.any() or beyond.any()):
        return found
    return fill_holes(largest_component((found | missed) & ~beyond))

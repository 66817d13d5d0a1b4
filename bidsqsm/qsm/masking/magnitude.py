"""Mask from the magnitude alone."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.body import ADULT, Body
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.masking.brain import whole_of
from bidsqsm.qsm.masking.mask_result import Masks


def magnitude(magnitude: Volume, grid: Grid, body: Body = ADULT) -> Masks:
    """Brain mask from the magnitude, untrimmed.

    Tissue is what exceeds a threshold between signal and background [otsu1979]_; the brain is the
    part of it that its narrowest places cut from the scalp. Edges with unreliable phase stay in.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    grid
        Voxel size and field direction.
    body
        What was scanned; where it is no head, the whole object is taken.

    Returns
    -------
    masks
        The brain, which is also the QSM mask.

    References
    ----------
    .. [otsu1979] Otsu, IEEE Trans Syst Man Cybern 9:62-66 (1979). doi:10.1109/TSMC.1979.4310076

    Examples
    --------
    >>> from bidsqsm.qsm.mask_overlap import dice
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> masks = magnitude(sphere.echoes((0.01,)).magnitude, sphere.grid)
    >>> bool(dice(masks.brain, sphere.mask) > 0.9)
    True

    """
    brain = whole_of(np.sqrt(np.mean(magnitude**2, axis=0)), grid.voxel_size, body)
    return Masks(brain, brain.copy(), magnitude=brain)

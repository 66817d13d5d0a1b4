"""Where there is signal at all: the voxels whose phase is worth following."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.masking.morphology import fill_holes

HEAD_MAGNITUDE_SHARE = 0.03  # of the bright voxels: above the noise of air, below any tissue


def head_mask(magnitude: Volume) -> Mask:
    """Find the voxels with signal, and those that they enclose.

    Phase is unwrapped within this mask. Air outside the head would only cost time, and lets a
    path stray; a vein or a bleed without signal inside the head must not become a hole.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.

    Returns
    -------
    mask : (nx, ny, nz) bool array

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> mask = head_mask(sphere.echoes((0.01,)).magnitude)
    >>> bool((mask == sphere.mask).mean() > 0.95)
    True

    """
    strength = np.sqrt(np.mean(magnitude**2, axis=0))
    bright = float(np.percentile(strength, 95))
    return fill_holes(strength > HEAD_MAGNITUDE_SHARE * bright)

"""No reference."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.reference_result import Referenced


def none(
    chi: Volume,
    mask: Mask,
    grid: Grid,
    r2star: Volume | None = None,
    labels: Volume | None = None,
) -> Referenced:
    """No reference: the constant that the inversion left.

    Dipole inversion knows susceptibility up to a constant [bilgic2024]_; what it left is kept.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant.
    mask : (nx, ny, nz) bool array
        Voxels where it is known.
    grid
        Not used.
    r2star, labels
        Not used.

    Returns
    -------
    referenced : Referenced
        The map as it came (zero outside the mask), an empty region and a value of zero.

    References
    ----------
    .. [bilgic2024] QSM Consensus Organization Committee: Bilgic et al., Magn Reson Med
       91:1834-1862 (2024). doi:10.1002/mrm.30006

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> chi, region, value, _ = none(sphere.chi, sphere.mask, sphere.grid)
    >>> bool((chi == sphere.chi).all()), value
    (True, 0.0)

    """
    return Referenced(np.where(mask, chi, np.float32(0)), np.zeros_like(mask), 0.0, 0.0)

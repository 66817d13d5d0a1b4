"""Thresholded k-space division."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel


def tkd(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    threshold: Annotated[float, Between(0, 2 / 3)] = 0.15,
    rescale: bool = True,
    padding: Annotated[float, Between(-1e-9, 500)] = 20.0,
) -> Volume:
    r"""Thresholded k-space division.

    The field spectrum is divided by the dipole kernel, whose magnitude is kept
    above a floor to tame the cone of small values [shmueli2009]_:

    .. math:: \chi(k) = f(k) \,/\, \operatorname{sgn}(D) \max(|D|, \delta)

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    threshold
        Floor :math:`\delta` of the kernel magnitude (dimensionless).
    rescale
        Undo the loss of contrast that the floor brings [schweser2013]_.
    padding
        Zero margin against circular wrap, in mm.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [shmueli2009] Shmueli et al., Magn Reson Med 62:1510-1522 (2009). doi:10.1002/mrm.22135
    .. [schweser2013] Schweser et al., Magn Reson Med 69:1582-1594 (2013). doi:10.1002/mrm.24405

    """
    wide = grid.padded(padding)
    kernel = dipole_kernel(wide)
    floored = np.copysign(np.maximum(np.abs(kernel), np.float32(threshold)), kernel)
    spectrum = fft.rfftn(np.where(mask, field, np.float32(0)), s=wide.shape)
    spectrum /= floored
    if rescale:
        spectrum /= np.mean(kernel / floored)
    chi = fft.irfftn(spectrum, s=wide.shape, overwrite_x=True)
    nx, ny, nz = grid.shape
    return np.where(mask, chi[:nx, :ny, :nz], np.float32(0))

"""Thresholded k-space division."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.window import Window


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
    window = Window.around(mask, grid, padding)
    kernel = dipole_kernel(window.grid)
    floored = np.copysign(np.maximum(np.abs(kernel), np.float32(threshold)), kernel)
    spectrum = fft.rfftn(window.cut(field))
    spectrum /= floored
    if rescale:
        spectrum /= _mean(kernel / floored)
    return window.restore(fft.irfftn(spectrum, s=window.grid.shape, overwrite_x=True))


def _mean(spectrum: Volume) -> np.float32:
    # over the whole of k-space, of which the half spectrum holds the first and last plane once
    both = 2 * spectrum.sum(dtype=np.float64)
    once = spectrum[..., 0].sum(dtype=np.float64) + spectrum[..., -1].sum(dtype=np.float64)
    nx, ny, nz = spectrum.shape
    return np.float32((both - once) / (nx * ny * 2 * (nz - 1)))

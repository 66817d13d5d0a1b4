"""Convolution kernels of susceptibility physics, in k-space."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Grid, Volume


def dipole_kernel(grid: Grid) -> Volume:
    r"""Field of a unit point of susceptibility.

    .. math:: D(k) = \frac{1}{3} - \frac{(k \cdot \hat{b}_0)^2}{|k|^2}, \quad D(0) = 0

    Parameters
    ----------
    grid
        The grid to sample the kernel on.

    Returns
    -------
    kernel : (nx, ny, nz // 2 + 1) float32 array
        Real spectrum, in the layout of :func:`scipy.fft.rfftn`. Dimensionless: ppm of
        susceptibility in, ppm of B0 out.

    References
    ----------
    .. [salomir2003] Salomir et al., Concepts Magn Reson B 19:26-34 (2003).
       doi:10.1002/cmr.b.10083
    .. [marques2005] Marques and Bowtell, Concepts Magn Reson B 25:65-78 (2005).
       doi:10.1002/cmr.b.20034

    """
    k = grid.frequencies()
    along = sum(np.float32(b) * ki for b, ki in zip(grid.b0_direction, k, strict=True))
    k2 = np.asarray(sum(ki**2 for ki in k))
    k2[0, 0, 0] = np.inf
    kernel = np.float32(1 / 3) - along**2 / k2
    kernel[0, 0, 0] = 0
    return kernel

"""What white matter adds to the field that no map of one susceptibility explains."""

from __future__ import annotations

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phantom.fibres import Fibres


def anisotropic_field(size: float, fibres: Fibres, grid: Grid, margin: float = 24.0) -> Volume:
    r"""Field of a susceptibility tensor along the fibres less that of its mean.

    .. math:: \delta(k) = \frac{b \cdot u(k)}{3} - \frac{(b \cdot k) (k \cdot u(k))}{|k|^2},
       \quad u = \Delta\chi\, w \left(v (v \cdot b) - \frac{b}{3}\right)

    Parameters
    ----------
    size
        Susceptibility along the fibres less that across, in ppm.
    fibres
        Directions v and share w of white matter.
    grid
        Of the head.
    margin
        Of the padding on every side, in mm.

    Returns
    -------
    field : (nx, ny, nz) float32 array
        In ppm; the trace of the tensor is zero, so the mean susceptibility stays what it is.

    References
    ----------
    .. [liu2010] Liu, Magn Reson Med 63:1471-1477 (2010). doi:10.1002/mrm.22482

    """
    padded = grid.padded(2 * margin)
    k = padded.frequencies()
    b = np.array(grid.b0_direction, np.float32)
    k2 = np.asarray(k[0] ** 2 + k[1] ** 2 + k[2] ** 2)
    k2[0, 0, 0] = 1
    along = sum(q * c for q, c in zip(k, b, strict=True)) / k2
    cosine = np.tensordot(b, fibres.direction, 1)
    spectrum = np.zeros(k2.shape, np.complex64)
    for axis in range(3):
        u = np.float32(size) * fibres.white * (fibres.direction[axis] * cosine - b[axis] / 3)
        spectrum += fft.rfftn(u, padded.shape) * (b[axis] / 3 - along * k[axis])
    spectrum[0, 0, 0] = 0
    field = fft.irfftn(spectrum, padded.shape)
    nx, ny, nz = grid.shape
    return np.asarray(field[:nx, :ny, :nz], np.float32)


def lorentz_shift(size: float, fibres: Fibres, grid: Grid) -> Volume:
    r"""Shift of water between long structures, against what a sphere of Lorentz gives, in ppm.

    .. math:: -\chi_L\, w \left(\tfrac{1}{2} \sin^2\theta - \tfrac{1}{3}\right)

    Parameters
    ----------
    size
        How diamagnetic the structures along the fibres are, in ppm.
    fibres
        Directions and share w of white matter.
    grid
        Of the head.

    References
    ----------
    .. [he2009] He and Yablonskiy, Proc Natl Acad Sci USA 106:13558-13563 (2009).
       doi:10.1073/pnas.0904899106

    """
    sine2 = fibres.sine2(grid.b0_direction)
    return np.asarray(-size * fibres.white * (sine2 / 2 - np.float32(1 / 3)), np.float32)


def exchange_shift(size: float, fibres: Fibres) -> Volume:
    """Shift of water that exchanges with macromolecules, in ppm: half as large in gray matter.

    Parameters
    ----------
    size
        Of white matter, in ppm.
    fibres
        Shares of white and gray matter.

    References
    ----------
    .. [zhong2008] Zhong et al., NeuroImage 40:1561-1566 (2008).
       doi:10.1016/j.neuroimage.2008.01.061
    .. [shmueli2011] Shmueli et al., Magn Reson Med 65:35-43 (2011). doi:10.1002/mrm.22604

    """
    return np.asarray(size * (fibres.white + fibres.gray / 2), np.float32)

"""High-pass filter of the complex signal, as susceptibility-weighted imaging has it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.window import Window


def homodyne(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    min_wavelength: Annotated[float, Between(0, 1000)] = 8.0,
    phase_scale: Annotated[float, Between(0, 1000)] = 5.0,
) -> tuple[Volume, Mask]:
    r"""Homodyne high-pass filter of the field (not quantitative).

    The field is turned into a signal of magnitude one in the mask, and the phase of its low-pass
    filtered self taken off, as in susceptibility-weighted imaging [haacke2004]_:

    .. math:: S = M e^{i k f}, \quad f_{local} = \tfrac{1}{k} \arg(S \, \overline{w * S})

    with a Hann window w over frequencies up to one over a wavelength. Whatever changes slowly is
    lost, whether it comes from outside or from a large structure inside: the field of a nucleus is
    too small and has a rim of the other sign, and so has a map made from it. For looking at veins
    and small lesions only, not for values. Where the background changes by more than
    :math:`\pi` per voxel at this phase scale, the filter fails.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    min_wavelength
        Shortest wavelength that is taken off, in mm; half of what has twice this wavelength is.
    phase_scale
        Phase k of the signal per field, in rad/ppm: 15 is that at 3 T after 19 ms. Small values
        make the filter a linear one.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        High-pass filtered field in ppm, zero outside the mask.
    mask : (nx, ny, nz) bool array
        The mask, unchanged.

    References
    ----------
    .. [haacke2004] Haacke et al., Magn Reson Med 52:612-618 (2004). doi:10.1002/mrm.20198

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = homodyne(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (3648, 0.6)

    """
    window = Window.around(mask, grid, 2 * min_wavelength)
    # the filter acts on the complex signal, blind to turns, as on a scanner's phase
    signal = np.exp(np.complex64(1j * phase_scale) * window.cut(field))
    signal *= window.cut_mask()
    smooth = fft.fftn(signal)
    smooth *= _hann(window.grid, min_wavelength)
    smooth = fft.ifftn(smooth, overwrite_x=True)
    local = np.angle(signal * smooth.conj())
    local *= np.float32(1 / phase_scale)
    return window.restore(local), mask.copy()


def _hann(grid: Grid, wavelength: float) -> Volume:
    """Cosine bell over the frequencies up to one over a wavelength, in the layout of fftn."""
    square: Volume = np.zeros((1, 1, 1), np.float32)
    axes = [np.fft.fftfreq(n, d) for n, d in zip(grid.shape, grid.voxel_size, strict=True)]
    for k in np.meshgrid(*(a.astype(np.float32) for a in axes), indexing='ij', sparse=True):
        square = square + k**2
    reach = np.minimum(np.sqrt(square) * np.float32(wavelength), 1)
    bell: Volume = (1 + np.cos(np.float32(np.pi) * reach)) / 2
    return bell

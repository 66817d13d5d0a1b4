"""Unwrapping by the Laplacian of the phase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.unwrap.reliability import phase_quality
from bidsqsm.qsm.unwrap.result import Unwrapped


def laplacian(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float]
) -> Unwrapped:
    r"""Laplacian unwrapping, each echo on its own.

    .. math:: \phi = \nabla^{-2} \left( \cos\phi_w \nabla^2 \sin\phi_w
              - \sin\phi_w \nabla^2 \cos\phi_w \right)

    with the Laplacians taken in the cosine transform, so that the slope is zero at the edge of
    the volume [schofield2003]_. Needs no path, hence never fails, but is not exact: part of the
    slowly varying field is lost and voxels near vessels and edges are off.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Wrapped phase in rad.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels to report; others are zero in the result.
    echo_times
        Echo times in s, ascending.

    Returns
    -------
    unwrapped
        Unwrapped phase (rad) of every echo, each with zero mean over the mask at the rate that
        its wrapped phase supports, and the quality (0 to 1) of each voxel.

    References
    ----------
    .. [schofield2003] Schofield and Zhu, Opt Lett 28:1194-1196 (2003). doi:10.1364/OL.28.001194

    """
    squared = _squared_frequency(mask.shape)
    unwrapped = np.zeros_like(phase)
    for wrapped, result in zip(phase, unwrapped, strict=True):
        sine, cosine = np.sin(wrapped), np.cos(wrapped)
        source = cosine * _laplace(sine, squared) - sine * _laplace(cosine, squared)
        spectrum = fft.dctn(source, overwrite_x=True)
        spectrum[1:] /= -squared[1:]
        spectrum[0].flat[1:] /= -squared[0].flat[1:]
        spectrum[0, 0, 0] = 0
        smooth = fft.idctn(spectrum, overwrite_x=True)
        # the transform leaves the mean open: take the one that the wrapped phase supports
        rest = np.exp(1j * (wrapped[mask] - smooth[mask]))
        result[mask] = smooth[mask] + np.float32(np.angle(rest.mean()))
    return Unwrapped(unwrapped, phase_quality(phase, magnitude, mask, echo_times))


def _squared_frequency(shape: tuple[int, ...]) -> Volume:
    k = [(np.pi * np.arange(n, dtype=np.float32) / n) ** 2 for n in shape]
    total: Volume = k[0][:, None, None] + k[1][None, :, None] + k[2][None, None, :]
    return total


def _laplace(volume: Volume, squared: Volume) -> Volume:
    spectrum = fft.dctn(volume)
    spectrum *= -squared
    result: Volume = fft.idctn(spectrum, overwrite_x=True)
    return result

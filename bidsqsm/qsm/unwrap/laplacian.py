"""Unwrapping by the Laplacian of the phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import OneOf
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.unwrap.constants import settle_turns
from bidsqsm.qsm.unwrap.reliability import phase_quality
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped

Transform = Callable[[Any], Any]


def laplacian(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    transform: Annotated[str, OneOf(('dct', 'fft'))] = 'dct',
) -> Unwrapped:
    r"""Laplacian unwrapping, each echo on its own.

    .. math:: \phi = \nabla^{-2} \left( \cos\phi_w \nabla^2 \sin\phi_w
              - \sin\phi_w \nabla^2 \cos\phi_w \right)

    with the Laplacians and the inverse taken in k-space [schofield2003]_. Needs no path, hence
    never fails, but is not exact: part of the slowly varying field is lost and voxels near vessels
    and edges are off.

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
    transform
        ``dct``: cosine transform, the slope of the phase is zero at the edge of the volume;
        ``fft``: Fourier transform, the phase goes on periodically.

    Returns
    -------
    unwrapped
        Unwrapped phase (rad) of every echo, its mean that of its wrapped phase plus the whole
        turns with which all echoes grow in proportion to their times, and the quality (0 to 1)
        of each voxel.

    References
    ----------
    .. [schofield2003] Schofield and Zhu, Opt Lett 28:1194-1196 (2003). doi:10.1364/OL.28.001194

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.units import ppm_to_rad
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, quality = laplacian(phase, magnitude, sphere.mask, echo_times)
    >>> true = ppm_to_rad(sphere.total_field, frequency, echo_times[2])
    >>> wrong = abs(unwrapped[2] - true) > np.pi
    >>> int((abs(phase[2] - true) > np.pi).sum()), int(wrong[sphere.mask].sum())
    (112, 8)

    """
    forward, back, squared = _transforms(transform, mask.shape)
    inverse = np.zeros_like(squared)
    np.divide(-1, squared, out=inverse, where=squared > 0)

    def laplace(volume: Volume) -> Volume:
        result: Volume = back(forward(volume) * -squared)
        return result

    unwrapped = np.zeros_like(phase)
    for wrapped, result in zip(phase, unwrapped, strict=True):
        sine, cosine = np.sin(wrapped), np.cos(wrapped)
        # Laplacian of the true phase: whole turns drop out of sine and cosine
        source = cosine * laplace(sine) - sine * laplace(cosine)
        smooth = back(forward(source) * inverse)
        # the transform leaves the mean open: take the one that the wrapped phase supports
        rest = np.exp(1j * (wrapped[mask] - smooth[mask]))
        result[mask] = smooth[mask] + np.float32(np.angle(rest.mean()))
    settle_turns(unwrapped, magnitude, mask, echo_times)
    return Unwrapped(unwrapped, phase_quality(phase, magnitude, mask, echo_times))


def _transforms(kind: str, shape: tuple[int, ...]) -> tuple[Transform, Transform, Volume]:
    """Forward, back, and the squared frequency (rad per voxel) in the layout of the spectrum."""
    if kind == 'dct':
        axes = [np.pi * np.arange(n) / n for n in shape]
        forward, back = fft.dctn, partial(fft.idctn, overwrite_x=True)
    else:
        axes = [2 * np.pi * fft.fftfreq(n) for n in shape[:-1]]
        axes.append(2 * np.pi * fft.rfftfreq(shape[-1]))
        forward, back = fft.rfftn, partial(fft.irfftn, s=shape, overwrite_x=True)
    x, y, z = np.meshgrid(*(a.astype(np.float32) ** 2 for a in axes), indexing='ij', sparse=True)
    return forward, back, x + y + z

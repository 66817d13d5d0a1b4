"""Susceptibility-weighted imaging: the magnitude, darkened by its high-pass filtered phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from bidsqsm.qsm.bounds import Between, OneOf
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.swi.echo_combination import COMBINATIONS, checked, combination
from bidsqsm.qsm.swi.highpass import WINDOWS, low_pass, shade_echo
from bidsqsm.qsm.swi.projection import brightness, minimum_projection


class PhaseWeighted(NamedTuple):
    """Susceptibility-weighted images and their projections; (nx, ny, nz) float32, 0 outside the mask.

    Attributes
    ----------
    swi, swi_diamagnetic
        Dark where the phase lies above its surroundings (veins, iron), or below (calcification).
    minip, minip_diamagnetic
        Minimum of each over a slab.

    """

    swi: Volume
    swi_diamagnetic: Volume
    minip: Volume
    minip_diamagnetic: Volume


def phase_mask(
    magnitude: Volume,
    phase: Volume,
    mask: Mask,
    grid: Grid,
    echo_times: Sequence[float],
    *,
    filter_size: Annotated[int, Between(4, 512)] = 64,
    window: Annotated[str, OneOf(WINDOWS)] = 'hann',
    power: Annotated[int, Between(1, 8)] = 4,
    echoes: Annotated[str, OneOf(COMBINATIONS)] = 't2star',
    echo_time: Annotated[float, Between(0.0, 1.0)] = 0.02,
    t2star: Annotated[float, Between(0.001, 1.0)] = 0.05,
    even: bool = True,
    slab: Annotated[float, Between(0.0, 200.0)] = 16.0,
) -> PhaseWeighted:
    r"""Magnitude times powers of a mask from homodyne-filtered phase.

    In every echo the phase :math:`\varphi` of the complex image over that of its low-pass filtered
    self makes a mask for each sign [haacke2004]_, which multiplies the magnitude :math:`n` times:

    .. math:: f_+ = \begin{cases} (\pi - \varphi) / \pi & \varphi > 0 \\ 1 & \text{else} \end{cases}
              \qquad
              f_- = \begin{cases} (\pi + \varphi) / \pi & \varphi < 0 \\ 1 & \text{else} \end{cases}
              \qquad SWI_\pm = S f_\pm^n

    for a phase that grows where the field is stronger. The echoes, each with its own mask, then
    become one image; with ``t2star`` it has the best contrast for T2* [posse1999]_. Phase is no
    susceptibility: about a source it has both signs, whose place depends on the direction of the
    field. The slices are taken across the image axis nearest to it.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit; voxels that are negative or not finite count as empty.
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad, wrapped or not, that grows where the field is stronger.
    mask : (nx, ny, nz) bool array
        The brain; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    echo_times
        Echo times in s.
    filter_size
        Width of the low-pass window in points of k-space along both axes of a slice; at most half
        of the matrix is used.
    window
        Shape of the window: ``hann`` or ``hamming``.
    power
        How often :math:`n` the mask is multiplied.
    echoes
        How the echoes become one image: ``t2star`` is their mean, weighted for T2* contrast;
        ``rss`` the root of the sum of their squares; ``single`` the echo nearest to ``echo_time``.
    echo_time
        Of the echo that ``single`` takes, in s.
    t2star
        T2* of the tissue that the weights of ``t2star`` suit, in s.
    even
        Whether the shading by the receive coils is taken off (N4).
    slab
        Thickness of the minimum-intensity projection in mm.

    Returns
    -------
    weighted : PhaseWeighted
        Image and projection for either sign, in the unit of the magnitude, or with 1 at its 99th
        percentile where it was made even.

    References
    ----------
    .. [haacke2004] Haacke et al., Magn Reson Med 52:612-618 (2004). doi:10.1002/mrm.20198
    .. [posse1999] Posse et al., Magn Reson Med 42:87-97 (1999).
       doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.2, radius=4.0)
    >>> phase, magnitude, echo_times, _ = sphere.echoes((0.02,))
    >>> scan = magnitude, phase, sphere.mask, sphere.grid, echo_times
    >>> images = phase_mask(*scan, filter_size=8)
    >>> pole = images.swi[12, 12, 14] / images.swi[12, 12, 12]
    >>> bool(pole < 0.9)  # the phase is high above the sphere, where the image darkens
    True

    """
    sizes = checked(magnitude, mask, echo_times)
    weights, squared = combination(echo_times, echoes, echo_time, t2star)
    images = np.zeros((3, *mask.shape), np.float32)  # magnitude, either sign
    for weight, size, angle in zip(weights, sizes, phase, strict=True):
        if weight > 0:
            signal = size * np.exp(1j * np.nan_to_num(angle, posinf=0, neginf=0))
            smooth = low_pass(signal, grid, filter_size, window)
            shade_echo(signal, smooth, mask, weight, squared, power, images)
    if squared:
        np.sqrt(images, out=images)
    factor = brightness(images[0], mask, grid, even=even)
    bright, dark = images[1] * factor, images[2] * factor
    return PhaseWeighted(
        bright,
        dark,
        minimum_projection(bright, mask, grid, slab),
        minimum_projection(dark, mask, grid, slab),
    )

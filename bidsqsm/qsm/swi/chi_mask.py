"""True SWI: the magnitude, darkened by its susceptibility."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np

from bidsqsm.qsm.bounds import Between, OneOf
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.swi.echo_combination import COMBINATIONS, checked, combination
from bidsqsm.qsm.swi.projection import brightness, minimum_projection


class ChiWeighted(NamedTuple):
    """A true SWI and its projection; (nx, ny, nz) float32, zero outside the mask.

    Attributes
    ----------
    true_swi
        Dark where the susceptibility is high (veins, iron), whatever the direction of the field.
    true_minip
        Its minimum over a slab.

    """

    true_swi: Volume
    true_minip: Volume


def chi_mask(
    magnitude: Volume,
    chi: Volume,
    mask: Mask,
    grid: Grid,
    echo_times: Sequence[float],
    *,
    low: Annotated[float, Between(-1.0, 1.0)] = 0.0,
    high: Annotated[float, Between(0.01, 10.0)] = 0.45,
    power: Annotated[int, Between(1, 8)] = 2,
    echoes: Annotated[str, OneOf(COMBINATIONS)] = 't2star',
    echo_time: Annotated[float, Between(0.0, 1.0)] = 0.02,
    t2star: Annotated[float, Between(0.001, 1.0)] = 0.05,
    even: bool = True,
    slab: Annotated[float, Between(0.0, 200.0)] = 16.0,
) -> ChiWeighted:
    r"""Magnitude times powers of a mask from susceptibility.

    The mask falls in a straight line between two susceptibilities [liu2014]_:

    .. math:: f = \operatorname{clip} \left( \frac{\chi_2 - \chi}{\chi_2 - \chi_1}, 0, 1 \right),
              \qquad tSWI = S f^n

    As the susceptibility does not depend on the direction of the field, veins are dark whichever
    way they run, and nothing beside them is. With ``t2star`` the echoes become the mean with the
    best contrast for T2* [posse1999]_.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit; voxels that are negative or not finite count as empty.
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        The brain; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    echo_times
        Echo times in s.
    low
        Susceptibility :math:`\chi_1` in ppm up to which nothing is darkened.
    high
        Susceptibility :math:`\chi_2` in ppm, above ``low``, from which on a voxel is black.
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
    weighted : ChiWeighted
        The image and its projection.

    References
    ----------
    .. [liu2014] Liu et al., J Magn Reson Imaging 40:698-708 (2014). doi:10.1002/jmri.24413
    .. [posse1999] Posse et al., Magn Reson Med 42:87-97 (1999).
       doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.225)
    >>> magnitude, echo_times = sphere.echoes((0.02,))[1:3]
    >>> scan = magnitude, sphere.chi, sphere.mask, sphere.grid, echo_times
    >>> images = chi_mask(*scan, even=False)

    Halfway between ``low`` and ``high`` a mask of one half is applied twice:

    >>> round(float(images.true_swi[12, 12, 12] / images.true_swi[12, 12, 18]), 2)
    0.25

    """
    if high <= low:
        raise ValueError(
            f'the mask of true SWI must fall from low to high, got low={low:g} and high={high:g} '
            'ppm: give a high above low'
        )
    sizes = checked(magnitude, mask, echo_times)
    total = combination(echo_times, echoes, echo_time, t2star).of(sizes)
    fall = (high - np.nan_to_num(chi, posinf=0, neginf=0)) / np.float32(high - low)
    shade = np.clip(fall, 0, 1) ** power
    image = (total * brightness(total, mask, grid, even=even) * shade).astype(np.float32)
    return ChiWeighted(image, minimum_projection(image, mask, grid, slab))

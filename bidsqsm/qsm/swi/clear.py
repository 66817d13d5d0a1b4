"""CLEAR-SWI: unwrapped phase of all echoes on an evenly bright magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.swi.echo_combination import checked, summed
from bidsqsm.qsm.swi.projection import brightness, minimum_projection, slice_axis

TRUNCATE = 3.0  # widths after which the Gaussian ends


class ClearWeighted(NamedTuple):
    """A CLEAR-SWI and its projection; (nx, ny, nz) float32, zero outside the mask.

    Attributes
    ----------
    clear_swi
        Dark where the field lies above its surroundings (veins, iron).
    clear_minip
        Its minimum over a slab.

    """

    clear_swi: Volume
    clear_minip: Volume


def clear(
    magnitude: Volume,
    phase: Volume,
    mask: Mask,
    grid: Grid,
    echo_times: Sequence[float],
    *,
    filter_sigma: Annotated[float, Between(0.5, 50.0)] = 4.0,
    strength: Annotated[float, Between(0.1, 100.0)] = 4.0,
    even: bool = True,
    softplus: bool = True,
    slab: Annotated[float, Between(0.0, 200.0)] = 8.0,
) -> ClearWeighted:
    r"""CLEAR-SWI, from unwrapped phase and a magnitude of equal brightness.

    The unwrapped phases become one field, weighted by magnitude and echo time, of which a Gaussian
    mean over the slice is taken off. What is left, :math:`x`, makes a smooth mask [eckstein2021]_

    .. math:: f = \tfrac{1}{2} \left( 1 + \tanh(1 - x / m) \right), \quad
              m = \tfrac{10}{strength} \operatorname{median}(x | x > 0)

    that multiplies the root of the sum of squares of the magnitude, freed of the shading by the
    receive coils (here by N4 [tustison2010]_) and compressed below half of its 80th percentile q:

    .. math:: s(S) = \tfrac{q}{4} \ln \frac{1 + e^{4 S / q - 2}}{1 + e^{-2}}

    Exact phase takes the place of the Laplacian unwrapping of the paper; wraps need no filter.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit; voxels that are negative or not finite count as empty.
    phase : (n_echoes, nx, ny, nz) float32 array
        Unwrapped phase in rad that grows where the field is stronger.
    mask : (nx, ny, nz) bool array
        The brain; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    echo_times
        Echo times in s.
    filter_sigma
        Width (standard deviation) of the Gaussian in mm along both axes of a slice.
    strength
        How strongly the field darkens.
    even
        Whether the shading by the receive coils is taken off (N4).
    softplus
        Whether low magnitudes are compressed.
    slab
        Thickness of the minimum-intensity projection in mm.

    Returns
    -------
    weighted : ClearWeighted
        The image and its projection.

    References
    ----------
    .. [eckstein2021] Eckstein et al., NeuroImage 237:118175 (2021).
       doi:10.1016/j.neuroimage.2021.118175
    .. [tustison2010] Tustison et al., IEEE Trans Med Imaging 29:1310-1320 (2010).
       doi:10.1109/TMI.2010.2046908

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.2, radius=4.0)
    >>> phase, magnitude, echo_times, _ = sphere.echoes((0.02,))
    >>> images = clear(magnitude, phase, sphere.mask, sphere.grid, echo_times)
    >>> bool(images.clear_swi[12, 12, 14] < 0.9 * images.clear_swi[12, 12, 12])
    True

    """
    sizes = checked(magnitude, mask, echo_times)
    times = np.asarray(echo_times, np.float32)
    weight = np.where(mask, summed(sizes, times), np.float32(0))
    local = _high_pass(_mean_field(sizes, phase, weight), weight, grid, filter_sigma)
    total = np.sqrt(summed(sizes, sizes))
    image = total * brightness(total, mask, grid, even=even)
    if softplus:
        image = _compressed(image, mask)
    image *= _soft_mask(local, mask & (weight > 0), strength)
    return ClearWeighted(image, minimum_projection(image, mask, grid, slab))


def _mean_field(sizes: Volume, phase: Volume, weight: Volume) -> Volume:
    """Phase per time in rad/s, its echoes weighted by magnitude and time."""
    field = np.zeros_like(weight)
    for size, angle in zip(sizes, phase, strict=True):
        field += size * np.nan_to_num(angle, posinf=0, neginf=0)
    return np.divide(field, weight, out=np.zeros_like(weight), where=weight > 0)


def _high_pass(field: Volume, weight: Volume, grid: Grid, sigma: float) -> Volume:
    """The field less its weighted Gaussian mean over the slice."""
    widths = [sigma / size for size in grid.voxel_size]
    widths[slice_axis(grid)] = 0.0
    around = ndimage.gaussian_filter(field * weight, widths, mode='constant', truncate=TRUNCATE)
    share = ndimage.gaussian_filter(weight, widths, mode='constant', truncate=TRUNCATE)
    local: Volume = field - np.divide(around, share, out=np.zeros_like(field), where=share > 0)
    return local


def _soft_mask(local: Volume, known: Mask, strength: float) -> Volume:
    above = local[known & (local > 0)]
    if not above.size:
        return np.full_like(local, (1 + np.tanh(1)) / 2)
    middle = np.float32(10 / strength * np.median(above))
    found: Volume = np.where(known, (1 + np.tanh(1 - local / middle)) / 2, np.float32(0))
    return found


def _compressed(image: Volume, mask: Mask) -> Volume:
    inside = image[mask]
    knee = np.float32(np.percentile(inside, 80) / 4) if inside.size else np.float32(0)
    if knee <= 0:
        return image
    bent: Volume = knee * (np.logaddexp(0, image / knee - 2) - np.logaddexp(0, -2)) * mask
    return bent.astype(np.float32)

"""Reference to cerebrospinal fluid."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.reference_result import Referenced, relative_to

#: Of the median magnitude of the brain: what is fainter is a void, air, bone or a calcification
VOID_SHARE = 0.2


def csf(
    chi: Volume,
    mask: Mask,
    grid: Grid,
    r2star: Volume | None = None,
    labels: Volume | None = None,
    *,
    magnitude: Volume | None = None,
    max_r2star: Annotated[float, Between(0, 1000)] = 5.0,
    search_radius: Annotated[float, Between(0, 200)] = 30.0,
    components: Annotated[int, Between(0, 1000)] = 3,
) -> Referenced:
    r"""Reference to the mean of the ventricular cerebrospinal fluid.

    The region is that of the labels where they are given. Otherwise it is found by its slow decay
    [liu2018]_: the largest connected parts with :math:`0 < R_2^* < R_{max}` within a sphere around the
    centre of the mask. Zero is no slow decay: it stands where none was fitted.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant.
    mask : (nx, ny, nz) bool array
        Voxels where it is known: the brain.
    grid
        Voxel size.
    r2star : (nx, ny, nz) float32 array, optional
        Effective transverse relaxation rate, in 1/s.
    labels : (nx, ny, nz) bool or integer array, optional
        Not zero in the fluid of the ventricles.
    magnitude : (nx, ny, nz) float32 array, optional
        Of the scan, in any unit; voids in it are no fluid, whatever their noise seems to decay by.
    max_r2star
        Rate :math:`R_{max}` below which a voxel may be fluid, in 1/s.
    search_radius
        Distance from the centre of the mask within which to look for fluid, in mm.
    components
        Number of connected parts of the fluid to keep.

    Returns
    -------
    referenced : Referenced
        The map relative to the fluid, the region, and the value subtracted.

    References
    ----------
    .. [liu2018] Liu et al., Magn Reson Med 79:2795-2803 (2018). doi:10.1002/mrm.26946

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> r2star = np.where(sphere.inside, 2.0, 20.0)  # fluid decays slowly
    >>> chi, region, value, _ = csf(sphere.chi, sphere.mask, sphere.grid, r2star, components=1)
    >>> int(region.sum()) == int(sphere.inside.sum()), round(value, 2)
    (True, 0.1)

    """
    if labels is not None:
        region = mask & (np.asarray(labels) != 0)
        if not region.any():
            raise ValueError(
                'found no labelled fluid inside the mask: check the labels, or leave them out '
                'to find it by R2*'
            )
        return relative_to(region, chi, mask)
    if r2star is None:
        raise ValueError(
            'reference to CSF needs R2* (two echoes or more) or labels, found neither: '
            'use whole-brain'
        )
    slow = decays_slowly(mask, r2star, max_r2star, magnitude)
    region = central_parts(slow, mask, grid, search_radius, components)
    if not region.any():
        raise ValueError(
            f'found no voxel with R2* below {max_r2star:g} 1/s within {search_radius:g} mm of the '
            'centre of the mask: raise max_r2star, give labels, or use whole-brain'
        )
    return relative_to(region, chi, mask)


def decays_slowly(
    mask: Mask, r2star: Volume, max_r2star: float, magnitude: Volume | None = None
) -> Mask:
    """Voxels that may be fluid: there is signal, and its decay was fitted and is slow.

    Parameters
    ----------
    mask : (nx, ny, nz) bool array
        The brain.
    r2star : (nx, ny, nz) float32 array
        Effective transverse relaxation rate, in 1/s; zero or not finite where none was fitted.
    max_r2star
        Rate below which a voxel may be fluid, in 1/s.
    magnitude : (nx, ny, nz) float32 array, optional
        In any unit; fluid has a fifth of its median in the mask or more.

    Examples
    --------
    >>> import numpy as np
    >>> rates, signal = np.array([0, 2, 2, 20.0, np.nan]), np.array([9, 9, 0.1, 9, 9])
    >>> decays_slowly(np.ones(5, bool), rates, 5.0, signal).tolist()
    [False, True, False, False, False]

    """
    slow: Mask = mask & np.isfinite(r2star) & (r2star > 0) & (r2star < max_r2star)
    if magnitude is not None and slow.any():
        slow &= magnitude >= VOID_SHARE * np.median(magnitude[mask])
    return slow


def central_parts(slow: Mask, mask: Mask, grid: Grid, radius: float, components: int) -> Mask:
    """Largest connected parts of what decays slowly, near the centre of a mask: the ventricles.

    Parameters
    ----------
    slow : (nx, ny, nz) bool array
        Of :func:`decays_slowly`.
    mask : (nx, ny, nz) bool array
        The brain.
    grid
        Voxel size.
    radius
        Distance from the centre of the mask, in mm.
    components
        Number of parts to keep.

    Returns
    -------
    region : (nx, ny, nz) bool array
        Empty where there is no such voxel.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> fluid = central_parts(sphere.inside, sphere.mask, sphere.grid, radius=30.0, components=1)
    >>> bool((fluid == sphere.inside).all())
    True

    """
    parts, _ = ndimage.label(slow & _central(mask, grid, radius))
    sizes = np.bincount(parts.ravel())[1:]
    largest = 1 + np.argsort(-sizes, kind='stable')[:components]
    return np.asarray(np.isin(parts, largest))


def _central(mask: Mask, grid: Grid, radius: float) -> Mask:
    # voxels within this distance of the mask's centre of mass
    if not mask.any():
        raise ValueError('the mask is empty: there is no brain to look for fluid in')
    square: Volume = np.zeros(())
    for axis, (n, d) in enumerate(zip(grid.shape, grid.voxel_size, strict=True)):
        line = mask.sum(axis=tuple(a for a in range(3) if a != axis))
        centre = (line * np.arange(n)).sum() / line.sum()
        away = (np.arange(n) - centre) * d
        square = square + np.expand_dims(away**2, tuple(a for a in range(3) if a != axis))
    return np.asarray(square < radius**2)

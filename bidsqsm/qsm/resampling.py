"""Volumes brought onto other grids: by affines, through ITK transforms, at points, by zooming."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Matrix, Volume, bounding_box
from bidsqsm.qsm.registration.itk import displacements, to_array, to_image

Shape = tuple[int, int, int]
#: Width at half height of a Gaussian, over its standard deviation
SD_TO_WIDTH = 2.355
#: Interpolations of :func:`resample_through` by what the values are
KINDS = ('smooth', 'labels')


def resample(
    volume: Volume, matrix: Matrix, offset: Matrix, shape: Shape, *, order: int = 3
) -> Volume:
    """Sample a volume at other places.

    Parameters
    ----------
    volume : (nx, ny, nz) float32 array
        What to sample; beyond its faces it goes on with its outermost values.
    matrix, offset : (3, 3) and (3,) arrays
        Voxel ``o`` of the result lies at ``matrix @ o + offset`` in voxels of the volume.
    shape
        Of the result.
    order
        Of the spline: 3 is cubic, 1 linear.

    Returns
    -------
    sampled : float32 array
        Where its voxels are larger than those of the volume, the volume is first smoothed to
        their size.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(8.0)[:, None, None] * np.ones((8, 8, 8))

    Half the voxel size along the first axis; voxel 0 of the result lies at voxel 1:

    >>> matrix, offset = np.diag([0.5, 1.0, 1.0]), np.array([1.0, 0.0, 0.0])
    >>> fine = resample(ramp, matrix, offset, (4, 8, 8), order=1)
    >>> fine[:, 0, 0].tolist()
    [1.0, 1.5, 2.0, 2.5]

    """
    reach = np.linalg.norm(matrix, axis=1)  # of a new voxel, along each old axis, in old voxels
    if (reach > 1.01).any():
        # a Gaussian whose width at half height makes up for the difference of the sizes
        sigma = np.sqrt(np.maximum(reach**2 - 1, 0)) / SD_TO_WIDTH
        volume = ndimage.gaussian_filter(volume, sigma, mode='nearest')
    sampled: Volume = ndimage.affine_transform(
        volume, matrix, offset, shape, np.float32, order=order, mode='nearest'
    )
    return sampled


def regrid(volume: Volume, affine: Matrix, shape: Shape, onto: Matrix) -> Volume:
    """Bring a volume onto another grid of its world, linearly: :func:`resample` by two affines."""
    to_old = np.linalg.inv(affine) @ onto
    return resample(volume, to_old[:3, :3], to_old[:3, 3], shape, order=1)


def interpolate(
    volume: npt.NDArray[Any], to_voxels: Matrix, shape: tuple[int, ...], *, order: int = 1
) -> npt.NDArray[Any]:
    """Values at the voxels of another grid, as they are: not smoothed, zero beyond the faces.

    Parameters
    ----------
    volume : (nx, ny, nz) array
        What to look up.
    to_voxels : (4, 4) array
        From voxels of the new grid to those of the volume.
    shape
        Of the new grid.
    order
        Of the spline: 1 linear, 0 the nearest value.

    """
    return np.asarray(
        ndimage.affine_transform(volume, to_voxels[:3, :3], to_voxels[:3, 3], shape, order=order)
    )


def values_at(
    volume: Volume, places: Volume, *, order: int = 1, beyond: str = 'nearest'
) -> Volume:
    """Values at places (3, ...) in voxels; beyond the faces the ``nearest`` one, or ``constant`` 0."""
    return np.asarray(ndimage.map_coordinates(volume, places, order=order, mode=beyond))


def divide(volume: Volume, factors: tuple[int, int, int]) -> Volume:
    """Divide each voxel into so many along each axis: cubic splines at the centres of the parts."""
    steps = [1 / f for f in factors]
    first = [(s - 1) / 2 for s in steps]
    shape = tuple(n * f for n, f in zip(volume.shape, factors, strict=True))
    divided: Volume = ndimage.affine_transform(volume, steps, first, shape, mode='nearest')
    return divided.astype(np.float32)


def stretch(volume: Volume, shape: tuple[int, ...]) -> Volume:
    """Stretch a volume to a shape, linearly: its first and last voxels stay the first and last."""
    return np.asarray(ndimage.zoom(volume, np.divide(shape, volume.shape), order=1))


def resample_through(
    volume: npt.NDArray[Any],
    affine: Matrix,
    transform: Any,
    shape: Shape,
    onto: Matrix,
    kind: str = 'smooth',
) -> npt.NDArray[Any]:
    """Sample a volume on another grid through an ITK transform, once.

    Parameters
    ----------
    volume : (nx, ny, nz) array
        What to sample; zero beyond its faces.
    affine : (4, 4) array
        From its voxels to RAS mm.
    transform
        ITK transform from points of the new grid's world to those of the volume's.
    shape, onto
        The new grid: voxels and affine.
    kind
        ``smooth`` linear, ``labels`` the label with the largest linear weight; maps go through
        :func:`carry_map`.

    Returns
    -------
    sampled : array of the volume's type, float32 of a boolean one
        Where a voxel of the new grid is larger than the volume's, it is first smoothed to its size.

    """
    import SimpleITK

    if kind not in KINDS:
        raise ValueError(f'no interpolation {kind!r}; there are: {", ".join(KINDS)}')
    if volume.dtype == np.bool_:
        volume = volume.astype(np.float32)
    image = to_image(volume, affine)
    old, new = (np.linalg.norm(a[:3, :3], axis=0) for a in (affine, onto))
    if kind != 'labels' and np.cbrt(np.prod(new)) > 1.2 * np.cbrt(np.prod(old)):
        wide = np.sqrt(np.maximum(float(np.cbrt(np.prod(new))) ** 2 - old**2, 0)) / SD_TO_WIDTH
        image = SimpleITK.DiscreteGaussian(image, (np.maximum(wide, 1e-3) ** 2).tolist())
    grid = to_image(np.zeros(shape, np.uint8), onto)
    ways = {
        'smooth': SimpleITK.sitkLinear,
        'labels': SimpleITK.sitkLabelLinear,
    }
    return to_array(
        SimpleITK.Resample(image, grid, transform, ways[kind], 0.0, image.GetPixelID())
    )


def carry_mask(
    mask: Mask, affine: Matrix, transform: Any, shape: Shape, onto: Matrix
) -> npt.NDArray[np.bool_]:
    """Bring a mask onto another grid: what is at least half inside."""
    return np.asarray(resample_through(mask, affine, transform, shape, onto, 'smooth') >= 0.5)


def places_of(
    inside: Mask, onto: Matrix, transform: Any, affine: Matrix
) -> npt.NDArray[np.float64]:
    """Where the voxels of a mask lie in another image.

    Parameters
    ----------
    inside : (nx, ny, nz) bool array
        Voxels to look up.
    onto
        Affine of their grid.
    transform
        ITK transform from points of their world to those of the image.
    affine
        Affine of the image.

    Returns
    -------
    places : (3, n) array
        In voxels of the image, in the order of the mask's voxels.

    """
    box = bounding_box(inside)
    low = np.array([part.start for part in box])
    corner = onto.copy()
    corner[:3, 3] += onto[:3, :3] @ low
    nx, ny, nz = (part.stop - part.start for part in box)
    moved = displacements(transform, (nx, ny, nz), corner)[inside[box]]
    world = np.argwhere(inside) @ onto[:3, :3].T + onto[:3, 3] + moved
    back = np.linalg.inv(affine)
    return np.asarray((world @ back[:3, :3].T + back[:3, 3]).T)


def carry_map(
    volume: Volume, mask: Mask, places: npt.NDArray[np.float64], inside: Mask, step: float
) -> Volume:
    """Bring a map that is known within a mask onto another grid, in one interpolation.

    Splines of fifth degree are near to a sinc, without its ripples far away.

    Parameters
    ----------
    volume : (nx, ny, nz) float32 array
        The map; what lies outside its mask does not matter.
    mask
        Where it is known: beyond, it goes on with the nearest value, so that no edge rings.
    places
        Of :func:`places_of`.
    inside : bool array
        Voxels of the new grid that get a value; the others are 0.
    step
        Of :func:`voxel_step`; where it is above 1.2, the map is first smoothed to the new voxels.

    """
    filled = spread(volume, mask)
    if step > 1.2:
        filled = ndimage.gaussian_filter(filled, np.sqrt(step**2 - 1) / SD_TO_WIDTH)
    carried = np.zeros(inside.shape, np.float32)
    carried[inside] = values_at(filled, places, order=5)
    return carried


def voxel_step(affine: Matrix, onto: Matrix) -> float:
    """Size of a voxel of the grid of ``onto`` in voxels of that of ``affine``, as cubes.

    Examples
    --------
    >>> round(voxel_step(np.diag([1.0, 1.0, 2.0, 1.0]), np.diag([2.0, 2.0, 4.0, 1.0])), 6)
    2.0

    """
    old, new = (np.linalg.norm(one[:3, :3], axis=0) for one in (affine, onto))
    return float(np.cbrt(np.prod(new) / np.prod(old)))


def spread(volume: Volume, mask: Mask) -> Volume:
    """Give every voxel outside a mask the value of the nearest one inside.

    Interpolation near the edge then sees no jump to zero, nor what lies outside.

    Examples
    --------
    >>> import numpy as np
    >>> volume = np.array([5.0, 7.0, 0.0, 0.0]).reshape(4, 1, 1)
    >>> spread(volume, volume > 0).ravel().tolist()
    [5.0, 7.0, 7.0, 7.0]

    """
    nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
    filled: Volume = volume[tuple(nearest)]
    return filled

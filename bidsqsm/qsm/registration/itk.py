"""Arrays with their affines as ITK images, and transforms between their worlds.

ITK's world is LPS, ours is RAS: both x and y change their sign, in affines and in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Volume, bounding_box
from bidsqsm.qsm.resampling import Matrix, spread

Shape = tuple[int, int, int]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Interpolations of :func:`resample` by what the values are
KINDS = ('smooth', 'labels')


def to_image(volume: npt.NDArray[Any], affine: Matrix) -> Any:
    """Make an ITK image of (nx, ny, nz) values with an affine from voxels to RAS mm.

    Integers keep their type, booleans become uint8, all else float32. Axes that are not quite at
    right angles, as headers hold rounded numbers, are made so.
    """
    import SimpleITK

    if volume.dtype == np.bool_:
        volume = volume.astype(np.uint8)
    elif volume.dtype.kind == 'f':
        volume = volume.astype(np.float32)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume.transpose()))
    lps = FLIP @ affine
    size = np.linalg.norm(lps[:3, :3], axis=0)
    u, _, v = np.linalg.svd(lps[:3, :3] / size)
    image.SetSpacing(size.tolist())
    image.SetDirection((u @ v).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def to_array(image: Any) -> npt.NDArray[Any]:
    """Values (nx, ny, nz) of an ITK image."""
    import SimpleITK

    return np.ascontiguousarray(SimpleITK.GetArrayFromImage(image).transpose())


def affine_transform(matrix: Matrix) -> Any:
    """ITK transform of points by a (4, 4) matrix of RAS mm."""
    import SimpleITK

    lps = FLIP @ matrix @ FLIP
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def chain(transforms: Sequence[Any]) -> Any:
    """One transform of points that applies the given ones from the first to the last."""
    import SimpleITK

    whole = SimpleITK.CompositeTransform(3)
    for transform in reversed(transforms):  # ITK applies the last one first
        whole.AddTransform(transform)
    whole.FlattenTransform()  # or no file could hold it
    return whole


def points_through(transform: Any, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Carry points (n, 3) in RAS mm through a transform."""
    lps = np.asarray(points, float) * (-1, -1, 1)
    moved = np.array([transform.TransformPoint(point) for point in lps.tolist()])
    return np.asarray(moved * (-1, -1, 1))


def resample(
    volume: npt.NDArray[Any],
    affine: Matrix,
    transform: Any,
    shape: Shape,
    onto: Matrix,
    kind: str = 'smooth',
) -> npt.NDArray[Any]:
    """Sample a volume on another grid, once.

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
        wide = np.sqrt(np.maximum(float(np.cbrt(np.prod(new))) ** 2 - old**2, 0)) / 2.355
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
    return np.asarray(resample(mask, affine, transform, shape, onto, 'smooth') >= 0.5)


def displacements(transform: Any, shape: Shape, affine: Matrix) -> npt.NDArray[np.float64]:
    """How far (RAS mm) a transform takes every point of a grid: (nx, ny, nz, 3)."""
    import SimpleITK

    grid = to_image(np.zeros(shape, np.uint8), affine)
    field = SimpleITK.TransformToDisplacementField(
        transform,
        SimpleITK.sitkVectorFloat64,
        grid.GetSize(),
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )
    lps = SimpleITK.GetArrayViewFromImage(field).transpose(2, 1, 0, 3)
    return np.asarray(lps * (-1.0, -1.0, 1.0))


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
        Size of a new voxel in old ones; where that is above 1, the map is first smoothed to it.

    """
    filled = spread(volume, mask)
    if step > 1.2:
        filled = ndimage.gaussian_filter(filled, np.sqrt(step**2 - 1) / 2.355)
    carried = np.zeros(inside.shape, np.float32)
    carried[inside] = ndimage.map_coordinates(filled, places, order=5, mode='nearest')
    return carried

"""Arrays with their affines as ITK images, and transforms between their worlds.

ITK's world is LPS, ours is RAS: both x and y change their sign, in affines and in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Mask
from bidsqsm.qsm.resampling import Matrix

Shape = tuple[int, int, int]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Interpolations of :func:`resample` by what the values are
KINDS = ('map', 'smooth', 'labels')


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
    kind: str = 'map',
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
        ``map`` by a windowed sinc (Lanczos, 5 voxels), ``smooth`` linear, ``labels`` the label
        with the largest linear weight.

    Returns
    -------
    sampled : array of the volume's type, float32 of a boolean one
        Where a voxel of the new grid is larger than the volume's, maps are first smoothed to its
        size.

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
        'map': SimpleITK.sitkLanczosWindowedSinc,
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

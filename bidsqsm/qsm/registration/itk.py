"""Arrays with their affines as ITK images, and transforms between their worlds.

ITK's world is LPS, ours is RAS: both x and y change their sign, in affines and in points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Matrix

Shape = tuple[int, int, int]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


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

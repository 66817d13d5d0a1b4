"""Rigid registration of two images of one head."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Matrix, Volume
from bidsqsm.qsm.resampling import values_at

_ANGLES = (-40, -20, 0, 20, 40)  # degrees about each axis, tried at the start
_COARSE, _FINE = 6.0, 2.0  # mm


def register_rigid(
    fixed: Volume,
    moving: Volume,
    fixed_mask: Mask,
    moving_mask: Mask,
    fixed_affine: Matrix,
    moving_affine: Matrix,
) -> Matrix:
    """Find the motion of a head between two images of like contrast.

    Turns of the head on top of the two affines, about the middle of the masks, and no motion at
    all are tried on a coarse lattice; the best ones are refined by mutual information
    [mattes2003]_ within the mask.

    Parameters
    ----------
    fixed, moving : (nx, ny, nz) float32 arrays
        Magnitudes, each on a grid of its own.
    fixed_mask, moving_mask
        The brain in each.
    fixed_affine, moving_affine : (4, 4) arrays
        From voxels to world mm.

    Returns
    -------
    motion : (4, 4) array
        From world points (mm) of the fixed image to those of the moving one. The same on any number
        of threads.

    References
    ----------
    .. [mattes2003] Mattes et al., IEEE Trans Med Imaging 22:120-128 (2003).
       doi:10.1109/TMI.2003.809072

    """
    images = _image(fixed, fixed_affine), _image(moving, moving_affine)
    around = _image(ndimage.binary_dilation(fixed_mask).astype(np.float32), fixed_affine)
    best: tuple[float, Any] | None = None
    for start in _starts(fixed, moving, fixed_mask, moving_mask, fixed_affine, moving_affine):
        middle = _middle(fixed_mask, fixed_affine)
        found = _refine(*images, around, _transform(start, middle), _COARSE, 1.0)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return _matrix(_refine(*images, around, best[1], _FINE, 0.2)[1])


def _starts(
    fixed: Volume,
    moving: Volume,
    fixed_mask: Mask,
    moving_mask: Mask,
    fixed_affine: Matrix,
    moving_affine: Matrix,
) -> list[Matrix]:
    """The three motions, of all that are tried, after which the images correlate best."""
    spacing = np.linalg.norm(moving_affine[:3, :3], axis=0)
    smooth = ndimage.gaussian_filter(moving, 4 / spacing)
    own = np.linalg.norm(fixed_affine[:3, :3], axis=0)
    step = tuple(slice(None, None, max(1, round(_COARSE / d))) for d in own)
    kept = np.zeros_like(fixed_mask)
    kept[step] = ndimage.binary_dilation(fixed_mask, iterations=2)[step]
    values = ndimage.gaussian_filter(fixed, 4 / own)[kept]
    world = fixed_affine[:3, :3] @ np.argwhere(kept).T + fixed_affine[:3, 3:]
    middles = _middle(fixed_mask, fixed_affine), _middle(moving_mask, moving_affine)
    to_voxels = np.linalg.inv(moving_affine)
    scored = []
    # the head may have turned in the volume, or the volume with the head
    axes = [
        affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        for affine in (fixed_affine, moving_affine)
    ]
    bases = [np.eye(3), axes[1] @ np.linalg.inv(axes[0])]
    motions = [np.eye(4)]  # a head that did not move, whatever the masks
    for base, degrees in itertools.product(bases, itertools.product(_ANGLES, repeat=3)):
        turn = base @ _turn(degrees)
        motion = np.eye(4)
        motion[:3, :3], motion[:3, 3] = turn, middles[1] - turn @ middles[0]
        motions.append(motion)
    for motion in motions:
        whole = to_voxels @ motion
        at = whole[:3, :3] @ world + whole[:3, 3:]
        there = values_at(smooth, at, beyond='constant')
        scored.append((float(np.corrcoef(values, there)[0, 1]), motion))
    scored.sort(key=lambda item: -item[0])
    return [motion for _, motion in scored[:3]]


def _turn(degrees: tuple[float, ...]) -> Matrix:
    x, y, z = np.deg2rad(degrees)
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    turned: Matrix = np.array(about_z) @ np.array(about_y) @ np.array(about_x)
    return turned


def _middle(mask: Mask, affine: Matrix) -> Matrix:
    middle: Matrix = affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]
    return middle


def _image(volume: Volume, affine: Matrix) -> Any:
    import SimpleITK

    # its world is ours by another name: handedness and origin do not matter to a rigid motion
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume.transpose(), np.float32))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(_orthogonal(affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def _orthogonal(axes: Matrix) -> Matrix:
    # headers hold rounded numbers
    u, _, v = np.linalg.svd(axes)
    nearest: Matrix = u @ v
    return nearest


def _transform(motion: Matrix, middle: Matrix) -> Any:
    import SimpleITK

    transform = SimpleITK.Euler3DTransform()
    transform.SetCenter(middle.tolist())
    transform.SetMatrix(_orthogonal(motion[:3, :3]).ravel().tolist(), 1e-6)
    moved = motion[:3, :3] @ middle + motion[:3, 3] - middle
    transform.SetTranslation(moved.tolist())
    return transform


def _matrix(transform: Any) -> Matrix:
    motion = np.eye(4)
    turn = np.array(transform.GetMatrix()).reshape(3, 3)
    middle = np.array(transform.GetCenter())
    motion[:3, :3] = turn
    motion[:3, 3] = np.array(transform.GetTranslation()) + middle - turn @ middle
    return motion


def _refine(
    fixed: Any, moving: Any, around: Any, start: Any, size: float, step: float
) -> tuple[float, Any]:
    """Follow mutual information from a start, on images of a resolution (mm)."""
    import SimpleITK

    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # its sums depend on the threads
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=40)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step, minStep=step / 200, numberOfIterations=100, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    shrunk = [_shrunk(image, size) for image in (fixed, moving)]
    method.SetMetricFixedMask(SimpleITK.Cast(_shrunk(around, size) > 0.5, SimpleITK.sitkUInt8))
    transform = SimpleITK.Euler3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(*shrunk)
    return float(method.GetMetricValue()), transform


def _shrunk(image: Any, size: float) -> Any:
    import SimpleITK

    factors = [max(1, round(size / d)) for d in image.GetSpacing()]
    smooth = SimpleITK.SmoothingRecursiveGaussian(image, 0.4 * size)
    return SimpleITK.Shrink(smooth, factors)

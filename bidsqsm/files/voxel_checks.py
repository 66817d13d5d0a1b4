"""Voxels checked once they are read: finite, not all the same, magnitudes not below zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.errors import DatasetError

Float = npt.NDArray[np.float32]
OBJECT_SHARE_OF_P99 = 0.05  # of the 99th percentile of the magnitude: fainter is not the object
#: Share of the sum of all sizes beyond which values below zero are no noise of a magnitude
NEGATIVE_SHARE = 0.2


def check_volumes(
    phase: Float,
    magnitude: Float,
    *,
    phase_name: str | Sequence[str] = 'phase',
    magnitude_name: str | Sequence[str] = 'magnitude',
) -> list[str]:
    """Refuse echoes that hold nothing, or holes within the head; fill with 0 what lies outside.

    A magnitude that was resampled, denoised or shifted dips below zero here and there, which counts as
    no signal; one that is largely below zero is none.

    Parameters
    ----------
    phase, magnitude : (n_echoes, nx, ny, nz)
        As read, in any unit. Voxels that are NaN or infinite in either, and lie outside the
        object, are set to 0 in both, in place, as are magnitudes below zero.
    phase_name, magnitude_name
        How to call them in a sentence: the file of each echo, or one file that holds them all.

    Returns
    -------
    Warnings, a sentence each.

    Raises
    ------
    DatasetError
        Where values are not finite within the object, where the phase of an echo is constant or
        where the magnitude of an echo has no signal or is largely below zero.

    """
    filled = negative = 0
    for echo, (angle, size) in enumerate(zip(phase, magnitude, strict=True), start=1):
        names = _of_echo(phase_name, echo), _of_echo(magnitude_name, echo)
        for volume, name in zip((angle, size), names, strict=True):
            if not np.isfinite(volume).any():
                raise DatasetError(
                    f'{name} has no finite value, expected an image: export it anew'
                )
        filled += _fill_outside(angle, size, names)
        negative += clip_negative(size, names[1])
        if not (size > 0).any():
            raise DatasetError(
                f'{names[1]} has no voxel above 0, expected an image: export it anew'
            )
        seen = angle[size > 0]
        if seen.min() == seen.max():
            raise DatasetError(
                f'{names[0]} is constant ({seen[0]:g}), expected it to vary over the image: '
                'export it anew'
            )
    said = []
    if filled:
        said.append(f'{filled} voxels outside the object were NaN or infinite and are now 0.')
    if negative:
        said.append(negative_sentence(negative))
    return said


def clip_negative(magnitude: Float, name: str) -> int:
    """Set what is below zero in a magnitude to 0, in place; how many voxels that were.

    Raises
    ------
    DatasetError
        Where the magnitude is largely below zero.

    Examples
    --------
    >>> magnitude = np.array([100, 90, -1, 0, 80], np.float32)
    >>> clip_negative(magnitude, 'sub-01_part-mag_MEGRE.nii.gz'), float(magnitude.min())
    (1, 0.0)

    """
    below = magnitude < 0
    many = int(np.count_nonzero(below))
    if not many:
        return 0
    size = np.abs(np.nan_to_num(magnitude, posinf=0, neginf=0))
    if size[below].sum(dtype=float) > NEGATIVE_SHARE * size.sum(dtype=float):
        raise DatasetError(
            f'{name} is below zero in {many / magnitude.size:.0%} of its voxels, down to '
            f'{np.nanmin(magnitude):.4g}, expected a magnitude: name it part-phase if it is a phase, '
            'else export the magnitude anew'
        )
    magnitude[below] = 0
    return many


def negative_sentence(count: int) -> str:
    """What to say of magnitudes that were clipped."""
    return (
        f'The magnitude was below zero in {count} voxels, as resampling, denoising or an offset '
        'leaves it, and counts as 0 there.'
    )


def _of_echo(name: str | Sequence[str], echo: int) -> str:
    return f'{name} of echo {echo}' if isinstance(name, str) else name[echo - 1]


def _fill_outside(angle: Float, size: Float, names: tuple[str, str]) -> int:
    if np.isfinite(angle).all() and np.isfinite(size).all():
        return 0
    bad = ~(np.isfinite(angle) & np.isfinite(size))
    inside = bad & _enclosed(~bad & (size > _faint(size))) & ~(np.abs(size) <= _faint(size))
    if inside.any():
        where = tuple(int(i) for i in np.argwhere(inside)[0])
        name = names[0] if not np.isfinite(angle[where]) else names[1]
        many = int(inside.sum())
        raise DatasetError(
            f'{name} is NaN or infinite in {many} voxel{"s" * (many > 1)} within the object, the '
            f'first at {where}, expected finite numbers: export it anew'
        )
    angle[bad] = 0
    size[bad] = 0
    return int(bad.sum())


def _faint(size: Float) -> float:
    finite = size[np.isfinite(size)]
    return OBJECT_SHARE_OF_P99 * float(np.percentile(finite, 99)) if finite.size else 0.0


def _enclosed(solid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where one cannot reach the border of the volume without crossing something solid."""
    free, _ = ndimage.label(~solid)
    faces = [free[index] for axis in range(3) for index in _ends(axis)]
    outer = np.unique(np.concatenate([face.ravel() for face in faces]))
    enclosed: npt.NDArray[np.bool_] = (free > 0) & ~np.isin(free, outer)
    return enclosed


def _ends(axis: int) -> list[tuple[slice | int, ...]]:
    before = (slice(None),) * axis
    return [(*before, 0), (*before, -1)]

"""Voxels checked once they are read: finite, and not all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.errors import DatasetError

Float = npt.NDArray[np.float32]
OBJECT_SHARE_OF_P99 = 0.05  # of the 99th percentile of the magnitude: fainter is not the object


def check_volumes(
    phase: Float,
    magnitude: Float,
    *,
    phase_name: str | Sequence[str] = 'phase',
    magnitude_name: str | Sequence[str] = 'magnitude',
) -> list[str]:
    """Refuse echoes that hold nothing, or holes within the head; fill with 0 what lies outside.

    Parameters
    ----------
    phase, magnitude : (n_echoes, nx, ny, nz)
        As read, in any unit. Voxels that are NaN or infinite in either, and lie outside the
        object, are set to 0 in both, in place.
    phase_name, magnitude_name
        How to call them in a sentence: the file of each echo, or one file that holds them all.

    Returns
    -------
    Warnings, a sentence each.

    Raises
    ------
    DatasetError
        Where values are not finite within the object, where the phase of an echo is constant or
        where the magnitude of an echo has no signal.

    """
    filled = 0
    for echo, (angle, size) in enumerate(zip(phase, magnitude, strict=True), start=1):
        names = _of_echo(phase_name, echo), _of_echo(magnitude_name, echo)
        for volume, name in zip((angle, size), names, strict=True):
            if not np.isfinite(volume).any():
                raise DatasetError(
                    f'{name} has no finite value, expected an image: export it anew'
                )
        filled += _fill_outside(angle, size, names)
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
    if not filled:
        return []
    return [f'{filled} voxels outside the object were NaN or infinite and are now 0.']


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

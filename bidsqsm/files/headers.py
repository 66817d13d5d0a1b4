"""What the header of an image promises, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import (
    SCANNER_CODE,
    WHOLE_FILE,
    Affine,
    check_length,
    open_image,
    scanner_affine,
    slope_and_intercept,
)
from bidsqsm.files.regular_files import told

Points = npt.NDArray[np.float64]

VOXEL_RANGE = (0.01, 20.0)  # mm
_KNOWN_UNITS = range(4)  # codes of NIfTI: unknown, m, mm and um
SHEAR_COSINE = 1e-3  # cosine between two columns of the affine
SAME_GRID = 0.05  # of the smallest voxel, at the farthest corner
FIRST_TEMPLATE_CODE = 3  # of NIfTI: Talairach, MNI and other templates


@dataclass(frozen=True)
class Header:
    """Shape and place of an image.

    Parameters
    ----------
    path
        The file.
    shape
        Voxels along the axes of space.
    extra
        Lengths of the axes beyond the third, without trailing ones of length 1.
    affine
        (4, 4), from voxel indices to world coordinates in mm.
    warnings
        What is odd but bearable, a sentence each.

    """

    path: Path
    shape: tuple[int, int, int]
    extra: tuple[int, ...]
    affine: Affine
    warnings: tuple[str, ...] = ()


def read_header(path: Path, *, like: Header | None = None) -> Header:
    """Read and check a header, and that the file is as long as its header says.

    Parameters
    ----------
    path
        A NIfTI file.
    like
        The image that it is drawn on, if it is a mask or a label image: of the same shape, it lies there
        where its own header has no place, or that of the other affine of that image.

    Raises
    ------
    DatasetError
        Where the file is damaged, not three-dimensional, or its affine is no rigid placement of
        a box of voxels in mm.

    """
    image = open_image(path)
    with told(path, WHOLE_FILE):
        return _checked(image, path, like)


def _checked(image: Any, path: Path, like: Header | None) -> Header:
    shape = tuple(int(n) for n in image.shape)
    extra = list(shape[3:])
    while extra and extra[-1] == 1:
        extra.pop()
    if len(shape) < 3:
        raise DatasetError(
            f'{path.name} has shape {shape}, expected a 3-D volume: convert it anew'
        )
    if min(shape) < 1:
        raise DatasetError(
            f'{path.name} has shape {shape}, expected no empty axis: convert it anew'
        )
    _check_type(image, path)
    slope_and_intercept(image, path)
    check_length(image, path)
    nx, ny, nz = shape[:3]
    if like is not None and like.shape == (nx, ny, nz):
        if not _codes(image):
            said = (
                f'{path.name} has no place in its header (neither sform nor qform) and was taken to lie '
                f'where {like.path.name} does, whose shape it has.'
            )
            return Header(path, like.shape, tuple(extra), like.affine, (said,))
        if _lies_on(image, like):
            return Header(path, like.shape, tuple(extra), like.affine)
    affine = _checked_affine(image, path)
    return Header(path, (nx, ny, nz), tuple(extra), affine, _odd(image, path))


def _codes(image: Any) -> list[int]:
    """Codes of the affines that the header has, the sform's first."""
    return [code for name in ('sform_code', 'qform_code') if (code := int(image.header[name]))]


def _lies_on(image: Any, like: Header) -> bool:
    """Whether the place of an image is any that the header of another one has."""
    other = open_image(like.path).header
    places = [
        other.get_sform() if other['sform_code'] else None,
        other.get_qform() if other['qform_code'] else None,
    ]
    return any(
        place is not None and _voxels_apart(place, image.affine, like.shape) < SAME_GRID
        for place in places
    )


def same_grid(a: Header, b: Header) -> bool:
    """Whether two images have the same voxels in the same places."""
    return a.shape == b.shape and _voxels_apart(a.affine, b.affine, a.shape) < SAME_GRID


def check_grids(headers: Sequence[Header]) -> None:
    """Refuse images that do not share one grid, naming the first two that differ."""
    first, *others = headers
    for other in others:
        if not same_grid(first, other):
            raise DatasetError(different_grids(first, other))


def different_grids(a: Header, b: Header) -> str:
    """Say how the grids of two images differ."""
    if a.shape != b.shape:
        how = f'has shape {b.shape} where {a.path.name} has {a.shape}'
    else:
        away = _voxels_apart(a.affine, b.affine, a.shape)
        how = f'lies elsewhere than {a.path.name} (up to {away:.2g} voxels away)'
    return f'{b.path.name} {how}, expected one grid for both: export or resample them alike'


def _voxels_apart(a: Affine, b: Affine, shape: tuple[int, int, int]) -> float:
    """Largest distance between corners, in units of the smallest voxel edge."""
    ends = np.array(np.meshgrid(*((0, n - 1) for n in shape))).reshape(3, -1)
    moved = (a - b)[:3, :3] @ ends + (a - b)[:3, 3:]
    smallest = np.linalg.norm(a[:3, :3], axis=0).min()
    return float(np.linalg.norm(moved, axis=0).max() / smallest)


def _check_type(image: Any, path: Path) -> None:
    dtype = image.get_data_dtype()
    if not (np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating)):
        raise DatasetError(
            f'{path.name} holds {dtype} values, expected real numbers: '
            'write magnitude and phase (or real and imaginary part) to files of their own'
        )


def _checked_affine(image: Any, path: Path) -> Affine:
    header = image.header
    if not (header['sform_code'] or header['qform_code']):
        raise DatasetError(
            f'{path.name} has neither sform nor qform, expected its place in the scanner: '
            'convert it anew, the direction of B0 cannot be known otherwise'
        )
    if (code := int(header['xyzt_units'])) % 8 not in _KNOWN_UNITS:
        raise DatasetError(
            f'{path.name} has xyzt_units {code}, expected 2, which is mm: convert it anew'
        )
    if (unit := header.get_xyzt_units()[0]) in {'meter', 'micron'}:
        raise DatasetError(
            f'{path.name} is in units of {unit}, expected mm: rewrite its header and affine'
        )
    affine = scanner_affine(image)
    size = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = VOXEL_RANGE
    # written so that NaN fails as well
    if not (np.isfinite(affine).all() and (size >= low).all() and (size <= high).all()):
        raise DatasetError(
            f'{path.name} has an affine with voxels of {_triple(size)} mm, expected edges of '
            f'{low:g} to {high:g} mm: convert it anew'
        )
    axes = affine[:3, :3] / size
    skew = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if skew > SHEAR_COSINE:
        raise DatasetError(
            f'{path.name} has a sheared affine (cosine {skew:.2g} between two axes), expected '
            'orthogonal axes: give the image as the scanner made it, not one that was registered'
        )
    zooms = np.asarray(header.get_zooms()[:3], dtype=np.float64)
    if not np.allclose(zooms, size, rtol=0.01):
        raise DatasetError(
            f'{path.name} has voxels of {_triple(size)} mm by its affine and {_triple(zooms)} mm '
            'by pixdim, expected the same: convert it anew'
        )
    return affine


def _odd(image: Any, path: Path) -> tuple[str, ...]:
    header = image.header
    sform, qform = int(header['sform_code']), int(header['qform_code'])
    away = 0.0
    if sform and qform:
        away = _voxels_apart(header.get_sform(), header.get_qform(), image.shape[:3])
    if away >= SAME_GRID:
        said = (
            f'{path.name}: sform (code {sform}) and qform (code {qform}) disagree by up to {away:.2g} '
            'voxels, and the direction of B0 hangs on which is taken'
        )
        if (sform == SCANNER_CODE) == (qform == SCANNER_CODE):
            return (f"{said}; both or neither claim to be the scanner's: sform was taken.",)
        name = 'sform' if sform == SCANNER_CODE else 'qform'
        return (f'{said}: {name} was, whose code is that of the scanner.',)
    if min(code for code in (sform, qform) if code) >= FIRST_TEMPLATE_CODE:
        said = (
            f'{path.name} lies in the space of a template by its header (code {sform or qform}), and '
            'B0 was taken along the third axis of that space: give the image as the scanner made it '
            'where the head was turned.'
        )
        return (said,)
    return ()


def _triple(numbers: Any) -> str:
    return ' x '.join(f'{number:.3g}' for number in numbers)


def corners(shape: tuple[int, int, int], affine: Affine) -> Points:
    """(8, 3), outer corners of a volume in world coordinates (mm)."""
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in shape))).reshape(3, -1)
    return np.asarray((affine[:3, :3] @ ends + affine[:3, 3:]).T)


def apart(a: Points, b: Points) -> float:
    """Largest distance (mm) from a corner of one volume to the nearest of the other.

    Axes may be flipped or swapped between the two.
    """
    between = np.linalg.norm(a[:, None] - b[None], axis=2)
    return float(max(between.min(axis=0).max(), between.min(axis=1).max()))


def largest_voxel(affine: Affine) -> float:
    """Longest edge of a voxel, in mm."""
    return float(np.linalg.norm(affine[:3, :3], axis=0).max())


def meets(low: Points, high: Points, box: Points) -> bool:
    """Whether a box along the axes of the world reaches into the one around these corners."""
    return bool((low < box.max(axis=0)).all() and (high > box.min(axis=0)).all())

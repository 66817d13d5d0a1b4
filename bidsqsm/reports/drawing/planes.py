"""Planes cut through volumes as a reader looks at them: nuclei in view, sides labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.files.gzip_files import decompressed

Array = npt.NDArray[np.floating]
Plane = npt.NDArray[Any]

PLANES = ('sagittal', 'coronal', 'axial')

#: Deep gray nuclei in a head whose brain has length 1 from front to back: below its top, before
#: its back, and beside its midline as parts of length, length and width. From MNI coordinates.
_BELOW_TOP, _FROM_BACK, _BESIDE = 0.44, 0.545, 0.13

#: Heights of a series of axial slices relative to the nuclei, in the same unit: dentate nuclei,
#: substantia nigra and red nuclei, pallidum and putamen, caudate and thalamus, and two above.
_SLICE_HEIGHTS = (-0.2, -0.075, 0.0, 0.065, 0.16, 0.28)

#: Letters at the left, right, top and bottom of each plane, radiological convention.
SIDES: Mapping[str, tuple[str, str, str, str]] = {
    'sagittal': ('A', 'P', 'S', 'I'),
    'coronal': ('R', 'L', 'S', 'I'),
    'axial': ('R', 'L', 'A', 'P'),
}


def plane_of(
    values: npt.NDArray[Any], name: str, index: int, box: tuple[slice, slice, slice]
) -> Plane:
    """Cut one plane; its first row is the top of the picture, its first column the left."""
    axis = PLANES.index(name)
    where = list(box)
    where[axis] = slice(index, index + 1)
    flat = values[tuple(where)].squeeze(axis=axis).T
    # left of the picture: the front (sagittal), the right side (coronal, axial)
    return flat[::-1, ::-1]


@dataclass(frozen=True)
class Volume:
    """A volume whose axes run, as nearly as its grid allows, to the right, front and top."""

    values: Array
    voxel_size: tuple[float, float, float]

    def plane(self, name: str, index: int, box: tuple[slice, slice, slice]) -> Plane:
        """Cut one plane; its first row is the top of the picture, its first column the left."""
        return plane_of(self.values, name, index, box)

    def pixel(self, name: str) -> tuple[float, float]:
        """Width and height of a pixel of a plane, in mm."""
        x, y, z = self.voxel_size
        return {'sagittal': (y, z), 'coronal': (x, z), 'axial': (x, y)}[name]


@dataclass(frozen=True)
class ViewPlanes:
    """Where to cut: indices along x, y, z of the nuclei, and the box that is worth showing."""

    at: tuple[int, int, int]
    box: tuple[slice, slice, slice]
    whole: tuple[slice, slice, slice]
    levels: tuple[int, ...]

    def index(self, plane: str) -> int:
        """Index at which a plane is cut."""
        return self.at[PLANES.index(plane)]


def load_canonical(path: Path, echo: int | None = None) -> Volume:
    """Read a volume, or one echo (counted from 0) of several, turned to the closest RAS axes."""
    # nibabel alone would decompress with zlib, at half the speed
    gz = path.suffix == '.gz'
    image = nb.Nifti1Image.from_bytes(decompressed(path)) if gz else nb.load(path)
    if image.ndim > 3:
        image = (
            image.slicer[..., echo or 0] if image.ndim == 4 else image.slicer[..., echo or 0, 0]
        )
    return canonical(image)


def canonical(image: nb.Nifti1Image) -> Volume:
    """Turn an image to the closest axes that run to the right, front and top."""
    turned = nb.as_closest_canonical(image)
    x, y, z = (float(size) for size in turned.header.get_zooms()[:3])
    return Volume(turned.get_fdata(dtype=np.float32), (x, y, z))


def look_at(mask: Volume) -> ViewPlanes:
    """Choose planes through the deep gray nuclei of a brain mask, whatever its place in the grid."""
    inside = mask.values > 0
    if not inside.any():
        inside = np.ones_like(inside)
    size = mask.voxel_size
    edges = [_edges(inside, axis) for axis in range(3)]
    width, length, height = ((b - a) * d for (a, b), d in zip(edges, size, strict=True))
    x = (edges[0][0] + edges[0][1]) / 2 + _BESIDE * width / size[0]
    y = edges[1][0] + _FROM_BACK * length / size[1]
    below = min(_BELOW_TOP * length, 0.6 * height)
    z = edges[2][1] - below / size[2]
    whole = tuple(slice(0, n) for n in inside.shape)
    margin = [round(8 / d) for d in size]
    box = tuple(
        slice(max(0, a - m), min(n, b + m + 1))
        for (a, b), m, n in zip(edges, margin, inside.shape, strict=True)
    )
    return ViewPlanes(
        at=(round(x), round(y), round(z)),
        box=(box[0], box[1], box[2]),
        whole=(whole[0], whole[1], whole[2]),
        levels=_levels(z, length / size[2], edges[2]),
    )


def _levels(z: float, length: float, edges: tuple[int, int]) -> tuple[int, ...]:
    # within the brain, where a slab has less of it than a head
    low, high = edges
    return tuple(int(np.clip(round(z + share * length), low, high)) for share in _SLICE_HEIGHTS)


def _edges(inside: npt.NDArray[np.bool_], axis: int) -> tuple[int, int]:
    others = tuple(a for a in range(3) if a != axis)
    hit = np.flatnonzero(inside.any(axis=others))
    return int(hit[0]), int(hit[-1])

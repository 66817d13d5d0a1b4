"""Volumes of a run as the viewer carries them: one grid, one box, few bytes for a voxel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.orientations import inv_ornt_aff, io_orientation
from scipy.ndimage import find_objects

from bidsqsm.files.gzip_files import compressed
from bidsqsm.reports.drawing.planes import Volume, load_canonical
from bidsqsm.reports.drawing.run_images import RunImages

#: Stored in place of a value outside the mask; below any window, so that it is black
OUTSIDE_VALUE = -32768
_FAINT, _MARGIN = 0.1, 3  # of the bright voxels: the head's edge; voxels around it
_LABEL_INTENT = 'label'


@dataclass(frozen=True)
class ViewerFrame:
    """The grid that all volumes of a viewer have in common, and the box that is carried.

    Parameters
    ----------
    shape
        Voxels of the whole grid, along axes that run to the right, front and top as nearly as it
        allows.
    affine : (4, 4)
        From these voxels to the scanner's coordinates, in mm.
    stored : (4, 4)
        From these voxels to those of the file.
    box
        What is carried of it.

    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    stored: npt.NDArray[np.float64]
    box: tuple[slice, slice, slice]

    @property
    def start(self) -> npt.NDArray[np.float64]:
        """First voxel of the box."""
        return np.array([side.start for side in self.box], dtype=float)

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of the box along each axis."""
        x, y, z = (side.stop - side.start for side in self.box)
        return x, y, z

    def boxed(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A matrix from voxels of the whole grid as one from voxels of the box."""
        moved = np.eye(4)
        moved[:3, 3] = self.start
        return np.asarray(matrix @ moved)

    def holds(self, path: Path) -> bool:
        """Whether an image lies on this grid."""
        shape, affine, _ = grid_of(path)
        return shape == self.shape and np.allclose(affine, self.affine, atol=1e-3)


def grid_of(
    path: Path,
) -> tuple[tuple[int, int, int], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shape and affine once the axes run to the right, front and top, and the way back."""
    image = nb.load(path)
    x, y, z = image.shape[:3]
    turn = io_orientation(image.affine)
    back = inv_ornt_aff(turn, (x, y, z))
    turned = [0, 0, 0]
    for length, (axis, _) in zip((x, y, z), turn, strict=True):
        turned[int(axis)] = length
    return (turned[0], turned[1], turned[2]), np.asarray(image.affine @ back), np.asarray(back)


def frame_of(scene: RunImages, keys: Iterable[str]) -> ViewerFrame:
    """The grid of the first of some products, with a box around the head and all masks.

    Parameters
    ----------
    scene
        The run.
    keys
        Products on its grid, at least one.

    """
    first, *_ = keys
    shape, affine, stored = grid_of(scene.products[first])
    whole = ViewerFrame(
        shape, affine, stored, (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    )
    inside = np.zeros(shape, bool)
    for key in ('magnitude_rss', 'brain_mask', 'qsm_mask'):
        if key in scene.products and whole.holds(scene.products[key]):
            values = np.nan_to_num(load_canonical(scene.products[key]).values)
            inside |= values > _FAINT * np.percentile(values, 99) if values.any() else False
    if not inside.any():
        return whole
    sides = [_side(inside, axis) for axis in range(3)]
    return ViewerFrame(shape, affine, stored, (sides[0], sides[1], sides[2]))


def encode(values: npt.NDArray[Any], step: float) -> npt.NDArray[np.int16]:
    """A map in whole steps, with :data:`OUTSIDE_VALUE` for NaN; what is beyond 16 bits is cut off."""
    edge = -OUTSIDE_VALUE - 1
    steps = np.clip(np.round(values / step), -edge, edge)
    return np.nan_to_num(steps, nan=OUTSIDE_VALUE).astype(np.int16)


def encode_bright(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], float]:
    """An image without a unit in 255 steps up to what only one voxel in 1000 exceeds, and the step."""
    bright = np.nan_to_num(np.maximum(values, 0))
    lit = bright[bright > 0]
    step = float(np.percentile(lit, 99.9)) / 255 if lit.size else 1.0
    return np.clip(np.round(bright / step), 0, 255).astype(np.uint8), step


def encode_labels(
    values: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], list[int]]:
    """Labels numbered from 1 in the order of their values, and these values."""
    found, ranks = np.unique(np.nan_to_num(values).astype(np.int64), return_inverse=True)
    ranks = ranks.reshape(values.shape)
    if found[0] == 0:
        found = found[1:]
    else:  # no background in the box
        ranks = ranks + 1
    dtype = np.uint8 if len(found) < 256 else np.uint16
    return ranks.astype(dtype), [int(value) for value in found]


def middles(labels: npt.NDArray[Any]) -> list[list[int]]:
    """For each label from 1 on, the voxel of it that is nearest to the middle of all."""
    found = []
    for label, where in enumerate(find_objects(labels), 1):
        voxels = np.argwhere(labels[where] == label)
        nearest = np.square(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()
        start = [side.start for side in where]
        found.append([int(at) for at in voxels[nearest] + start])
    return found


def packed(
    frame: ViewerFrame,
    values: npt.NDArray[Any],
    step: float = 1.0,
    window: tuple[float, float] | None = None,
) -> bytes:
    """A compressed NIfTI image of what is in the box; the same volume gives the same bytes.

    Parameters
    ----------
    frame
        Grid and box.
    values : (nx, ny, nz) integers
        Of the box.
    step
        What one is worth.
    window
        Values that are shown black and white; none for labels.

    """
    image = nb.Nifti1Image(values, frame.boxed(frame.affine), dtype=values.dtype)
    header = image.header
    header.set_slope_inter(step, 0)
    header.set_xyzt_units('mm')
    if window is None:
        header.set_intent(_LABEL_INTENT)
    else:
        header['cal_min'], header['cal_max'] = window
    return compressed(image.to_bytes())


def load_boxed(
    scene: RunImages, frame: ViewerFrame, key: str, mask: str = ''
) -> npt.NDArray[np.floating]:
    """Read a product within the box, NaN outside a mask if one is named and there."""
    volume: Volume = scene.load(key)
    if mask in scene.products and frame.holds(scene.products[mask]):
        volume = scene.inside(volume, mask)
    return volume.values[frame.box]


def described(frame: ViewerFrame) -> Mapping[str, Any]:
    """What a page needs to know of the grid."""
    affine = frame.boxed(frame.affine)
    return {
        'shape': list(frame.size),
        'voxelSize': np.round(voxel_sizes(affine), 6).tolist(),
        'affine': np.round(affine[:3], 6).tolist(),
        'stored': np.round(frame.boxed(frame.stored)[:3]).astype(int).tolist(),
    }


def _side(inside: npt.NDArray[np.bool_], axis: int) -> slice:
    # a few bright voxels of air do not widen the box
    share = inside.mean(axis=tuple(a for a in range(3) if a != axis))
    hit = np.flatnonzero(share > min(0.005, share.max() / 2))
    first, last = int(hit[0]) - _MARGIN, int(hit[-1]) + _MARGIN + 1
    return slice(max(0, first), min(inside.shape[axis], last))

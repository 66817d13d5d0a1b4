"""Labels of the brain that others made: how they are read, and what they must hold."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.structures import Label
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import Affine, check_length, open_image, scanner_affine
from bidsqsm.files.regular_files import open_regular, told

SPACES = ('orig', 'T1w')
FREESURFER_IMAGE = ('.mgz', '.mgh')


@dataclass(frozen=True)
class Segmentation:
    """A label image that others made.

    Parameters
    ----------
    name
        Letters and digits, for ``atlas-<name>``.
    path
        NIfTI, or FreeSurfer's ``.mgz``. Its grid may be any; :func:`load_labels` reads it.
    space
        Whose world coordinates it has: ``'orig'`` those of the run, ``'T1w'`` of its T1w.
    labels
        The structures to measure; other values of the image are left aside.

    """

    name: str
    path: Path
    space: str
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f'no space {self.space!r}; there are: {", ".join(SPACES)}')
        if not self.name.isalnum():
            raise ValueError(f'name {self.name!r} of a segmentation, expected letters and digits')

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Segmentation:
        """Make it from what ``dataclasses.asdict`` and JSON made of it."""
        labels = tuple(Label(**label) for label in values['labels'])
        return cls(values['name'], Path(values['path']), values['space'], labels)


@dataclass(frozen=True)
class Survey:
    """What a label image holds.

    Parameters
    ----------
    shape, affine
        As of any image.
    values
        Ascending, without 0.
    low, high
        World coordinates (mm) of the corners of a box along the axes of the world, around all
        that is labelled.

    """

    shape: tuple[int, int, int]
    affine: Affine
    values: tuple[int, ...]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def load_labels(path: Path | str, *, none: bool = False) -> tuple[npt.NDArray[np.int32], Affine]:
    """Read a label image, NIfTI or FreeSurfer's.

    Parameters
    ----------
    path
        A ``.nii``, ``.nii.gz``, ``.mgz`` or ``.mgh`` file.
    none
        Whether it may have no label, as after a registration that failed.

    Returns
    -------
    labels : int32 (nx, ny, nz)
    affine : float64 (4, 4)
        From voxel indices to world coordinates, in mm.

    Raises
    ------
    DatasetError
        Where it is no volume of whole numbers, or all of them are 0 where ``none`` may not be.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     path = save_volume(7 * sphere.inside, affine, Path(name) / 'dseg.nii.gz')
    ...     labels, to_world = load_labels(path)
    >>> np.unique(labels).tolist(), to_world.diagonal().tolist()
    ([0, 7], [2.0, 2.0, 2.0, 1.0])

    """
    path = Path(path)
    volume, affine = load_image(path)
    with np.errstate(invalid='ignore'):
        labels = volume.astype(np.int32)
    if not np.array_equal(labels, volume):
        raise DatasetError(
            f'{path.name} holds values that are no whole numbers, expected labels: '
            'resample them with the nearest neighbour, or give another file'
        )
    if not none and not labels.any():
        raise DatasetError(f'{path.name} is empty, expected labels: make it anew')
    return labels, affine


def load_image(path: Path | str) -> tuple[npt.NDArray[Any], Affine]:
    """Read a volume in the type of its file, NIfTI or FreeSurfer's.

    Returns
    -------
    volume : (nx, ny, nz)
    affine : float64 (4, 4)
        From voxel indices to world coordinates, in mm.

    Raises
    ------
    DatasetError
        Where it is missing, damaged, or no single volume.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     volume, _ = load_image(save_volume(sphere.chi, affine, Path(name) / 'chi.nii.gz'))
    >>> round(float(volume[12, 12, 12]), 2)
    0.1

    """
    path = Path(path)
    with told(path, 'a whole image'):
        if path.name.endswith(FREESURFER_IMAGE):
            open_regular(path).close()
            image = nb.load(path)
        else:
            image = open_image(path)
            check_length(image, path)
        shape = tuple(image.shape)
        volume = np.asarray(image.dataobj)
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise DatasetError(f'{path.name} has shape {shape}, expected one volume: split the file')
    if volume.dtype.kind not in 'iuf':
        raise DatasetError(f'{path.name} holds {volume.dtype} values, expected real numbers')
    nifti = isinstance(image, nb.Nifti1Pair)
    affine = scanner_affine(image) if nifti else np.asarray(image.affine, dtype=np.float64)
    return volume.reshape(shape[:3]), affine


def survey(path: Path) -> Survey:
    """Look through a label image; the same file is read only once.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     found = survey(save_volume(7 * sphere.inside, affine, Path(name) / 'dseg.nii.gz'))
    >>> found.values, (found.high - found.low).tolist()  # mm
    ((7,), [16.0, 16.0, 16.0])

    """
    with told(path, 'a whole image'):
        changed = path.stat().st_mtime_ns
    return _survey(path, changed)


@functools.lru_cache(maxsize=64)
def _survey(path: Path, changed: int) -> Survey:
    del changed  # it tells a file that was written anew
    labels, affine = load_labels(path)
    values = tuple(int(v) for v in _values(labels) if v)
    low, high = labelled_box(labels != 0, affine)
    nx, ny, nz = labels.shape
    return Survey((nx, ny, nz), affine, values, low, high)


def labelled_box(
    mask: npt.NDArray[np.bool_], affine: Affine
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest world coordinates (mm) of a mask that is not empty.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((8, 8, 8), bool)
    >>> mask[2:5, 3, 3] = True
    >>> low, high = labelled_box(mask, np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> (high - low).tolist()  # mm
    [6.0, 2.0, 2.0]

    """
    ends = []
    for axis in range(3):
        there = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        ends.append((there[0] - 0.5, there[-1] + 0.5))
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1)
    world = affine[:3, :3] @ corners + affine[:3, 3:]
    return world.min(axis=1), world.max(axis=1)


def _values(labels: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
    # counting takes a tenth of the time of sorting
    if labels.min() >= 0 and labels.max() < 2**20:
        return np.flatnonzero(np.bincount(labels.ravel()))
    return np.unique(labels)

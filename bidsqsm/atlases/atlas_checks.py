"""Whether a template is an image and whether an atlas's labels lie in its brain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.atlases.structures import Label
from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import different_grids, read_header, same_grid
from bidsqsm.files.nifti import Affine, load_volume
from bidsqsm.qsm.resampling import interpolate

_HEAD_SHARE_OF_P99 = 0.1  # of the 99th percentile of a T1w: fainter is not the head
_MOST_OUTSIDE = 0.5  # share of labelled voxels out of the brain that is a fault, not a warning
_SOME_OUTSIDE = 0.02
_VALUES_IN_SENTENCE = 8  # how many values a sentence names


@dataclass(frozen=True)
class Brain:
    """Where the brain of a template is: a bool image, its affine and the file of its grid."""

    inside: npt.NDArray[np.bool_]
    affine: Affine
    file: Path


def check_template(t1w: Path, mask: Path | None) -> Brain:
    """Read a template and its mask, and tell its brain.

    Raises
    ------
    DatasetError
        Where a file cannot be read, is not 3-D, is empty, or the two grids differ.

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
    ...     t1w = save_volume(100.0 * sphere.mask, affine, Path(name) / 'template.nii.gz')
    ...     brain = check_template(t1w, None)
    >>> bool((brain.inside == sphere.mask).all())
    True

    """
    image, affine = _volume(t1w)
    if not (np.isfinite(image).all() and image.max() > image.min()):
        raise DatasetError(
            f'{t1w} is constant or not finite, expected a T1-weighted image: replace it'
        )
    if mask is None:
        head = image > _HEAD_SHARE_OF_P99 * np.percentile(image, 99)
        return Brain(ndimage.binary_fill_holes(head), affine, t1w)
    headers = read_header(t1w), read_header(mask)
    if not same_grid(*headers):
        raise DatasetError(different_grids(*headers))
    inside = _volume(mask)[0] > 0.5
    if not inside.any():
        raise DatasetError(f'{mask} is empty, expected the brain of {t1w.name}: replace it')
    return Brain(inside, affine, t1w)


def check_contrast(path: Path, brain: Brain) -> None:
    """Check a further map of a template.

    Raises
    ------
    DatasetError
        Where the file cannot be read, is not 3-D, not finite, or shows nothing in the brain.

    """
    image, affine = _volume(path)
    onto = np.linalg.inv(affine) @ brain.affine
    there = interpolate(image, onto, brain.inside.shape, order=0)
    if not np.isfinite(image).all() or np.ptp(there[brain.inside]) == 0:
        raise DatasetError(
            f'{path} is not finite or shows nothing in the brain of {brain.file.name}, expected a '
            'map in the same world coordinates: replace it or take it out of the folder'
        )


def check_labels(
    dseg: Path, labels: Sequence[Label], brain: Brain, *, tell_unknown: bool = True
) -> tuple[str, ...]:
    """Check where an atlas's labels are, and give what is odd about them, a sentence each.

    Raises
    ------
    DatasetError
        Where there are none, or most of them lie outside the template's brain.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.atlases.atlas_checks import Brain
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> labels = [make_label(7, 'putamen'), make_label(8, 'caudate')]
    >>> with tempfile.TemporaryDirectory() as name:
    ...     dseg = save_volume(7 * sphere.inside, affine, Path(name) / 'dseg.nii.gz')
    ...     (said,) = check_labels(dseg, labels, Brain(sphere.mask, affine, dseg))
    >>> said.partition(' has ')[2]
    'no voxel of the labels 8 of its table.'

    """
    values, affine = read_values(dseg)
    known = {label.index: label for label in labels}
    there = {int(value) for value in np.unique(values[values > 0])}
    if not there & {*known}:
        raise DatasetError(
            f'{dseg} holds none of the {len(known)} labels of its table, expected their values '
            f'({_listed(known)}): check that image and table belong together'
        )
    said = []
    if tell_unknown and (unknown := there - {*known}):
        said.append(
            f'{dseg} holds values that its table does not name and that are left out: '
            f'{_listed(unknown)}.'
        )
    if absent := {*known} - there:
        said.append(f'{dseg} has no voxel of the labels {_listed(absent)} of its table.')
    at = np.argwhere(np.isin(values, [*known]))
    said += _check_place(dseg, values.shape, at, affine, brain)
    sides = np.array([known[value].hemisphere for value in values[tuple(at.T)].tolist()])
    return (*said, *_check_sides(dseg, at @ affine[0, :3], sides))


def read_values(dseg: Path) -> tuple[npt.NDArray[np.int32], Affine]:
    """Values (nx, ny, nz) of a label image and its affine; anything but whole numbers is refused.

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
    ...     values, _ = read_values(path)
    >>> np.unique(values).tolist()
    [0, 7]

    """
    volume, affine = _volume(dseg)
    values = np.rint(volume).astype(np.int32) if np.isfinite(volume).all() else None
    if values is None or (values != volume).any() or values.min() < 0:
        raise DatasetError(
            f'{dseg} holds values that are not whole numbers from 0, expected labels: give the '
            'label image, not probabilities'
        )
    return values, affine


def _check_place(
    dseg: Path,
    shape: tuple[int, ...],
    labelled: npt.NDArray[np.intp],
    affine: Affine,
    brain: Brain,
) -> list[str]:
    onto = np.linalg.inv(brain.affine) @ affine
    at = np.rint(labelled @ onto[:3, :3].T + onto[:3, 3]).astype(int)
    held = ((at >= 0) & (at < brain.inside.shape)).all(1)
    inside = np.zeros(len(at), bool)
    inside[held] = brain.inside[tuple(at[held].T)]
    outside = 1 - inside.mean()
    share = f'{100 * outside:.0f} %'
    if outside > _MOST_OUTSIDE:
        raise DatasetError(
            f'{dseg} has {share} of its labels outside the brain of {brain.file}, expected them '
            'inside: its affine is of another space; resample it into that of the template'
        )
    said = []
    if shape != brain.inside.shape or np.abs(onto - np.eye(4)).max() > 1e-2:
        said.append(
            f'{dseg} is on another grid than {brain.file.name}; its affine places the labels '
            'in the brain, which is what counts.'
        )
    if outside > _SOME_OUTSIDE:
        said.append(f'{dseg} has {share} of its labels outside the brain of {brain.file.name}.')
    return said


def _check_sides(
    dseg: Path, rightwards: npt.NDArray[np.float64], sides: npt.NDArray[np.str_]
) -> list[str]:
    left, right = rightwards[sides == 'L'], rightwards[sides == 'R']
    if left.size and right.size and left.mean() > right.mean():
        said = 'either its table or its header confuses the sides'
        return [f'{dseg} has its left labels to the right of its right ones: {said}.']
    return []


def _volume(path: Path) -> tuple[npt.NDArray[np.float32], Affine]:
    read_header(path)
    volume, affine = load_volume(path)
    volume = volume[0] if volume.ndim == 4 and len(volume) == 1 else volume
    if volume.ndim != 3:
        raise DatasetError(
            f'{path} has {volume.ndim} axes, expected a single volume of 3: split it'
        )
    return volume, affine


def _listed(values: Iterable[int]) -> str:
    numbers = sorted(values)
    more = (
        f' and {len(numbers) - _VALUES_IN_SENTENCE} more'
        if len(numbers) > _VALUES_IN_SENTENCE
        else ''
    )
    return ', '.join(map(str, numbers[:_VALUES_IN_SENTENCE])) + more

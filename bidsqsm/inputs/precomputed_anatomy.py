"""What derivative datasets have of a run's anatomy: brain mask of the T1w, transforms, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.label_image import Segmentation, labelled_box, load_image, survey
from bidsqsm.atlases.label_table import read_labels
from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import (
    Header,
    apart,
    corners,
    different_grids,
    largest_voxel,
    meets,
    read_header,
)
from bidsqsm.inputs import freesurfer
from bidsqsm.inputs.derivative_dataset import DerivativeDataset
from bidsqsm.inputs.names import IMAGE, BidsFile, listed
from bidsqsm.inputs.run import GreRun
from bidsqsm.inputs.transforms import first_readable, key_of

FREESURFER_DESC = ('aseg', 'aparcaseg', 'synthseg')  # desc- of labels with FreeSurfer's values
CORNER_VOXELS = 1.5  # voxels by which the outer corners of two volumes of one extent may differ


@dataclass(frozen=True)
class Candidate:
    """A label image that may be of use.

    Parameters
    ----------
    name
        Of the segmentation.
    path
        The image.
    space
        What its name says: ``'orig'``, ``'T1w'`` or nothing.
    otherwise
        The space where neither name nor grid tells it; a guess is made where it is empty.
    table
        Its ``dseg.tsv``; None for FreeSurfer's values.

    """

    name: str
    path: Path
    space: str = ''
    otherwise: str = ''
    table: Path | None = None


def with_transforms(run: GreRun, given: DerivativeDataset) -> GreRun:
    """Add the transforms that a run does not have yet; ``from-orig`` must have all its entities.

    Other apps call each T1w that they average ``orig``, so theirs are left aside.
    """
    found: dict[str, list[Path]] = {}
    for file in given.files:
        key = key_of(file)
        if key is None or key in run.transforms:
            continue
        if key.startswith('orig'):
            fits = not given.makers or given.is_own
            fits = fits and given.of_run(file) and run.entities.items() <= file.entities.items()
        else:
            fits = given.of_t1w(file)
        if fits:
            found.setdefault(key, []).append(file.path)
    for key, paths in found.items():
        path, said = first_readable(paths)
        more = {} if path is None else {key: path}
        run = replace(run, transforms={**run.transforms, **more}, warnings=(*run.warnings, *said))
    return run


def preprocessed_t1w(given: DerivativeDataset) -> Header | None:
    """The T1w that a dataset's masks, labels and transforms are of, where it has one."""
    for file in given.files:
        if file.suffix == 'T1w' and file.extension in IMAGE and given.of_t1w(file):
            if file.entities.get('desc') != 'preproc':
                continue
            try:
                return read_header(file.path)
            except DatasetError:
                continue  # the T1w of the raw dataset serves as well
    return None


def same_extent(a: Header, b: Header) -> bool:
    """Whether two volumes fill the same box of the world, on whatever grids."""
    tolerance = CORNER_VOXELS * max(largest_voxel(a.affine), largest_voxel(b.affine))
    return apart(corners(a.shape, a.affine), corners(b.shape, b.affine)) < tolerance


def with_t1w_mask(
    run: GreRun, given: DerivativeDataset, masks: list[Path], t1w: Header | None
) -> GreRun:
    """Add the first mask of the T1w that holds something near it, FreeSurfer's last."""
    if run.t1w_mask is not None:
        return run
    names = given.subject_names()
    folders = freesurfer.subject_folders(given.folder, names)
    paths = [folder / mask for folder in folders for mask in freesurfer.MASKS]
    for path in (*masks, *filter(_is_there, paths)):
        try:
            _check_mask(path, t1w)
        except DatasetError as error:
            said = f'Brain mask of the T1w not used: {error}.'
            run = replace(run, warnings=(*run.warnings, said))
        else:
            return replace(run, t1w_mask=path)
    return run


def with_segmentations(
    run: GreRun, given: DerivativeDataset, own: Header, t1w: Header | None
) -> GreRun:
    """Add the label images whose values have names."""
    for candidate in _candidates(given):
        if candidate.name in {one.name for one in run.segmentations}:
            continue
        try:
            made, said = _made(candidate, own, t1w)
        except DatasetError as error:
            run = replace(run, warnings=(*run.warnings, f'Segmentation not used: {error}.'))
        else:
            run = replace(
                run,
                segmentations=(*run.segmentations, made),
                warnings=(*run.warnings, *said),
            )
    return run


def _candidates(given: DerivativeDataset) -> Iterator[Candidate]:
    dsegs = [f for f in given.files if f.suffix == 'dseg' and f.extension in IMAGE]
    # other apps write these of the T1w without saying so
    by_desc = {
        file.entities.get('desc'): file
        for file in reversed(dsegs)
        if given.of_t1w(file) or (given.of_run(file) and 'space' in file.entities)
    }
    anatomical = by_desc.get('aseg', by_desc.get('aparcaseg'))
    if anatomical is not None:
        # the two share their values of deep gray matter
        space = anatomical.entities.get('space', '')
        yield Candidate(anatomical.entities['desc'], anatomical.path, space, 'T1w')
    for file in dsegs:
        table = file.path.with_name(file.name.removesuffix(file.extension) + '.tsv')
        # what this app propagated is made anew, not taken for someone's drawing
        foreign = not (given.is_own and 'atlas' in file.entities)
        if file.entities.get('desc') not in FREESURFER_DESC and table.is_file() and foreign:
            name = _letters(
                ''.join(file.entities.get(key, '') for key in ('atlas', 'seg', 'desc'))
            )
            if (stated := _stated(given, file)) is not None:
                yield Candidate(name or _letters(given.name), file.path, stated, '', table)
    yield from _synthseg(given)
    if anatomical is None:
        yield from _of_freesurfer(given)


def _of_freesurfer(given: DerivativeDataset) -> Iterator[Candidate]:
    for folder in freesurfer.subject_folders(given.folder, given.subject_names()):
        for name, file in freesurfer.SEGMENTATIONS:
            if _is_there(folder / file):
                yield Candidate(name, folder / file, 'T1w')
                break


def _synthseg(given: DerivativeDataset) -> Iterator[Candidate]:
    """SynthSeg puts its name behind that of the image: ``sub-01_T1w_synthseg.nii.gz``."""
    of_image = {given.run.suffix: 'orig', 'T1w': 'T1w'} if given.run.suffix != 'T1w' else {}
    for file in given.loose('synthseg'):
        if any(word in file.name for word in ('_post', '_resample')):
            continue
        stated = _stated(given, file, of_image.get(file.suffix, ''))
        if stated is not None:
            yield Candidate('SynthSeg', file.path, stated)


def _stated(given: DerivativeDataset, file: BidsFile, image: str = '') -> str | None:
    """The space that the name of a file tells, '' for none; None where the file is another's."""
    of_run, of_t1w = given.of_run(file), given.of_t1w(file)
    if not (of_run or of_t1w):
        return None
    space = file.entities.get('space', image) or ('' if of_run else 'T1w')
    fits = {'orig': of_run, 'T1w': of_t1w, '': True}
    return space if fits[space] else None


def _made(candidate: Candidate, own: Header, t1w: Header | None) -> tuple[Segmentation, list[str]]:
    """Read a label image; what is odd about it comes along as sentences."""
    path = candidate.path
    found = survey(path)
    header = Header(path, found.shape, (), found.affine)
    space, is_guess = _space(candidate, header, own, t1w)
    beside = own if space == 'orig' or t1w is None else t1w
    _check_place(path, found.low, found.high, beside)
    if candidate.table is None:
        labels, known, where = (
            freesurfer.MEASURED_LABELS,
            freesurfer.KNOWN_VALUES,
            "FreeSurfer's table",
        )
    else:
        labels = read_labels(candidate.table)
        known, where = frozenset(label.index for label in labels), candidate.table.name
    if not {label.index for label in labels}.intersection(found.values):
        raise DatasetError(
            f'{path.name} holds the values {listed(map(str, found.values), 5)}, expected those of '
            f'structures to measure in {where}: name them there or give another file'
        )
    said = []
    if is_guess:
        image = 'T1w' if space == 'T1w' else 'gradient echo'
        said.append(
            f'{path.name} is taken to lie where the {image} does, which neither its name nor its '
            f'extent tells: put space-{space} into its name, or space-'
            f'{"orig" if space == "T1w" else "T1w"} where that is wrong.'
        )
    if unknown := [str(value) for value in found.values if value not in known]:
        said.append(
            f'{path.name} has values without a name in {where} ({listed(unknown, 5)}): '
            'they are not measured.'
        )
    return Segmentation(candidate.name, path, space, labels), said


def _space(
    candidate: Candidate, header: Header, own: Header, t1w: Header | None
) -> tuple[str, bool]:
    """The space of a label image, and whether that is a guess."""
    if candidate.space:
        return candidate.space, False
    here = same_extent(header, own)
    there = t1w is not None and same_extent(header, t1w)
    if here != there:
        return ('orig' if here else 'T1w'), False
    if candidate.otherwise:
        return candidate.otherwise, False
    if candidate.table is not None:
        if here:
            return 'orig', False
        raise DatasetError(different_grids(own, header))
    box, others = corners(header.shape, header.affine), [own, *([] if t1w is None else [t1w])]
    nearest = min(others, key=lambda other: apart(box, corners(other.shape, other.affine)))
    return ('orig' if nearest is own else 'T1w'), True


def _check_mask(path: Path, t1w: Header | None) -> None:
    volume, affine = load_image(path)
    mask = volume > 0
    if not mask.any():
        raise DatasetError(f'{path.name} is empty, expected a mask: give another')
    if t1w is not None:
        _check_place(path, *labelled_box(mask, affine), t1w)


def _check_place(
    path: Path, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], beside: Header
) -> None:
    if not meets(low, high, corners(beside.shape, beside.affine)):
        centre = ', '.join(f'{x:.0f}' for x in (low + high) / 2)
        raise DatasetError(
            f'{path.name} has its labels around ({centre}) mm, expected them within '
            f'{beside.path.name}: give the one of this subject and session'
        )


def _is_there(path: Path) -> bool:
    # a link to a file that was not fetched is worth a sentence
    return path.is_file() or path.is_symlink()


def _letters(text: str) -> str:
    return ''.join(letter for letter in text if letter.isalnum())

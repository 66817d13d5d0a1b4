"""Images that others made for a run: a T1w, a mask, labels."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.label_image import FREESURFER_IMAGE, load_image
from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import Header, different_grids, read_header, same_grid
from bidsqsm.files.nifti import Affine, load_volume
from bidsqsm.files.regular_files import why_no_folder
from bidsqsm.inputs.derivative_dataset import DerivativeDataset, origin
from bidsqsm.inputs.names import IMAGE, LONG_NAMES, BidsFile, listed, natural, parse
from bidsqsm.inputs.precomputed_anatomy import (
    preprocessed_t1w,
    same_extent,
    with_segmentations,
    with_t1w_mask,
    with_transforms,
)
from bidsqsm.inputs.r2_source import with_r2_map
from bidsqsm.inputs.run import GreRun

#: desc- of a mask of the brain, the best first; others are of something else.
BRAIN_MASK_DESCS = ('brain', '', 'qsm')


def with_t1w(run: GreRun, t1w: Sequence[BidsFile]) -> GreRun:
    """Add the T1w of the same session, else the subject's only one.

    Parameters
    ----------
    run
        The run.
    t1w
        Structural images of all subjects, none of them part of a run.

    """
    own = [file for file in t1w if file.entities.get('sub') == run.entities.get('sub')]
    near = [file for file in own if file.entities.get('ses') == run.entities.get('ses')]
    candidates = near or (own if len(own) == 1 else [])
    if not candidates:
        return run
    chosen = candidates[0]
    said = []
    if len(candidates) > 1:
        said.append(f'{chosen.name} is used out of {len(candidates)} T1w images of the session.')
    if 'ses' in run.entities and 'ses' in chosen.entities and not near:
        said.append(
            f'{chosen.name} is of another session than the run; it is used, being the only T1w of '
            'the subject.'
        )
    try:
        read_header(chosen.path)
    except DatasetError as error:
        # it only helps: the maps can be made without it
        return replace(run, warnings=(*run.warnings, *said, f'T1w not used: {error}.'))
    return replace(run, t1w=chosen.path, warnings=(*run.warnings, *said))


def with_derivatives(run: GreRun, derivatives: Mapping[str, Path]) -> GreRun:
    """Add what derivative datasets have for this run: masks, labels, transforms.

    Parameters
    ----------
    run
        The run.
    derivatives
        Names to folders, the first that has something wins. Masks are ``*_mask.nii.gz`` with
        ``desc-brain``, no ``desc``, or ``desc-qsm``; labels are ``*_dseg.nii.gz``. All their
        entities but those that describe them must be the run's, or the T1w's for what is in its
        space; the more of them the better. For FreeSurfer's files and transforms see
        :mod:`bidsqsm.inputs.precomputed_anatomy`.

    Raises
    ------
    DatasetError
        Where masks were found, but none on the grid of the run or where its T1w lies.

    """
    own = header_of(run)
    raw = None if run.t1w is None else parse(run.t1w)
    for name, folder in derivatives.items():
        given = DerivativeDataset.of(name, folder, run, None if raw is None else origin(raw))
        run = _with_dataset(run, given, own)
    return _without_stray(run)


def _with_dataset(run: GreRun, given: DerivativeDataset, own: Header) -> GreRun:
    preprocessed = preprocessed_t1w(given)
    t1w = preprocessed
    if t1w is None and run.t1w is not None:
        t1w = read_header(run.t1w)
    before = run
    masks = [f for f in given.files if f.suffix == 'mask' and _is_of_brain(f)]
    # of its own earlier output, the mask that the map had, not the brain that it was trimmed from
    order = BRAIN_MASK_DESCS[::-1] if given.is_own else BRAIN_MASK_DESCS
    masks.sort(key=lambda f: order.index(f.entities.get('desc', '')))
    run = _with_mask(run, own, t1w, [f for f in masks if given.of_run(f)])
    run = with_t1w_mask(run, given, _of_t1w(given, own, t1w, masks), t1w)
    run = with_transforms(run, given)
    run = with_r2_map(run, given)
    run = with_segmentations(run, given, own, t1w)
    run = _with_labels(run, given, own, t1w)
    if preprocessed is not None and _leans_on_t1w(before) != _leans_on_t1w(run):
        # of several T1w an app makes one, in a place of its own, and all else lies there
        run = replace(run, t1w=preprocessed.path)
    return run


def _leans_on_t1w(run: GreRun) -> tuple[object, ...]:
    transforms = sorted(key for key in run.transforms if 'T1w' in key)
    return run.t1w_mask, transforms, [one.name for one in run.segmentations if one.space == 'T1w']


def _without_stray(run: GreRun) -> GreRun:
    """Leave out what lies in the space of a T1w, where nothing leads there."""
    if run.t1w is not None or 'orig:T1w' in run.transforms:
        return run
    transforms = {key: path for key, path in run.transforms.items() if 'T1w' not in key}
    segmentations = tuple(one for one in run.segmentations if one.space != 'T1w')
    lost = {
        **{path: 'Transform' for key, path in run.transforms.items() if key not in transforms},
        **{one.path: 'Segmentation' for one in run.segmentations if one not in segmentations},
        **({} if run.t1w_mask is None else {run.t1w_mask: 'Brain mask of the T1w'}),
    }
    said = [
        f'{what} not used: {path.name} lies in the space of a T1w, and the run has none: '
        'add the T1w or a transform to it.'
        for path, what in lost.items()
    ]
    return replace(
        run,
        t1w_mask=None,
        transforms=transforms,
        segmentations=segmentations,
        warnings=(*run.warnings, *said),
    )


def with_mask_pattern(run: GreRun, pattern: str) -> GreRun:
    """Add the mask that a pattern names.

    Parameters
    ----------
    run
        The run.
    pattern
        A path that may hold ``{subject}``, ``{session}``, ``{run}`` and so on, by their long or
        short names, ``{name}`` for the start of the run's derivatives, and ``*``.

    Raises
    ------
    DatasetError
        Where it matches no file or several, or one on another grid.

    """
    filled = _fill(run, pattern)
    found = sorted(glob.glob(filled), key=natural)  # noqa: PTH207
    if len(found) != 1:
        what = f'{len(found)} files ({listed(found, 3)})' if found else 'no file'
        raise DatasetError(f'mask {filled} matches {what}, expected one: correct the pattern')
    own = header_of(run)
    header = read_header(Path(found[0]).absolute(), like=own)
    return _with_mask_of(run, _on_grid(own, [header]))


def load_mask(path: Path | str) -> tuple[npt.NDArray[np.bool_], Affine]:
    """Read a given mask, NIfTI or FreeSurfer's: what is above 0.5 is inside.

    Raises
    ------
    DatasetError
        Where it is empty.

    """
    read = load_image if str(path).endswith(FREESURFER_IMAGE) else load_volume
    volume, affine = read(path)
    mask = volume > 0.5
    if not mask.any():
        raise DatasetError(f'{path} is empty, expected a mask of the brain: give another mask')
    return mask, affine


def check_derivatives(derivatives: Mapping[str, Path]) -> None:
    """Refuse a derivative folder that does not exist."""
    for name, folder in derivatives.items():
        if why := why_no_folder(folder):
            raise DatasetError(
                f'derivatives {name}={folder} {why}, expected a BIDS derivative dataset'
            )


def header_of(run: GreRun) -> Header:
    """Where the voxels of a run are."""
    return Header(run.files[0], run.shape, (), np.array(run.affine))


def _is_of_brain(file: BidsFile) -> bool:
    known = file.entities.get('desc', '') in BRAIN_MASK_DESCS and file.extension in IMAGE
    return known and file.entities.get('label', 'brain') == 'brain'


def _with_mask(run: GreRun, own: Header, t1w: Header | None, masks: Sequence[BidsFile]) -> GreRun:
    headers = [] if run.mask is not None else [read_header(f.path, like=own) for f in masks]
    of_t1w = [t1w is not None and not same_grid(own, h) and same_extent(h, t1w) for h in headers]
    headers = [h for h, apart in zip(headers, of_t1w, strict=True) if not apart]
    return _with_mask_of(run, _on_grid(own, headers)) if headers else run


def _of_t1w(
    given: DerivativeDataset, own: Header, t1w: Header | None, masks: Sequence[BidsFile]
) -> list[Path]:
    """Masks that say so by their names, or lie where the T1w does and not on the run's grid."""
    if t1w is None:
        return []
    chosen = []
    for file in (file for file in masks if given.of_t1w(file)):
        try:
            header = read_header(file.path)
        except DatasetError:
            continue  # said before, where it is of the run
        if 'space' in file.entities or (same_extent(header, t1w) and not same_grid(own, header)):
            chosen.append(file.path)
    return chosen


def _with_mask_of(run: GreRun, header: Header) -> GreRun:
    return replace(run, mask=header.path, warnings=(*run.warnings, *header.warnings))


def _on_grid(own: Header, headers: Sequence[Header]) -> Header:
    for header in headers:
        if same_grid(own, header) and not header.extra:
            return header
    if extra := headers[0].extra:
        raise DatasetError(
            f'{headers[0].path.name} has axes {extra} beyond the third, expected one volume: '
            'split the file'
        )
    raise DatasetError(different_grids(own, headers[0]))


def _with_labels(run: GreRun, given: DerivativeDataset, own: Header, t1w: Header | None) -> GreRun:
    if run.labels is not None:
        return run
    files = [f for f in given.files if f.suffix == 'dseg' and f.extension in IMAGE]
    # what this app propagated is made anew, not taken for someone's drawing
    files = [f for f in files if given.of_run(f) and not (given.is_own and 'atlas' in f.entities)]
    taken = {one.path for one in run.segmentations}
    try:
        headers = [read_header(file.path, like=own) for file in files]
        on_grid = [header for header in headers if same_grid(own, header)]
        lost = [h for h in headers if h.path not in taken and not (t1w and same_extent(h, t1w))]
        found = on_grid or lost
        return replace(run, labels=_on_grid(own, found).path) if found else run
    except DatasetError as error:
        # labels come along with many derivatives, often of the T1w: nothing depends on them
        return replace(run, warnings=(*run.warnings, f'Labels not used: {error}.'))


def _fill(run: GreRun, pattern: str) -> str:
    values = {'name': run.name, 'suffix': run.suffix, **run.entities}
    values |= {LONG_NAMES[key]: value for key, value in run.entities.items() if key in LONG_NAMES}

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise DatasetError(
                f'mask pattern {pattern} wants {match[1]}, which {run.name} does not have; '
                f'there are: {", ".join(values)}'
            )
        return values[match[1]]

    return re.sub(r'\{(\w+)\}', value, pattern)

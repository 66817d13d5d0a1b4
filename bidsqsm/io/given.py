"""Images that others made for a run: a T1w, a mask, labels."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm.io.errors import DatasetError
from bidsqsm.io.headers import Header, different_grids, read_header, same_grid
from bidsqsm.io.names import IMAGE, LONG_NAMES, BidsFile, listed, natural, parse
from bidsqsm.io.nifti import Affine, load_volume
from bidsqsm.io.run import GreRun

# entities that say what a derivative is, not of which run it was made
ABOUT = ('desc', 'atlas', 'seg', 'label', 'res', 'den', 'echo', 'part')
BRAIN = ('brain', '', 'qsm')  # desc- of a mask, the best first; others are of something else


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
    try:
        read_header(chosen.path, thin=True)
    except DatasetError as error:
        # it only helps: the maps can be made without it
        return replace(run, warnings=(*run.warnings, *said, f'T1w not used: {error}.'))
    return replace(run, t1w=chosen.path, warnings=(*run.warnings, *said))


def with_derivatives(run: GreRun, derivatives: Mapping[str, Path]) -> GreRun:
    """Add the mask and the labels that derivative datasets have for this run.

    Parameters
    ----------
    run
        The run.
    derivatives
        Names to folders, the first that has something wins. Masks are ``*_mask.nii.gz`` with
        ``desc-brain``, no ``desc``, or ``desc-qsm``; labels are ``*_dseg.nii.gz``. All their
        entities but those that describe them must be the run's; the more of them the better.

    Raises
    ------
    DatasetError
        Where masks were found, but none on the grid of the run.

    """
    own = _header_of(run)
    for folder in derivatives.values():
        files = _of_run(run, folder)
        masks = [f for f in files if f.suffix == 'mask' and _is_of_brain(f)]
        masks.sort(key=lambda f: BRAIN.index(f.entities.get('desc', '')))
        labels = [f for f in files if f.suffix == 'dseg']
        if masks and run.mask is None:
            run = replace(run, mask=_first_on_grid(own, masks))
        if labels and run.labels is None:
            run = _with_labels(run, own, labels)
    return run


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
    header = read_header(Path(found[0]).absolute())
    return replace(run, mask=_on_grid(_header_of(run), [header]))


def load_mask(path: Path | str) -> tuple[npt.NDArray[np.bool_], Affine]:
    """Read a given mask: what is above 0.5 is inside.

    Raises
    ------
    DatasetError
        Where it is empty.

    """
    volume, affine = load_volume(path)
    mask = volume > 0.5
    if not mask.any():
        raise DatasetError(f'{path} is empty, expected a mask of the brain: give another mask')
    return mask, affine


def check_derivatives(derivatives: Mapping[str, Path]) -> None:
    """Refuse a derivative folder that does not exist."""
    for name, folder in derivatives.items():
        if not folder.is_dir():
            raise DatasetError(
                f'derivatives {name}={folder}: no such folder, expected a BIDS derivative dataset'
            )


def _header_of(run: GreRun) -> Header:
    return Header(run.files[0], run.shape, (), np.array(run.affine))


def _of_run(run: GreRun, folder: Path) -> list[BidsFile]:
    """Images whose entities are all the run's, those that share most of them first."""
    subject = f'sub-{run.entities["sub"]}'
    places = [folder / subject]
    if 'ses' in run.entities:
        places.insert(0, places[0] / f'ses-{run.entities["ses"]}')
    paths: Iterable[Path] = (path for place in places for path in place.glob('*/*.nii*'))
    files = [file for path in paths if (file := parse(path)) and file.extension in IMAGE]
    fitting = [file for file in files if _origin(file).items() <= run.entities.items()]
    return sorted(fitting, key=lambda f: (-len(_origin(f)), natural(f.name)))


def _origin(file: BidsFile) -> dict[str, str]:
    return {key: value for key, value in file.entities.items() if key not in ABOUT}


def _is_of_brain(file: BidsFile) -> bool:
    known = file.entities.get('desc', '') in BRAIN
    return known and file.entities.get('label', 'brain') == 'brain'


def _first_on_grid(own: Header, files: Sequence[BidsFile]) -> Path:
    return _on_grid(own, [read_header(file.path) for file in files])


def _on_grid(own: Header, headers: Sequence[Header]) -> Path:
    for header in headers:
        if same_grid(own, header) and not header.extra:
            return header.path
    if extra := headers[0].extra:
        raise DatasetError(
            f'{headers[0].path.name} has axes {extra} beyond the third, expected one volume: '
            'split the file'
        )
    raise DatasetError(different_grids(own, headers[0]))


def _with_labels(run: GreRun, own: Header, files: Sequence[BidsFile]) -> GreRun:
    try:
        return replace(run, labels=_first_on_grid(own, files))
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


__all__ = [
    'check_derivatives',
    'load_mask',
    'with_derivatives',
    'with_mask_pattern',
    'with_t1w',
]

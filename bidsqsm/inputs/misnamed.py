"""Images whose names look like those of a gradient echo but are none, so that none is passed over in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bidsqsm.inputs.names import IMAGE, parse
from bidsqsm.inputs.run import GreRun, Skipped

_FOLDERS = ('anat', 'swi')
_PARTS = ('mag', 'phase', 'real', 'imag')
_PHASE = re.compile('(?i)(pha?|phs|phases?|uw(phase)?|unwrapped|romeo|real|imag(inary)?)[0-9]*')
_ECHO = re.compile('(?i)(me)?gre[0-9]*|(me)?t2(star|s)w?[0-9]*|swi|qsm')
_TAKEN_SUFFIXES = ('MEGRE', 'T2starw', 'T1w')


def told_by_name(
    root: Path, runs: Sequence[GreRun | Skipped], subjects: Sequence[str], sessions: set[str]
) -> list[GreRun | Skipped]:
    """Refuse magnitudes beside which something is called a phase, and tell of what is no run by its name alone.

    Parameters
    ----------
    root
        Of the dataset.
    runs
        What was found.
    subjects
        Labels of those that were looked at.
    sessions
        Labels; all where empty.

    """
    served = {_place(run.entities) for run in runs if not isinstance(run, GreRun) or run.has_phase}
    alone = [run for run in runs if isinstance(run, GreRun) and not run.has_phase]
    phases = {
        place: _found(root, place, _is_phase) for place in {_place(r.entities) for r in alone}
    }
    checked = [
        _refused(run, phases[_place(run.entities)], has_other=_place(run.entities) in served)
        if isinstance(run, GreRun) and not run.has_phase
        else run
        for run in runs
    ]
    served |= {_place(run.entities) for run in runs}
    for place in _places(root, subjects):
        asked = not sessions or place[1] in sessions
        if asked and place not in served and (paths := _found(root, place, _is_echo)):
            entities = {
                key: label for key, label in zip(('sub', 'ses'), place, strict=False) if label
            }
            checked.append(Skipped(entities, _sentence(paths, 'an image of a gradient echo')))
    return checked


def _refused(run: GreRun, phases: Sequence[Path], *, has_other: bool) -> GreRun | Skipped:
    own = [path for path in run.magnitude if _is_phase(path)]
    paths = own or ([] if has_other else phases)
    if not paths:
        return run
    return Skipped(run.entities, _sentence(paths, 'a phase'), run.suffix)


def _sentence(paths: Sequence[Path], what: str) -> str:
    path = paths[0]
    more = f' (and {len(paths) - 1} more)' if len(paths) > 1 else ''
    who = '_'.join(word for word in path.name.split('_') if word.startswith(('sub-', 'ses-')))
    return (
        f'{path.parent.name}/{path.name}{more} is {what} by its name, expected such names as '
        f'anat/{who}_echo-1_part-mag_MEGRE.nii.gz and anat/{who}_echo-1_part-phase_MEGRE.nii.gz: '
        'rename all parts and echoes, with their sidecars'
    )


def _place(entities: Mapping[str, str]) -> tuple[str, str]:
    return entities.get('sub', ''), entities.get('ses', '')


def _places(root: Path, subjects: Sequence[str]) -> list[tuple[str, str]]:
    places = [(subject, '') for subject in subjects]
    for subject in subjects:
        folders = sorted((root / f'sub-{subject}').glob('ses-*'))
        places += [(subject, folder.name.removeprefix('ses-')) for folder in folders]
    return places


def _found(root: Path, place: tuple[str, str], is_wanted: Callable[[Path], bool]) -> list[Path]:
    subject, session = place
    folder = root / f'sub-{subject}' / (f'ses-{session}' if session else '')
    return [
        path
        for name in _FOLDERS
        for path in sorted((folder / name).glob('*.nii*'))
        if path.name.endswith(IMAGE) and is_wanted(path)
    ]


def _is_phase(path: Path) -> bool:
    """Whether a word of a name tells phase in another way than BIDS does."""
    file = parse(path)
    part = file.entities.get('part', '') if file else ''
    if part in _PARTS:
        return path.parent.name != 'anat' and part != 'mag'
    return bool(part) or any(_PHASE.fullmatch(word) for word in _words(path))


def _is_echo(path: Path) -> bool:
    """Whether a name is that of a gradient echo which no run takes."""
    file = parse(path)
    known = file is not None and file.suffix in _TAKEN_SUFFIXES and path.parent.name == 'anat'
    echo = any(_ECHO.fullmatch(word) for word in _words(path))
    return not known and (path.parent.name == 'swi' or echo)


def _words(path: Path) -> list[str]:
    stem = path.name.partition('.')[0]
    return [
        word.rpartition('-')[2]
        for word in stem.split('_')
        if not word.startswith(('sub-', 'ses-'))
    ]

"""Which subjects and sessions of a dataset should have maps, by the names of their files alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bidsqsm.files.regular_files import why_unreadable
from bidsqsm.inputs.dataset import GRE, PHASE, labels
from bidsqsm.inputs.names import IMAGE, natural, parse


def sessions_with_echoes(bids_dir: Path, subject: str) -> list[str]:
    """Labels of the sessions that have gradient echoes; an empty one for a subject without sessions."""
    folder = bids_dir / f'sub-{subject}'
    places = ['', *labels(folder, 'ses-')]
    return [ses for ses in places if _has_echoes(folder / (f'ses-{ses}' if ses else '') / 'anat')]


def names_in(folder: Path) -> list[str]:
    """Names of what is in a folder, sorted; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _has_echoes(folder: Path) -> bool:
    return any(_is_echo(name) for name in names_in(folder))


def _is_echo(name: str) -> bool:
    file = parse(Path(name)) if name.endswith(IMAGE) else None
    return file is not None and (file.suffix in GRE or file.entities.get('part') in PHASE)


def lacking(
    bids_dir: Path, subjects: Iterable[str], told: Iterable[str], served: set[tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """Say who should have maps and has left nothing.

    Parameters
    ----------
    bids_dir
        Root of the dataset.
    subjects
        Labels of the asked participants that have a folder there.
    told
        Labels of those whom participants.tsv names.
    served
        Subject and session of every run that left something.

    Yields
    ------
    Subject, session and reason of each.

    """
    subjects, with_output = list(subjects), {subject for subject, _ in served}
    for subject in subjects:
        try:
            sessions = sessions_with_echoes(bids_dir, subject)
        except OSError as error:
            place = Path(error.filename or bids_dir)
            yield subject, '', f'{place} {why_unreadable(place, error)}'
            continue
        if not sessions and subject not in with_output:
            yield subject, '', 'the dataset has no gradient echoes of it'
        # a run that was skipped as a whole stands for every session
        for session in sessions:
            if not {(subject, session), (subject, '')} & served:
                yield subject, session, 'no output: run the level participant for it'
    for subject in sorted(set(told) - set(subjects) - with_output, key=natural):
        yield subject, '', 'participants.tsv names it, but the dataset has no folder of it'

"""Everything that the runs of a cohort left in the output folder, gathered from its small files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bidsqsm.cohort.expected import lacking, names_in
from bidsqsm.cohort.ratings import AgreedRating, read_ratings, settle
from bidsqsm.cohort.run_files import (
    MISSING,
    STATUS,
    UNKNOWN,
    CohortRun,
    entities_of,
    fill_metrics,
    fill_regions,
    fill_status,
    tables_of,
)
from bidsqsm.derivatives.metrics_files import SUFFIX
from bidsqsm.errors import DatasetError
from bidsqsm.files.regular_files import unreadable, why_unreadable
from bidsqsm.inputs.dataset import labelled_folders
from bidsqsm.inputs.names import anchor, join, listed, natural, thumbnail_name, viewer_name
from bidsqsm.inputs.participants import Participants, read_participants

T = TypeVar('T')

LOGGER = logging.getLogger(__name__)
_METRICS = f'_{SUFFIX}.json'


@dataclass(frozen=True)
class Cohort:
    """Every run, those that are missing too, with who the people are and what was decided.

    Attributes
    ----------
    runs
        In natural order of their names.
    people
        Participants of the dataset.
    ratings
        By the name of the run.
    troubles
        A sentence for each file that could not be read.

    """

    runs: tuple[CohortRun, ...]
    people: Participants = field(default_factory=Participants)
    ratings: Mapping[str, AgreedRating] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def gather(
    bids_dir: Path,
    output_dir: Path,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    rating_tables: Sequence[Path] = (),
) -> Cohort:
    """Read what the level participant left.

    Parameters
    ----------
    bids_dir
        Root of the dataset, for its participants and for who is expected.
    output_dir
        Root of the derivative dataset.
    participants, sessions
        Labels; all where empty.
    rating_tables
        Files of ratings beside those in the output.

    Raises
    ------
    DatasetError
        Where there is no run at all, or none of what was asked for. A damaged file of one run is
        told in the result and takes nothing else with it.

    """
    troubles: list[str] = []
    made, there = (_subjects(folder, troubles) for folder in (output_dir, bids_dir))
    people = read_participants(bids_dir, there, troubles)
    known = dict.fromkeys([*there, *made, *people.participants])
    _refuse_unknown('participant', participants, known, output_dir)
    wanted = set(participants) or set(known)
    runs = [run for s in made if s in wanted for run in _runs_of(output_dir, s, troubles)]
    if not runs:
        raise DatasetError(
            f'{output_dir} has no run of {"these participants" if participants else "any participant"}: '
            'run the level participant first'
        )
    served = {(run.subject, run.session) for run in runs}
    told = (s for s in people.participants if s in wanted)
    for subject, session, reason in lacking(
        bids_dir, [s for s in there if s in wanted], told, served
    ):
        entities = {'sub': subject, **({'ses': session} if session else {})}
        runs.append(CohortRun(join(entities), entities, MISSING, reason))
    _refuse_unknown('session', sessions, {run.session for run in runs} - {''}, output_dir)
    kept = [run for run in runs if not sessions or run.session in sessions]
    if not kept:
        raise DatasetError(f'none of these participants has a run of {listed(sessions)}')
    ratings, unread = read_ratings(output_dir, rating_tables)
    kept.sort(key=lambda run: natural(run.name))
    return Cohort(tuple(kept), people, settle(ratings), (*troubles, *unread))


def _subjects(folder: Path, troubles: list[str]) -> list[str]:
    try:
        there, lost = labelled_folders(folder, 'sub-')
    except OSError as error:
        raise unreadable(folder, error, 'a dataset') from error
    troubles += [f'{why}: it was left out' for why in lost.values()]
    return there


def _refuse_unknown(
    what: str, asked: Iterable[str], known: Iterable[str], output_dir: Path
) -> None:
    known = list(known)
    if unknown := [label for label in asked if label not in known]:
        raise DatasetError(
            f'no {what} {listed(unknown)} in {output_dir} or the dataset; there are: '
            f'{listed(sorted(known, key=natural))}'
        )


def _tried(read: Callable[[Path], T], path: Path, troubles: list[str]) -> T | None:
    """Read a file; where it is damaged, say so and go on."""
    try:
        return read(path)
    except UnicodeDecodeError:
        troubles.append(f'{path} is not text in UTF-8: it was left out')
    except OSError as error:
        place = Path(error.filename or path)
        troubles.append(f'{place} {why_unreadable(place, error)}: it was left out')
    except DatasetError as error:
        troubles.append(f'{error}: it was left out')
    except Exception as error:  # whatever it holds, the others go on
        LOGGER.debug('%s', path, exc_info=True)
        said = f'{error}' if isinstance(error, ValueError) else f'cannot be read ({error!r})'
        troubles.append(f'{said if f"{path}" in said else f"{path} {said}"}: it was left out')
    return None


def _runs_of(output_dir: Path, subject: str, troubles: list[str]) -> list[CohortRun]:
    """Runs of one subject, from the newest status of each and whatever files it left."""
    folder = output_dir / f'sub-{subject}'
    files = _tried(_files, folder, troubles) or {}
    runs: dict[str, CohortRun] = {}
    for name, path in _fresh(_tried(_statuses, folder / 'log', troubles) or {}).items():
        run = runs.setdefault(name, CohortRun(name, entities_of(name)))
        if not _read(fill_status, path, run, troubles):
            run.status, run.reason = UNKNOWN, f'its status file {path.name} cannot be read'
    for file, path in files.items():
        if file.endswith(_METRICS):
            name = file.removesuffix(_METRICS)
            blank = CohortRun(name, entities_of(name), UNKNOWN, 'it has no status file')
            _read(fill_metrics, path, runs.setdefault(name, blank), troubles)
    for name, path in tables_of(files):
        if name in runs:
            _read(fill_regions, path, runs[name], troubles)
    for run in runs.values():
        _link(run, output_dir, files)
    return list(runs.values())


def _read(
    read: Callable[[Path, CohortRun], None], path: Path, run: CohortRun, troubles: list[str]
) -> bool:
    before = len(troubles)
    _tried(lambda file: read(file, run), path, troubles)
    return len(troubles) == before


def _files(folder: Path) -> dict[str, Path]:
    """Files of the ``anat`` and ``figures`` folders by their names."""
    places = [folder / 'figures', folder / 'anat', *sorted(folder.glob('ses-*/anat'))]
    found: dict[str, Path] = {}
    for place in places:
        found.update((name, place / name) for name in names_in(place))
    return found


def _statuses(folder: Path) -> dict[str, Path]:
    """The newest status file of every run; calls are named by when they began."""
    return {
        name.removesuffix(STATUS): folder / call / name
        for call in names_in(folder)
        for name in names_in(folder / call)
        if name.endswith(STATUS)
    }


def _fresh(statuses: Mapping[str, Path]) -> dict[str, Path]:
    """Leave out that a subject had no gradient echoes, where a later call found some."""
    newest = max((path.parent.name for path in statuses.values()), default='')
    return {
        name: path
        for name, path in statuses.items()
        if len(entities_of(name)) > 1 or path.parent.name == newest or len(statuses) == 1
    }


def _link(run: CohortRun, output_dir: Path, files: Mapping[str, Path]) -> None:
    run.thumbnail = files.get(thumbnail_name(run.name))
    viewer = files.get(viewer_name(run.name))
    run.viewer = viewer.relative_to(output_dir).as_posix() if viewer else ''
    page = f'sub-{run.subject}.html'
    if (output_dir / page).is_file():
        run.page = f'{page}#{anchor(run.name)}'

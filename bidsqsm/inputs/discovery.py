"""From a BIDS dataset to the runs that can be processed, and the reasons why others cannot."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.files.regular_files import unreadable
from bidsqsm.inputs.build_run import build_run
from bidsqsm.inputs.channel_files import with_channels
from bidsqsm.inputs.dataset import (
    GRE,
    PHASE,
    anatomical_images,
    check_dataset,
    select_sessions,
    select_subjects,
)
from bidsqsm.inputs.filters import check_filters, matches
from bidsqsm.inputs.metadata import Sidecars
from bidsqsm.inputs.misnamed import told_by_name
from bidsqsm.inputs.names import BidsFile, listed, natural
from bidsqsm.inputs.precomputed import (
    check_derivatives,
    with_derivatives,
    with_mask_pattern,
    with_t1w,
)
from bidsqsm.inputs.r2_source import MESE, with_spin_echo
from bidsqsm.inputs.run import GreRun, Skipped

LOGGER = logging.getLogger(__name__)
Group = list[BidsFile]


def find_runs(
    bids_dir: Path | str,
    *,
    participant_label: Sequence[str] = (),
    session_label: Sequence[str] = (),
    filters: Mapping[str, Any] | None = None,
    derivatives: Mapping[str, Path | str] | None = None,
    mask_pattern: str | None = None,
    database_dir: Path | str | None = None,
) -> list[GreRun | Skipped]:
    """Find the gradient-echo runs of a dataset.

    Parameters
    ----------
    bids_dir
        Root of the dataset.
    participant_label, session_label
        Labels, with or without ``sub-`` and ``ses-``; all where empty.
    filters
        ``{'megre': {...}, 't1w': {...}}``; see :func:`bidsqsm.inputs.filters.check_filters`.
    derivatives
        Names to folders of given masks and labels;
        see :func:`bidsqsm.inputs.precomputed.with_derivatives`.
    mask_pattern
        Path of given masks; see :func:`bidsqsm.inputs.precomputed.with_mask_pattern`.
    database_dir
        Folder of a PyBIDS database, made if absent.

    Returns
    -------
    Runs in natural order of subject, session and the other entities; a run in trouble stands as
    :class:`~bidsqsm.inputs.run.Skipped` in its place.

    Raises
    ------
    DatasetError
        Where there is nothing to be done: no dataset, an unknown label or filter, nothing found.

    """
    # nodes run in folders of their own, so no path may depend on where the app was started
    root = Path(bids_dir).absolute()
    check_dataset(root)
    queries = check_filters(filters)
    given = {name: Path(path).absolute() for name, path in (derivatives or {}).items()}
    check_derivatives(given)
    troubles: list[Skipped] = []
    subjects = select_subjects(root, participant_label, troubles)
    sessions = select_sessions(root, subjects, session_label)
    database = None if database_dir is None else Path(database_dir)
    images = with_channels(anatomical_images(root, subjects, sessions, troubles, database))
    groups, t1w = _group(images, queries)
    sidecars = Sidecars(root)
    # each run looks among those of its own subject: there may be thousands
    spin_echoes = _by_subject(file for file in images if file.suffix == MESE)
    structural = _by_subject(t1w)

    def make(group: Group) -> GreRun | Skipped:
        subject = group[0].entities.get('sub', '')
        return _make(
            group,
            sidecars,
            spin_echoes.get(subject, []),
            structural.get(subject, []),
            given,
            mask_pattern,
        )

    runs = _claim_names([make(group) for group in groups])
    runs += troubles
    if not queries.get('megre'):  # who filters has said which images are meant
        runs = told_by_name(root, runs, subjects, sessions)
    if not runs:
        raise DatasetError(_nothing(root, subjects, sessions, images, queries))
    if participant_label:
        runs += _without_any(runs, subjects)
    return sorted(runs, key=lambda run: (natural(run.name), run.suffix))


def _by_subject(images: Iterable[BidsFile]) -> dict[str, list[BidsFile]]:
    found: dict[str, list[BidsFile]] = {}
    for file in images:
        found.setdefault(file.entities.get('sub', ''), []).append(file)
    return found


def _group(images: Sequence[BidsFile], queries: Mapping[str, Any]) -> tuple[list[Group], Group]:
    """Group images into runs, and find the structural T1w images among the rest."""
    groups: dict[tuple[Any, ...], Group] = {}
    for file in images:
        if file.suffix in {*GRE, 'T1w'} and matches(file, queries.get('megre', {})):
            groups.setdefault((file.suffix, *file.run_entities.items()), []).append(file)
    runs = [group for group in groups.values() if group[0].suffix in GRE or _has_phase(group)]
    # a T1w without part that lies beside its own part-mag is an image of its own
    taken = {
        file.path
        for group in runs
        for file in group
        if 'part' in file.entities or not any(f.entities.get('part') == 'mag' for f in group)
    }
    t1w = [
        file
        for file in images
        if file.suffix == 'T1w'
        and file.path not in taken
        and file.entities.get('part', 'mag') == 'mag'
        and matches(file, queries.get('t1w', {}))
    ]
    return runs, t1w


def _has_phase(group: Group) -> bool:
    return any(file.entities.get('part') in PHASE for file in group)


def _make(
    group: Group,
    sidecars: Sidecars,
    spin_echoes: Sequence[BidsFile],
    t1w: Sequence[BidsFile],
    derivatives: Mapping[str, Path],
    mask_pattern: str | None,
) -> GreRun | Skipped:
    try:
        run = with_t1w(build_run(group, sidecars), t1w)
        run = with_spin_echo(run, spin_echoes, sidecars)
        # a pattern is the more explicit wish: its mask stays
        if mask_pattern:
            run = with_mask_pattern(run, mask_pattern)
        return with_derivatives(run, derivatives)
    except DatasetError as error:
        reason = f'{error}'
    except Exception as error:  # whatever its files hold, the others go on
        LOGGER.debug('%s', group[0].path, exc_info=True)
        reason = f'{unreadable(group[0].path, error, "files of a gradient echo")}'
    return Skipped(group[0].run_entities, reason, group[0].suffix)


def _claim_names(runs: Sequence[GreRun | Skipped]) -> list[GreRun | Skipped]:
    """Skip a run whose derivatives would have the names of another's."""
    order = (*GRE, 'T1w')
    first: dict[str, str] = {}
    best_first = sorted(
        runs,
        key=lambda run: (
            isinstance(run, Skipped),
            not getattr(run, 'has_phase', False),
            order.index(run.suffix),
        ),
    )
    for run in best_first:
        first.setdefault(run.name, run.suffix)
    return [
        run
        if first[run.name] == run.suffix
        else Skipped(
            run.entities,
            f'{run.name}_{run.suffix} has the same entities as {run.name}_{first[run.name]}, '
            'expected output names of its own: choose one in a filter file, such as '
            f'{{"megre": {{"suffix": "{run.suffix}"}}}}, and another output folder',
            run.suffix,
        )
        for run in runs
    ]


def _without_any(runs: Sequence[GreRun | Skipped], subjects: Sequence[str]) -> list[Skipped]:
    """Answer for each asked participant that has nothing."""
    served = {run.entities.get('sub') for run in runs}
    return [
        Skipped(
            {'sub': subject},
            f'sub-{subject} has no MEGRE, T2starw or T1w with phase among the asked images, '
            'expected at least one: leave it out or add the images',
        )
        for subject in subjects
        if subject not in served
    ]


def _nothing(
    root: Path,
    subjects: Sequence[str],
    sessions: set[str],
    images: Sequence[BidsFile],
    queries: Mapping[str, Any],
) -> str:
    count = Counter(file.suffix for file in images)
    there = listed(f'{n} {suffix}' for suffix, n in sorted(count.items()))
    where = f'of {listed((f"sub-{s}" for s in subjects), 5)}'
    where += f', {listed((f"ses-{s}" for s in sorted(sessions)), 5)}' if sessions else ''
    filtered = f' that match {queries["megre"]}' if queries.get('megre') else ''
    return (
        f'{root} has no MEGRE, T2starw or T1w with phase{filtered} in the anat folders {where}; '
        f'images found there: {there}'
    )

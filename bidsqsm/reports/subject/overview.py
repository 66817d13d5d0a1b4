"""What the top of a page says of all runs: the worst that became of them, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bidsqsm.inputs.names import anchor
from bidsqsm.reports.subject.warnings import FAILURE, MAP, RunWarning

#: From the worst to the best.
_TONES = ('failed', 'skipped', 'warned', 'ok')
_WARNINGS_TOLD = 6

Section = Mapping[str, Any]


def worst(runs: Sequence[Section]) -> str:
    """The gravest tone of the runs."""
    return min((run['tone'] for run in runs), key=_TONES.index, default='skipped')


def first_warnings(runs: Sequence[Section]) -> dict[str, Any]:
    """A title, the gravest warnings of all runs, and how many there are besides.

    Shown are failures and doubts about a map as such, each with its run.
    """
    found = [(warning, run) for run in runs for warning in _of(run)]
    found.sort(key=lambda pair: pair[0].order)
    grave = [pair for pair in found if pair[0].weight <= MAP]
    rest = len(found) - len(grave[:_WARNINGS_TOLD])
    plural = '' if rest == 1 else 's'
    return {
        'title': _title(runs, bool(found), bool(grave)),
        'warnings': [
            {'run': run['short'], 'anchor': _anchor(run), 'about': one.about, 'text': one.text}
            for one, run in grave[:_WARNINGS_TOLD]
        ],
        'more': f'{rest} more warning{plural}: see the run{plural} below.' if rest else '',
    }


def by_session(runs: Sequence[Section]) -> list[dict[str, Any]]:
    """The runs that have a section of the page, under the sessions they belong to."""
    sessions: dict[str, list[Section]] = {}
    for run in runs:
        if run['status'] != 'skipped':
            sessions.setdefault(run['session'], []).append(run)
    return [
        {'name': name, 'anchor': f'session-{anchor(name)}', 'runs': own}
        for name, own in sessions.items()
    ]


def _of(run: Section) -> list[RunWarning]:
    about = {'failed': 'Failed', 'skipped': 'Skipped'}.get(run['status'])
    return [*([RunWarning(FAILURE, about, run['reason'])] if about else []), *run['warnings']]


def _anchor(run: Section) -> str:
    return '' if run['status'] == 'skipped' else str(run['anchor'])  # it has no section


def _title(runs: Sequence[Section], warned: bool, grave: bool) -> str:
    lost = sum(run['status'] != 'ok' for run in runs)
    if lost:
        return f'{lost} of {len(runs)} could not be made' if len(runs) > 1 else 'Not made'
    if grave:
        return 'Complete: look at these first'
    return 'Complete, with minor warnings' if warned else 'Complete, with nothing to warn of'

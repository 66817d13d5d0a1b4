"""The cohort as tables: runs, metrics, regions and reasons, each with a JSON that says what they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bidsqsm.cohort.columns import Column
from bidsqsm.cohort.flags import CohortFlags
from bidsqsm.cohort.gather import Cohort
from bidsqsm.cohort.run_files import REGION_COLUMNS, CohortRun
from bidsqsm.files.json_files import as_json
from bidsqsm.files.tsv_files import NOTHING, as_tsv
from bidsqsm.rois.region_columns import columns as region_columns

Described = Mapping[str, Mapping[str, Any]]

#: Columns of ``group_runs.tsv`` before those of the participants
RUNS: Described = {
    'run': {'Description': 'Name of the run, or of the session that left none.'},
    'participant_id': {'Description': 'Participant.'},
    'session_id': {'Description': 'Session.'},
    'status': {
        'Description': 'How the run ended.',
        'Levels': {
            'ok': 'maps were made',
            'failed': 'the program or the machine was at fault',
            'skipped': 'the data could not be processed',
            'missing': 'expected, but nothing was left',
            'unknown': 'files were left, but no status that can be read',
        },
    },
    'reason': {'Description': 'Why a run is not ok.'},
    'rating': {
        'Description': 'The worst that a rater gave.',
        'Levels': {'keep': 'use it', 'unsure': 'look again', 'exclude': 'do not use it'},
    },
    'raters': {'Description': 'Raters that disagree, and what each gave.'},
    'comments': {'Description': 'What the raters wrote.'},
    'flags': {'Description': 'Number of reasons to look at the run.', 'Format': 'integer'},
    'score': {
        'Description': 'The flags, each counted once to nine times, by the square of how far off it is.'
    },
    'first_reason': {'Description': 'The worst of the reasons; group_outliers.tsv has all.'},
    'warnings': {'Description': 'Number of warnings of the run itself.', 'Format': 'integer'},
    'protocol': {'Description': 'What runs share that are compared with each other.'},
    'version': {'Description': 'Of bidsqsm, that made the run.'},
    'link': {'Description': "Section of the run on its subject's page."},
}

#: Columns of ``group_outliers.tsv``
OUTLIERS: Described = {
    'run': {'Description': 'Name of the run.'},
    'measure': {
        'Description': 'Column of group_metrics.tsv, or region; n/a: about the whole run.'
    },
    'value': {'Description': 'Of the run, in the unit of the measure.'},
    'unit': {'Description': 'Unit of value and median (susceptibility of regions: ppb).'},
    'median': {'Description': 'Of the runs that it was compared with.'},
    'robust_z': {
        'Description': 'Distance from the median in robust standard deviations (on a logarithmic '
        'scale for what is above zero, on a logistic one for shares).'
    },
    'limit': {'Description': 'Size of robust_z beyond which the value is flagged.'},
    'compared_with': {'Description': 'Number of runs that it was compared with.'},
    'reason': {'Description': 'The same in words.'},
}

_REGION_ABOUT: Described = {
    'run': {'Description': 'Name of the run.'},
    'atlas': {'Description': 'Atlas or segmentation of the label.'},
    'refined': {
        'Description': 'Whether the borders of the labels were settled by the maps.',
        'Levels': {'yes': 'yes', 'no': 'no'},
    },
}


def runs_table(cohort: Cohort, judged: CohortFlags) -> tuple[str, str]:
    """Table of every run, and what its columns are."""
    people = [f'{name}_of_participant' if name in RUNS else name for name in cohort.people.columns]
    rows = [_run_row(cohort, judged, place, run) for place, run in enumerate(cohort.runs)]
    about: dict[str, Any] = {
        name: {'Description': 'As participants.tsv or sessions.tsv has it.'} for name in people
    }
    return _tsv([*RUNS, *people], rows), as_json({**RUNS, **about})


def _run_row(cohort: Cohort, judged: CohortFlags, place: int, run: CohortRun) -> list[Any]:
    flags, rated = judged.flags[place], cohort.ratings.get(run.name)
    person = cohort.people.of(run.subject, run.session)
    return [
        run.name,
        f'sub-{run.subject}',
        f'ses-{run.session}' if run.session else '',
        run.status,
        run.reason,
        rated.rating if rated else '',
        rated.disagreement if rated else '',
        '; '.join(rated.comments) if rated else '',
        len(flags),
        round(judged.score(place), 2),
        flags[0].text if flags else '',
        len(run.warnings),
        str(judged.protocols[place]) if run.acquisition else '',
        run.version,
        run.page,
        *person.values(),
    ]


def metrics_table(runs: Sequence[CohortRun], columns: Sequence[Column]) -> tuple[str, str]:
    """Table of every metric of every run, and what its columns are."""
    shown = [column for column in columns if column.metric is not None]
    rows = [
        [run.name, *(run.metrics.get(column.key, math.nan) for column in shown)] for run in runs
    ]
    about: dict[str, Any] = {'run': {'Description': 'Name of the run.'}}
    for column in shown:
        about[column.key] = {
            'LongName': column.title,
            'Description': column.about or 'Not known to this version.',
            **({'Units': column.unit} if column.unit else {}),
            **({'Better': column.measure.better} if column.measure.better else {}),
        }
    return _tsv([*about], rows), as_json(about)


def regions_table(runs: Sequence[CohortRun]) -> tuple[str, str]:
    """Table of every region of every run, one below the other, and what its columns are."""
    names = [
        name for name in REGION_COLUMNS.values() if any(name in r for x in runs for r in x.regions)
    ]
    columns = ['run', 'atlas', 'refined', *names]
    rows = (
        [run.name, *(row.get(name, NOTHING) for name in columns[1:])]
        for run in runs
        for row in run.regions
    )
    known = region_columns()
    old = {new: old for old, new in REGION_COLUMNS.items()}
    about = {name: known[old[name]] for name in names}
    return _tsv(columns, rows), as_json({**_REGION_ABOUT, **about})


def outliers_table(runs: Sequence[CohortRun], judged: CohortFlags) -> tuple[str, str]:
    """Table of every reason to look at a run, the worst run first, and what its columns are."""
    rows = [
        _outlier_row(runs, judged, run, flag)
        for run in judged.order()
        for flag in judged.flags[run]
    ]
    return _tsv([*OUTLIERS], rows), as_json(OUTLIERS)


def _outlier_row(runs: Sequence[CohortRun], judged: CohortFlags, run: int, flag: Any) -> list[Any]:
    if flag.column is None:
        return [runs[run].name, *[''] * (len(OUTLIERS) - 2), flag.text]
    column, compared = judged.columns[flag.column], judged.compared[flag.column]
    return [
        runs[run].name,
        column.key,
        float(column.values[run]),
        column.unit,
        float(compared.centre[run]),
        round(flag.z, 2),
        round(flag.limit, 2),
        int(compared.n[run]),
        flag.text,
    ]


def _tsv(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    return as_tsv(columns, (map(_one_line, row) for row in rows))


def _one_line(value: Any) -> Any:
    return value if isinstance(value, float) else ' '.join(f'{value}'.split())

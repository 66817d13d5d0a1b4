"""The page of a cohort: one file that needs no other and no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bidsqsm import __version__
from bidsqsm.cohort.flags import CohortFlags
from bidsqsm.cohort.gather import Cohort
from bidsqsm.cohort.run_files import FAILED, MISSING, OK, SKIPPED, UNKNOWN, CohortRun
from bidsqsm.inputs.names import anchor
from bidsqsm.reports.cohort.payload import as_script, page_data, pictures
from bidsqsm.reports.html import digest, environment, packaged, safe

_RUNS_TOLD = 60  # runs to look at that are told one by one
#: In the order in which one needs the other
_SCRIPTS = ('core', 'filters', 'table', 'drawing', 'strips', 'montage', 'main')


def render(cohort: Cohort, judged: CohortFlags, title: str) -> str:
    """Fill the page."""
    script = _script()
    look = judged.order()
    return (
        environment()
        .get_template('group.html')
        .render(
            version=__version__,
            title=title,
            lead=_lead(cohort),
            css=safe(
                packaged('reports/templates/report.css')
                + '\n'
                + packaged('reports/cohort/group.css')
            ),
            counts=_counts(cohort, judged),
            notes=[*judged.notes, *_notes(cohort.runs)],
            look=[_row(cohort, judged, place) for place in look[:_RUNS_TOLD]],
            more_to_look=max(0, len(look) - _RUNS_TOLD),
            nothing_to_look=_nothing(cohort, judged),
            absent=_absent(cohort.runs),
            troubles=cohort.troubles,
            rows=[_row(cohort, judged, place) for place in _all_rows(cohort, look)],
            protocols=_protocols(cohort, judged),
            data=safe(as_script(page_data(cohort, judged))),
            pictures=safe(as_script(pictures(cohort.runs))),
            script=safe(script),
            script_hash=digest(script),
        )
    )


def _lead(cohort: Cohort) -> str:
    subjects = len({run.subject for run in cohort.runs})
    sessions = len({(run.subject, run.session) for run in cohort.runs if run.session})
    parts = [
        _counted(len(cohort.runs), 'run'),
        _counted(subjects, 'participant'),
        _counted(sessions, 'session') if sessions else '',
    ]
    return ', '.join(filter(None, parts)) + '.'


def _counted(number: int, what: str) -> str:
    return f'{number} {what}{"" if number == 1 else "s"}'


def _counts(cohort: Cohort, judged: CohortFlags) -> list[dict[str, Any]]:
    states = Counter(run.status for run in cohort.runs)
    rated = Counter(
        cohort.ratings[run.name].rating for run in cohort.runs if run.name in cohort.ratings
    )
    found = [
        _count('Ok', states[OK], 'good', 'status', OK),
        _count('Failed', states[FAILED], 'bad', 'status', FAILED),
        _count('Skipped', states[SKIPPED], 'bad', 'status', SKIPPED),
        _count('Missing', states[MISSING], 'bad', 'status', MISSING),
        _count('Flagged', len(judged.order()), 'warn', 'flagged', 'flagged'),
        _count('Rated', sum(rated.values()), '', '', ''),
    ]
    if states[UNKNOWN]:
        found.insert(4, _count('Unknown', states[UNKNOWN], 'warn', 'status', UNKNOWN))
    found[-1]['note'] = ', '.join(
        f'{rated[name]} {name}' for name in ('keep', 'unsure', 'exclude') if rated[name]
    )
    return found


def _count(title: str, number: int, tone: str, name: str, level: str) -> dict[str, Any]:
    return {
        'title': title,
        'number': number,
        'tone': tone if number else '',
        'filter': name if number else '',
        'level': level,
        'note': '',
    }


def _notes(runs: Sequence[CohortRun]) -> list[str]:
    versions = Counter(run.version for run in runs if run.version)
    if len(versions) < 2:
        return []
    told = ', '.join(f'{name} ({_counted(n, "run")})' for name, n in versions.most_common())
    return [f'The runs were made by different versions of bidsqsm: {told}.']


def _nothing(cohort: Cohort, judged: CohortFlags) -> str:
    judgeable = sum(run.status in (OK, UNKNOWN) for run in cohort.runs)
    if not judged.columns:
        return 'No run has quality metrics or regions yet: run the level participant again.'
    if judgeable < 8:
        return (
            f'None stands out, but {_counted(judgeable, "run")} to compare: too few to tell much.'
        )
    return 'None stands out.'


def _row(cohort: Cohort, judged: CohortFlags, place: int) -> dict[str, Any]:
    run, flags = cohort.runs[place], judged.flags[place]
    rated = cohort.ratings.get(run.name)
    return {
        'place': place,
        'name': run.name,
        'anchor': anchor(run.name),
        'page': run.page,
        'status': run.status,
        'flags': len(flags),
        'reasons': [flag.text for flag in flags],
        'why': flags[0].text if flags else run.reason,
        'rating': rated.rating if rated else '',
        'comments': '; '.join(rated.comments) if rated else '',
        'protocol': str(judged.protocols[place]) if run.acquisition else '',
    }


def _all_rows(cohort: Cohort, look: Sequence[int]) -> list[int]:
    """Flagged runs, the worst first, then those without maps, then the others."""
    rest = [place for place in range(len(cohort.runs)) if place not in set(look)]
    return [*look, *sorted(rest, key=lambda place: cohort.runs[place].status == OK)]


def _absent(runs: Sequence[CohortRun]) -> list[dict[str, Any]]:
    """Runs that have no maps, those of one reason together, by how bad it is."""
    groups: dict[tuple[str, str], list[CohortRun]] = {}
    for status in (FAILED, SKIPPED, MISSING, UNKNOWN):
        for run in runs:
            if run.status == status:
                groups.setdefault((status, run.reason), []).append(run)
    tones = {MISSING: 'missing-run'}
    return [
        {'status': status, 'tone': tones.get(status, status), 'reason': reason, 'runs': own}
        for (status, reason), own in groups.items()
    ]


def _protocols(cohort: Cohort, judged: CohortFlags) -> list[tuple[str, int]]:
    known = zip(judged.protocols, cohort.runs, strict=True)
    return Counter(str(one) for one, run in known if run.acquisition).most_common()


def _script() -> str:
    parts = [packaged(f'reports/cohort/{name}.js') for name in _SCRIPTS]
    return "(() => {\n'use strict';\n" + '\n'.join(parts) + '\n})();\n'

"""What the page says of one run, ready for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bidsqsm.derivatives.acquisition_text import echo_times, missing_items, rows
from bidsqsm.derivatives.metrics_files import read_metrics
from bidsqsm.derivatives.sidecars import acquisition
from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import anchor, viewer_name
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.panels.spec import Panel
from bidsqsm.reports.subject.key_numbers import key_numbers
from bidsqsm.reports.subject.picture_files import panel_content
from bidsqsm.reports.subject.quality import metric_groups
from bidsqsm.reports.subject.ratings_form import EarlierRatings
from bidsqsm.reports.subject.recommendation import MET, MISSED, PARTLY, UNKNOWN, Advice
from bidsqsm.reports.subject.recommendations import advise, count
from bidsqsm.reports.subject.region_rows import summary_rows
from bidsqsm.reports.subject.resource_use import resource_table
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.warnings import run_warnings
from bidsqsm.steps import Heading

_CRASH_LIMIT = 20_000

#: Sign of every tone, for those who do not see its colour.
SIGNS = {'ok': '\u2713', 'warned': '!', 'failed': '\u2715', 'skipped': '\u2013'}

#: Tone and words of every verdict on the acquisition.
_VERDICTS: Mapping[str, tuple[str, str]] = {
    MET: ('ok', 'as recommended'),
    PARTLY: ('warned', 'close'),
    MISSED: ('failed', 'departs'),
    UNKNOWN: ('skipped', 'unknown'),
}


def run_section(
    record: RunRecord,
    panels: Sequence[Panel],
    subject: str,
    earlier: EarlierRatings,
    output_dir: Path | None,
) -> dict[str, Any]:
    """Everything the templates need of a run; ``subject`` with ``sub-``."""
    run, status = record.run, record.status
    metrics, trouble = _metrics(record.products)
    warnings = run_warnings(status, getattr(run, 'warnings', ()))
    state = str(status.get('status', 'failed' if isinstance(run, GreRun) else 'skipped'))
    tone = 'warned' if state == 'ok' and warnings else state
    short = run.name.removeprefix(f'{subject}_') or subject
    session = run.entities.get('ses', '')
    section: dict[str, Any] = {
        'name': run.name,
        'anchor': anchor(run.name),
        'short': short,
        'session': session,
        'label': short.removeprefix(f'ses-{session}_') if session else short,
        'status': state,
        'tone': tone,
        'sign': SIGNS.get(tone, ''),
        'verdict': _verdict(state, len(warnings)),
        'reason': status.get('reason') or getattr(run, 'reason', '') or '',
        'warnings': warnings,
        'crash': _crash(status.get('crash')),
        'regions': _regions(record.products),
        'table_after': 'values' if any(panel.key == 'values' for panel in panels) else 'regions',
        'metrics': metric_groups(metrics),
        'unmeasured': trouble,
        'resources': resource_table(record.used),
        'settled': earlier.settled.get(run.name),
        'viewer': _viewer(output_dir, subject, run.name),
        'advice': {},
    }
    if isinstance(run, GreRun):
        section |= _measured(run, record)
    return {**section, 'stages': _stages(section, panels)}


def _measured(run: GreRun, record: RunRecord) -> dict[str, Any]:
    found = acquisition(run)
    return {
        'facts': rows(found),
        'unrecorded': ', '.join(missing_items(found)),
        'outline': _outline(found),
        'numbers': key_numbers(run, record.products, record.decisions),
        'advice': advice_table(advise(found, record.decisions, run.metadata)),
    }


def advice_table(advice: Sequence[Advice]) -> dict[str, Any]:
    """Rows with tone, sign and word of their verdict, and a sentence that counts them."""
    numbers = count(advice)
    parts = [f'{number} {_VERDICTS[verdict][1]}' for verdict, number in numbers.items() if number]
    known = len(advice) - numbers[UNKNOWN]
    return {
        'rows': [
            {
                **vars(row),
                'tone': _VERDICTS[row.verdict][0],
                'sign': SIGNS[_VERDICTS[row.verdict][0]],
                'word': _VERDICTS[row.verdict][1],
            }
            for row in advice
        ],
        'summary': f'Of {len(advice)} items: {", ".join(parts)}.' if parts else '',
        'brief': f'{numbers[MET]} of {known} met' if known else '',
    }


def _stages(section: Mapping[str, Any], panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The headings of a run that have something below them."""
    more = {
        Heading.ACQUISITION: bool(section['advice']),
        Heading.QUALITY: bool(section['metrics'] or section['resources'] or section['unmeasured']),
    }
    drawn = {one: [panel for panel in panels if panel.heading is one] for one in Heading}
    return [
        {
            'key': heading.name.lower(),
            'title': heading.value,
            'panels': [panel_content(panel) for panel in drawn[heading]],
        }
        for heading in Heading
        if drawn[heading] or more.get(heading)
    ]


def _metrics(products: Mapping[str, Path]) -> tuple[dict[str, float | None], str]:
    if 'metrics' not in products:
        return {}, ''
    try:
        return read_metrics(products['metrics'])['Metrics'], ''
    except DatasetError as error:
        return {}, str(error)


def _regions(products: Mapping[str, Path]) -> list[dict[str, str]]:
    try:
        return summary_rows(products['roi_table']) if 'roi_table' in products else []
    except (OSError, ValueError, KeyError):
        # a table that cannot be read is told by its own panel
        return []


def _viewer(output_dir: Path | None, subject: str, run: str) -> str:
    """Address of the viewer of a run, relative to the page, if there is one."""
    place = f'{subject}/figures/{viewer_name(run)}'
    return quote(place) if output_dir and (output_dir / place).is_file() else ''


def _verdict(state: str, warnings: int) -> str:
    if state == 'ok' and warnings:
        return f'Complete, with {warnings} warning{"s" if warnings > 1 else ""}'
    return {'ok': 'Complete', 'failed': 'Failed', 'skipped': 'Skipped'}.get(state, state)


def _outline(found: Mapping[str, Any]) -> str:
    size = ' \u00d7 '.join(f'{length:.3g}' for length in found['VoxelSize'])
    times = echo_times(found['EchoTime']).replace('TE1:ΔTE:TEmax ', '')
    return f'{found["MagneticFieldStrength"]:.3g} T, {size} mm, {times}'


def _crash(crash: Any) -> str:
    # either the text itself or the path of a file that holds it
    if not crash:
        return ''
    text = str(crash)
    if '\n' not in text and len(text) < 1000 and Path(text).is_file():
        text = Path(text).read_text(encoding='utf-8', errors='replace')
    return text[-_CRASH_LIMIT:]

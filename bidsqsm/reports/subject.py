"""The report of a subject: one page that needs no other file and no network."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from nibabel.filebasedimages import ImageFileError

from bidsqsm import __version__
from bidsqsm.io.acquisition import echo_times, missing_items, rows
from bidsqsm.io.atomic import write_bytes, write_text
from bidsqsm.io.bibliography import cited, works
from bidsqsm.io.boilerplate import methods_text
from bidsqsm.io.outputs import reference_statistics
from bidsqsm.io.run import GreRun, Skipped
from bidsqsm.io.sidecars import acquisition
from bidsqsm.reports.numbers import key_numbers
from bidsqsm.reports.panels import Panel, make_panels
from bidsqsm.reports.values import summary_rows

_CRASH_LIMIT = 20_000


@dataclass(frozen=True)
class RunRecord:
    """What became of one run.

    Parameters
    ----------
    run
        The run, or what was skipped and why.
    status
        Content of its status file: status, reason, warnings, versions, crash, command.
    products
        NIfTI files by their key in :data:`bidsqsm.io.products.PRODUCTS` (and ``phase``, the
        prepared phase), in the work folder or among the derivatives.
    provenance
        See :func:`bidsqsm.io.sidecars.provenance`; empty for a run that was skipped.

    """

    run: GreRun | Skipped
    status: Mapping[str, Any]
    products: Mapping[str, Path] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_subject_report(output_dir: Path, subject: str, records: Sequence[RunRecord]) -> Path:
    """Draw the figures of a subject's runs and write its page.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset.
    subject
        Label of the subject, with or without ``sub-``.
    records
        Every run that was found, skipped ones too.

    Returns
    -------
    path
        ``sub-<label>.html``. The figures lie in ``sub-<label>/figures`` as well.

    """
    name = f'sub-{subject.removeprefix("sub-")}'
    drawn = []
    for record in records:
        run = record.run
        panels = make_panels(run, record.products) if isinstance(run, GreRun) else []
        save_panels(panels, run.name, Path(output_dir) / name / 'figures')
        drawn.append((record, panels))
    return write_text(Path(output_dir) / f'{name}.html', render(name, drawn))


def save_panels(panels: Sequence[Panel], run: str, folder: Path) -> list[Path]:
    """Write the pictures under ``<run>_desc-<what>_<suffix>.png``, where a run may have a desc."""
    start = run if '_desc-' in run else f'{run}_desc-'
    return [
        write_bytes(folder / f'{start}{panel.key}_{panel.suffix}.png', panel.image)
        for panel in panels
        if panel.image
    ]


def render(subject: str, drawn: Sequence[tuple[RunRecord, Sequence[Panel]]]) -> str:
    """Fill the page."""
    provenances = [
        {**record.provenance, **_statistics(record.products)}
        for record, _ in drawn
        if record.provenance
    ]
    text = methods_text(provenances) if provenances else ''
    known = works()
    numbers = {key: n for n, key in enumerate((k for k in cited(text) if k in known), 1)}
    runs = [_run_section(record, panels, subject) for record, panels in drawn]
    return (
        _environment()
        .get_template('subject.html')
        .render(
            subject=subject,
            version=__version__,
            summary=_summary(runs),
            css=Markup(_css()),  # noqa: S704, the style sheet is a file of the package
            runs=runs,
            paragraphs=[_with_links(part, numbers) for part in text.split('\n\n') if part],
            references=[known[key] for key in numbers],
            versions=_versions(drawn),
            commands=_different(record.status.get('command') for record, _ in drawn),
        )
    )


def _statistics(products: Mapping[str, Path]) -> dict[str, float]:
    try:
        return reference_statistics(products)
    except (OSError, ValueError, ImageFileError):
        # a map that cannot be read is told by its own panel
        return {}


def _run_section(record: RunRecord, panels: Sequence[Panel], subject: str) -> dict[str, Any]:
    run, status = record.run, record.status
    warnings = _different([*getattr(run, 'warnings', ()), *status.get('warnings', ())])
    state = str(status.get('status', 'failed' if isinstance(run, GreRun) else 'skipped'))
    section: dict[str, Any] = {
        'anchor': re.sub(r'[^\w-]', '-', run.name),
        'short': run.name.removeprefix(f'{subject}_') or subject,
        'status': state,
        'tone': 'warned' if state == 'ok' and warnings else state,
        'verdict': _verdict(state, len(warnings)),
        'reason': status.get('reason') or getattr(run, 'reason', '') or '',
        'warnings': warnings,
        'crash': _crash(status.get('crash')),
        'panels': [_panel(panel) for panel in panels],
        'acquisition': [],
        'numbers': [],
        'regions': _regions(record.products),
        'table_after': 'values' if any(panel.key == 'values' for panel in panels) else 'regions',
    }
    if isinstance(run, GreRun):
        found = acquisition(run)
        decisions = record.provenance.get('Decisions', {})
        section['acquisition'] = rows(found)
        section['unrecorded'] = ', '.join(missing_items(found))
        section['outline'] = _outline(found)
        section['numbers'] = key_numbers(run, record.products, decisions)
    return section


def _regions(products: Mapping[str, Path]) -> list[dict[str, str]]:
    try:
        return summary_rows(products['roi_table']) if 'roi_table' in products else []
    except (OSError, ValueError, KeyError):
        # a table that cannot be read is told by its own panel
        return []


def _verdict(state: str, warnings: int) -> str:
    if state == 'ok' and warnings:
        return f'Complete, with {warnings} warning{"s" if warnings > 1 else ""}'
    return {'ok': 'Complete', 'failed': 'Failed', 'skipped': 'Skipped'}.get(state, state)


def _summary(runs: Sequence[Mapping[str, Any]]) -> str:
    counts = {state: sum(run['status'] == state for run in runs) for state in _STATES}
    parts = [f'{count} {_STATES[state]}' for state, count in counts.items() if count]
    plural = '' if len(runs) == 1 else 's'
    return f'{len(runs)} gradient-echo run{plural}: {", ".join(parts)}.' if parts else ''


_STATES = {'ok': 'complete', 'failed': 'failed', 'skipped': 'skipped'}


def _outline(found: Mapping[str, Any]) -> str:
    size = ' \u00d7 '.join(f'{length:.3g}' for length in found['VoxelSize'])
    times = echo_times(found['EchoTime']).replace('TE1:ΔTE:TEmax ', '')
    return f'{found["MagneticFieldStrength"]:.3g} T, {size} mm, {times}'


def _panel(panel: Panel) -> dict[str, Any]:
    content = {'key': panel.key, 'title': panel.title, 'caption': panel.caption}
    if not panel.image:
        return {**content, 'error': panel.error or 'it is empty'}
    # width and height stand at a fixed place of every PNG; with them the page does not jump
    width, height = struct.unpack('>II', panel.image[16:24])
    uri = f'data:image/png;base64,{base64.b64encode(panel.image).decode()}'
    return {**content, 'uri': uri, 'alt': panel.alt, 'width': width, 'height': height}


def _crash(crash: Any) -> str:
    # either the text itself or the path of a file that holds it
    if not crash:
        return ''
    text = str(crash)
    if '\n' not in text and len(text) < 1000 and Path(text).is_file():
        text = Path(text).read_text(encoding='utf-8', errors='replace')
    return text[-_CRASH_LIMIT:]


def _with_links(paragraph: str, numbers: Mapping[str, int]) -> Markup:
    """Turn ``[@key]`` into links to the list of references and backticks into code."""

    def links(found: re.Match[str]) -> str:
        keys = [key for key in re.findall(r'@([\w-]+)', found[1]) if key in numbers]
        shown = [f'<a href="#ref-{key}">{escape(works()[key].short)}</a>' for key in keys]
        return f'({"; ".join(shown)})'

    # whatever came from metadata is made harmless first; what follows adds our own marks only
    safe = str(escape(paragraph))
    safe = re.sub(r'\[(@[^\]]+)\]', links, safe)
    return Markup(re.sub(r'`([^`]+)`', r'<code>\1</code>', safe))  # noqa: S704


def _versions(drawn: Sequence[tuple[RunRecord, Sequence[Panel]]]) -> list[tuple[str, str]]:
    found: dict[str, str] = {'bidsqsm': __version__}
    for record, _ in drawn:
        found.update({key: str(value) for key, value in record.status.get('versions', {}).items()})
    return list(found.items())


def _different(values: Any) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value))


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader('bidsqsm.reports', 'templates'),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _css() -> str:
    return (files('bidsqsm') / 'data' / 'report.css').read_text(encoding='utf-8').strip()

"""The report of a subject: one page that needs no other file and no network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from nibabel.filebasedimages import ImageFileError

from bidsqsm import __version__
from bidsqsm.derivatives.bibliography import cited, works
from bidsqsm.derivatives.methods_text import methods_text
from bidsqsm.derivatives.writer import reference_statistics
from bidsqsm.files.atomic import write_text
from bidsqsm.files.plain_text import escaped_lines
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.drawing.thumbnail import save_thumbnail
from bidsqsm.reports.html import digest, environment, packaged, safe
from bidsqsm.reports.panels import make_panels
from bidsqsm.reports.panels.spec import Panel
from bidsqsm.reports.subject.overview import by_session, first_warnings, worst
from bidsqsm.reports.subject.picture_files import save_panels
from bidsqsm.reports.subject.ratings_form import CHOICES, EarlierRatings, earlier_ratings
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.run_section import run_section
from bidsqsm.reports.viewer.viewer_page import write_viewer


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
        ``sub-<label>.html``. The figures lie in ``sub-<label>/figures`` as well, beside the viewer
        of each run.

    """
    name = f'sub-{subject.removeprefix("sub-")}'
    drawn = []
    for record in records:
        run = record.run
        folder = Path(output_dir) / name / 'figures'
        panels: list[Panel] = []
        if isinstance(run, GreRun):
            panels = make_panels(run, record.products, record.decisions)
            save_panels(panels, run.name, folder)
            save_thumbnail(run, record.products, folder)
        # a run without products may have those of an earlier call, and their viewer
        if record.products:
            write_viewer(run, record.products, folder)
        drawn.append((record, panels))
    return write_text(Path(output_dir) / f'{name}.html', render(name, drawn, Path(output_dir)))


def render(
    subject: str,
    drawn: Sequence[tuple[RunRecord, Sequence[Panel]]],
    output_dir: Path | None = None,
) -> str:
    """Fill the page; ratings and viewers are looked for in ``output_dir``."""
    provenances = [
        {**record.provenance, **_statistics(record.products)}
        for record, _ in drawn
        if record.provenance
    ]
    text = methods_text(provenances) if provenances else ''
    known = works()
    numbers = {key: n for n, key in enumerate((k for k in cited(text) if k in known), 1)}
    earlier = earlier_ratings(output_dir) if output_dir else EarlierRatings()
    runs = [run_section(record, panels, subject, earlier, output_dir) for record, panels in drawn]
    return (
        environment()
        .get_template('subject.html')
        .render(
            title=subject,
            subject=subject,
            version=__version__,
            summary=_summary(runs),
            css=safe(packaged('reports/templates/report.css')),
            script=safe(packaged('reports/subject/report.js')),
            script_hash=digest(packaged('reports/subject/report.js')),
            runs=runs,
            sessions=by_session(runs),
            first=first_warnings(runs),
            tone=worst(runs),
            choices=CHOICES,
            troubles=earlier.troubles,
            consensus=known['bilgic2024'],
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


def _summary(runs: Sequence[Mapping[str, Any]]) -> str:
    counts = {state: sum(run['status'] == state for run in runs) for state in _STATES}
    parts = [f'{count} {_STATES[state]}' for state, count in counts.items() if count]
    plural = '' if len(runs) == 1 else 's'
    return f'{len(runs)} gradient-echo run{plural}: {", ".join(parts)}.' if parts else ''


_STATES = {'ok': 'complete', 'failed': 'failed', 'skipped': 'skipped'}


def _with_links(paragraph: str, numbers: Mapping[str, int]) -> Markup:
    """Turn ``[@key]`` into links to the list of references and backticks into code."""

    def links(found: re.Match[str]) -> str:
        keys = [key for key in re.findall(r'@([\w-]+)', found[1]) if key in numbers]
        shown = [f'<a href="#ref-{key}">{escape(works()[key].short)}</a>' for key in keys]
        return f'({"; ".join(shown)})'

    # whatever came from metadata is made harmless first; what follows adds our own marks only
    safe = str(escape(escaped_lines(paragraph)))
    safe = re.sub(r'\[(@[^\]]+)\]', links, safe)
    return Markup(re.sub(r'`([^`]+)`', r'<code>\1</code>', safe))  # noqa: S704


def _versions(drawn: Sequence[tuple[RunRecord, Sequence[Panel]]]) -> list[tuple[str, str]]:
    found: dict[str, str] = {'bidsqsm': __version__}
    for record, _ in drawn:
        found.update({key: str(value) for key, value in record.status.get('versions', {}).items()})
    return list(found.items())


def _different(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value))

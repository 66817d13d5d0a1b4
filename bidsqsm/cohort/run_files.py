"""What a run left in the output folder, read back: status, metrics, regions, pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsqsm.derivatives.metrics_files import read_metrics
from bidsqsm.files.json_files import load_json
from bidsqsm.files.tsv_files import read_cells
from bidsqsm.inputs.names import parse

#: How a run may have ended; ``missing``: it left nothing; ``unknown``: no status that can be read.
OK, FAILED, SKIPPED, MISSING, UNKNOWN = 'ok', 'failed', 'skipped', 'missing', 'unknown'
#: How the name of a status file ends.
STATUS = '_status.json'

#: Columns of a table of regions that the cohort's table repeats, and what they are called there.
REGION_COLUMNS: Mapping[str, str] = {
    **{name: name for name in ('index', 'name', 'hemisphere', 'structure', 'n_voxels')},
    'coverage': 'coverage',
    'mean_wholebrain': 'chi',
    'sd': 'chi_sd',
    'se': 'chi_se',
    'chi_range_low': 'chi_range_low',
    'chi_range_high': 'chi_range_high',
    'chi_in_range': 'chi_in_range',
    'r2star_mean': 'r2star',
}
_REQUIRED_COLUMNS = ('name', 'hemisphere', 'mean_wholebrain')
_TABLE = re.compile(r'_atlas-(?P<atlas>[^_]+)(?P<refined>_desc-refined)?_dseg\.tsv$')


@dataclass
class CohortRun:
    """One run of the cohort.

    Attributes
    ----------
    name, entities
        Such as ``sub-01_run-1``.
    status, reason
        ``ok``, ``failed``, ``skipped``, ``missing`` or ``unknown``, and why where it is not ``ok``.
    warnings
        Of the run itself.
    version
        Of bidsqsm, that measured it.
    acquisition
        As its metrics file tells it.
    metrics
        By their keys; those that were not measured are left out.
    regions
        Rows of the tables of regions, texts by the columns of :data:`REGION_COLUMNS` and ``atlas``
        and ``refined``.
    thumbnail
        Picture of one slice, if there is one.
    page, viewer
        Addresses of the run's section on its subject's page and of its viewer, relative to the
        root of the output; empty where there is no such page.

    """

    name: str
    entities: Mapping[str, str]
    status: str = OK
    reason: str = ''
    warnings: tuple[str, ...] = ()
    version: str = ''
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[Mapping[str, str], ...] = ()
    thumbnail: Path | None = None
    page: str = ''
    viewer: str = ''

    @property
    def subject(self) -> str:
        return self.entities.get('sub', '')

    @property
    def session(self) -> str:
        return self.entities.get('ses', '')


def entities_of(name: str) -> Mapping[str, str]:
    """Take the name of a run apart; empty where it is none."""
    file = parse(Path(f'{name}_x.json'))
    return file.entities if file else {}


def fill_status(path: Path, run: CohortRun) -> None:
    """Fill in how a run ended; ValueError or OSError where the file does not tell."""
    content = _object(path)
    status = content.get('status')
    if status not in (OK, FAILED, SKIPPED):
        raise ValueError(f'has the status {status!r}, expected ok, failed or skipped')
    warnings = content.get('warnings')
    run.status, run.reason = status, f'{content.get("reason") or ""}'
    run.warnings = tuple(map(str, warnings)) if isinstance(warnings, list) else ()


def fill_metrics(path: Path, run: CohortRun) -> None:
    """Fill in acquisition and metrics; DatasetError where the file has none."""
    content = read_metrics(path)
    run.acquisition, run.version = (
        content['Acquisition'],
        f'{content.get("SoftwareVersion") or ""}',
    )
    run.metrics = {
        key: float(value)
        for key, value in content['Metrics'].items()
        if value is not None and math.isfinite(value)
    }


def fill_regions(path: Path, run: CohortRun) -> None:
    """Add the rows of a table of regions; ValueError or OSError where it is none."""
    found = _TABLE.search(path.name)
    about = {
        'atlas': found['atlas'] if found else '',
        'refined': 'yes' if found and found['refined'] else 'no',
    }
    head, *rows = read_cells(path) or [[]]
    if lacking := [name for name in _REQUIRED_COLUMNS if name not in head]:
        raise ValueError(f'lacks the column {lacking[0]!r}, expected a table of regions')
    place = {new: head.index(old) for old, new in REGION_COLUMNS.items() if old in head}
    read = [row for row in rows if row]
    if any(len(row) != len(head) for row in read):
        raise ValueError(f'has rows that are not of {len(head)} cells: it is cut or damaged')
    run.regions += tuple(
        {**about, **{name: row[column] for name, column in place.items()}} for row in read
    )


def tables_of(files: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """Pick the tables of regions among files, of each run and atlas one, refined where it is there.

    Returns
    -------
    Name of the run and path of each.

    """
    picked: dict[tuple[str, str], Path] = {}
    for name in sorted(files):
        found = _TABLE.search(name)
        if found is None:
            continue
        key = (name[: found.start()], found['atlas'])
        if found['refined'] or key not in picked:
            picked[key] = files[name]
    return [(run, path) for (run, _), path in picked.items()]


def number(text: str | None) -> float:
    """Read a number of a table; NaN for ``n/a`` and all that is none."""
    try:
        return float(text or '')
    except ValueError:
        return math.nan


def _object(path: Path) -> dict[str, Any]:
    try:
        content = load_json(path)
    except ValueError as error:
        raise ValueError(f'is not valid JSON ({error})') from error
    if not isinstance(content, dict):
        raise ValueError(f'holds a {type(content).__name__}, expected an object')  # noqa: TRY004
    return content

"""Quality metrics of a run as files: JSON with what they belong to, and a table to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import load_json
from bidsqsm.files.tsv_files import as_tsv as table_text
from bidsqsm.inputs.run import GreRun
from bidsqsm.qsm.quality.metric_table import echo_of, is_metric, metric_of

SUFFIX = 'metrics'
_COLUMNS = {
    'metric': 'Key of the metric, with the number of the echo where there is one for each.',
    'value': 'Its value; n/a where the images do not tell it.',
    'unit': 'Of the value; n/a for a ratio.',
    'better': 'Whether higher or lower values are better; n/a where the value should be like that of '
    'other runs.',
    'title': 'What it is called on pages.',
}


def about_run(run: GreRun) -> dict[str, Any]:
    """What a run's metrics belong to: its name, and what makes acquisitions comparable."""
    acquisition = {
        'Suffix': run.suffix,
        'MagneticFieldStrength': round(float(run.field_strength), 4),
        'VoxelSize': [round(float(d), 4) for d in run.grid.voxel_size],
        'EchoTime': [round(float(t), 6) for t in run.echo_times],
        'TiltAngle': round(run.grid.tilt, 2),
    }
    for key in ('Manufacturer', 'ManufacturersModelName'):
        if isinstance(run.metadata.get(key), str):
            acquisition[key] = run.metadata[key]
    return {'Run': run.name, 'SoftwareVersion': __version__, 'Acquisition': acquisition}


def content(about: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, Any]:
    """What the JSON holds: values of six digits, null where one is not known."""
    return {**about, 'Metrics': {key: _rounded(value) for key, value in values.items()}}


def columns() -> dict[str, Any]:
    """What the JSON says of the columns of the table."""
    return {name: {'Description': text} for name, text in _COLUMNS.items()}


def as_tsv(values: Mapping[str, float]) -> str:
    """A row for each metric."""
    rows = []
    for key, value in values.items():
        metric, echo = metric_of(key), echo_of(key)
        title = metric.title + (f', echo {echo}' if echo else '')
        known = _rounded(value)
        told = '' if known is None else f'{known}'
        rows.append((key, told, metric.unit, metric.better, title))
    return table_text(_COLUMNS, rows)


def read_metrics(path: Path) -> dict[str, Any]:
    """Read what :func:`content` gave; metrics that this version does not have are left out.

    Raises
    ------
    DatasetError
        Where the file cannot be read or holds something else.

    """
    try:
        found = load_json(path)
        good = isinstance(found['Run'], str) and isinstance(found['Acquisition'], dict)
        good = good and all(
            value is None or isinstance(value, int | float) for value in found['Metrics'].values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f'{path} cannot be read as metrics of a run ({error}), expected JSON with Run, '
            'Acquisition and Metrics: process the run again'
        ) from error
    if not good:
        raise DatasetError(
            f'{path} has values of the wrong type, expected numbers or null in Metrics: process the '
            'run again'
        )
    return {**found, 'Metrics': {k: v for k, v in found['Metrics'].items() if is_metric(k)}}


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f'{value:.6g}')

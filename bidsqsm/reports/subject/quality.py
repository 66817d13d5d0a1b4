"""The metrics of quality of a run, as a table for its report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bidsqsm.qsm.quality.metric import METRIC_STAGES, Metric
from bidsqsm.qsm.quality.metric_table import METRICS, echo_of, metric_of

_BETTER_WORDS = {'higher': '\u2191 higher', 'lower': '\u2193 lower'}


def metric_groups(values: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Rows of the table under the stages of the processing; echoes share a row."""
    by_metric: dict[str, dict[int, float | None]] = {}
    for key, value in values.items():
        by_metric.setdefault(metric_of(key).name, {})[echo_of(key) or 0] = value
    groups = []
    for stage, title in METRIC_STAGES.items():
        rows = [
            _row(metric, by_metric[name])
            for name, metric in METRICS.items()
            if metric.stage == stage and name in by_metric
        ]
        if rows:
            groups.append({'title': title, 'rows': rows})
    return groups


def _row(metric: Metric, values: Mapping[int, float | None]) -> dict[str, Any]:
    return {
        'name': metric.name,
        'title': metric.title,
        'numbers': [_number(values[echo]) for echo in sorted(values)],
        'per_echo': 0 not in values,
        'unit': metric.unit,
        'better': _BETTER_WORDS.get(metric.better, ''),
        'range': _range(metric),
        'about': metric.about,
        'alarm': any(value is not None and metric.alarming(value) for value in values.values()),
    }


def _range(metric: Metric) -> str:
    low, high = metric.low, metric.high
    if math.isfinite(low) and math.isfinite(high):
        return f'{_number(low)} to {_number(high)}'
    return f'\u2265 {_number(low)}' if math.isfinite(low) else 'any'


def _number(value: float | None) -> str:
    if value is None:
        return 'n/a'
    text = f'{value:.3g}' if abs(value) < 1000 else f'{value:.0f}'
    return text.replace('-', '\N{MINUS SIGN}')

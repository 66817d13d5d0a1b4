"""The numbers of a cohort as one table: quality metrics and values of regions, a column for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bidsqsm.cohort.outliers import Measure
from bidsqsm.cohort.robust import Values
from bidsqsm.cohort.run_files import CohortRun, number
from bidsqsm.qsm.quality.metric import METRIC_STAGES, Metric
from bidsqsm.qsm.quality.metric_table import METRICS, echo_of, metric_of
from bidsqsm.rois.literature import RANGES, published_range, rank_of
from bidsqsm.rois.regions import BOTH
from bidsqsm.rois.spelling import spelled, without_side

_SIDES: Mapping[str, str] = {BOTH: 'both sides', 'L': 'left', 'R': 'right', '': ''}
#: What is shown of each region: title, unit, factor from the unit of the file
_MAPS: Mapping[str, tuple[str, str, float]] = {
    'chi': ('Susceptibility', 'ppb', 1000.0),
    'r2star': ('R2*', '1/s', 1.0),
}
#: Means of one nucleus differ by 2 to 4 ppb between two scans of a person
_RESCAN = 2.0
_SMALLEST_SPREAD = {'log': 0.02, 'logit': 0.1, 'linear': 0.0}


@dataclass(frozen=True)
class Column:
    """One number of every run.

    Attributes
    ----------
    title, unit, about
        For people.
    group
        Under which heading it stands.
    measure
        How it is compared.
    values : (runs,) array
        In the unit; NaN where a run has none.
    side
        ``B``, ``L`` or ``R`` for regions that have sides.
    published
        Where the value lies in healthy adults; NaN where that is not known.
    metric
        The metric that it is, None for a region.

    """

    title: str
    unit: str
    group: str
    measure: Measure
    values: Values = field(repr=False)
    about: str = ''
    side: str = ''
    published: tuple[float, float] = (math.nan, math.nan)
    metric: Metric | None = None

    @property
    def key(self) -> str:
        return self.measure.key


def columns_of(runs: Sequence[CohortRun]) -> list[Column]:
    """Every metric and every value of a region that any run has, in the order of pages."""
    return [*metric_columns(runs), *_region_columns(runs)]


def metric_columns(runs: Sequence[CohortRun]) -> list[Column]:
    """Every metric that any run has, in the order of their table."""
    keys = dict.fromkeys(key for run in runs for key in run.metrics)
    order = [*METRICS]
    ranked = sorted(keys, key=lambda key: (order.index(metric_of(key).name), echo_of(key) or 0))
    return [_metric_column(key, runs) for key in ranked]


def _metric_column(key: str, runs: Sequence[CohortRun]) -> Column:
    metric, echo = metric_of(key), echo_of(key)
    scale = _scale(metric)
    return Column(
        title=metric.title + (f', echo {echo}' if echo else ''),
        unit=metric.unit,
        group=METRIC_STAGES[metric.stage],
        measure=Measure(
            key, metric.better, scale, metric.high, _SMALLEST_SPREAD[scale], family=metric.name
        ),
        values=np.array([run.metrics.get(key, math.nan) for run in runs]),
        about=metric.about,
        metric=metric,
    )


def _scale(metric: Metric) -> str:
    if metric.low != 0:
        return 'linear'
    return 'log' if math.isinf(metric.high) else 'logit'


def _region_columns(runs: Sequence[CohortRun]) -> list[Column]:
    read = [{_place_of(row): row for row in run.regions} for run in runs]
    places = {place: row for rows in reversed(read) for place, row in rows.items()}
    several = len({atlas for atlas, *_ in places}) > 1
    order = sorted(
        places, key=lambda p: (p[0], rank_of(places[p].get('structure', '')), p[1], _rank(p[2]))
    )
    columns = [
        _region_column(which, place, places[place], read, several=several)
        for which in _MAPS
        for place in order
    ]
    return [column for column in columns if np.isfinite(column.values).any()]


def _place_of(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row['atlas'], without_side(row['name']), row['hemisphere'].replace('n/a', '')


def _rank(side: str) -> int:
    known = [*_SIDES]
    return known.index(side) if side in known else len(known)


def _region_column(
    which: str,
    place: tuple[str, str, str],
    row: Mapping[str, str],
    read: Sequence[Mapping[tuple[str, str, str], Mapping[str, str]]],
    *,
    several: bool,
) -> Column:
    (atlas, name, side), (title, unit, factor) = place, _MAPS[which]
    structure = row.get('structure', '').replace('n/a', '')
    low, high = published_range(structure) if which == 'chi' else (math.nan, math.nan)
    chi = which == 'chi'
    parts = (f'{title} of {spelled(name)}', _SIDES.get(side, side), atlas if several else '')
    return Column(
        title=', '.join(filter(None, parts)),
        unit=unit,
        group=f'{title} of regions',
        measure=Measure(
            f'{which}_{atlas}_{name.replace(" ", "_")}_{side or "M"}',
            scale='linear' if chi else 'log',
            least=_RESCAN if chi else _SMALLEST_SPREAD['log'],
            family=f'{which} {atlas} {name}',
        ),
        values=np.array([factor * number(rows.get(place, {}).get(which)) for rows in read]),
        about='Mean over the region, relative to the whole brain.'
        if chi
        else 'Mean over the region.',
        side=side,
        published=(factor * low, factor * high) if structure in RANGES else (math.nan, math.nan),
    )

"""What the page says of each region, as rows of a table."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from bidsqsm.reports.panels.region_values import is_measured
from bidsqsm.rois.literature import rank_of
from bidsqsm.rois.region_table import read_table
from bidsqsm.rois.regions import BOTH
from bidsqsm.rois.spelling import with_side


def summary_rows(path: Path) -> list[dict[str, str]]:
    """What the page says of each known structure, both sides together where there are both.

    Parameters
    ----------
    path
        The table of regions.

    Returns
    -------
    rows
        Texts by ``name``, ``voxels``, ``coverage``, ``chi`` (ppb), ``range`` (ppb), ``odd`` (not
        empty where the mean lies outside it) and ``r2star`` (1/s).

    """
    table = read_table(path)
    known = table[table['structure'] != '']
    both = known[known['hemisphere'] == BOTH]
    alone = known[~known['structure'].isin(both['structure'])]
    rows = pd.concat([both, alone]).sort_values(
        'structure', key=lambda names: names.map(rank_of), kind='stable'
    )
    return [_summary(row) for _, row in rows.iterrows()]


def _summary(row: pd.Series) -> dict[str, str]:
    low, high = row['chi_range_low'], row['chi_range_high']
    return {
        'name': with_side(row['structure'], row['hemisphere']),
        'voxels': f'{row["n_voxels"]:.0f}',
        'coverage': _number(100 * row['coverage'], ' %', 0),
        'chi': _mean_and_error(row),
        'range': f'{_number(1000 * low, "", 0)} to {_number(1000 * high, "", 0)}'
        if math.isfinite(low)
        else '',
        'odd': 'outside' if row['chi_in_range'] == 'no' else '',
        'r2star': _number(row.get('r2star_mean', math.nan), '', 1),
    }


def _mean_and_error(row: pd.Series) -> str:
    if not is_measured(row):
        return 'not measured'
    error = 1000 * row['se']
    text = _number(1000 * row['mean_wholebrain'], '', 1)
    return f'{text} ± {max(error, 0.1):.1f}' if math.isfinite(error) else text


def _number(value: float, unit: str, digits: int) -> str:
    if not math.isfinite(value):
        return '\N{EN DASH}'
    return f'{value:.{digits}f}{unit}'.replace('-', '\N{MINUS SIGN}')

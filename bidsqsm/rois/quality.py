"""What a table of regions tells of the quality of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bidsqsm.qsm.structures import whole_of
from bidsqsm.rois.literature import RANGES

#: Structures whose iron shortens T2* of every adult.
IRON_RICH = (
    *('caudate', 'putamen', 'pallidum'),
    *('substantia_nigra', 'red_nucleus', 'dentate_nucleus'),
)


def iron_rich_labels(table: pd.DataFrame) -> list[int]:
    """Values of the labels that iron-rich nuclei have, their parts too."""
    rich = table['structure'].map(whole_of).isin(IRON_RICH)
    return [int(index) for index in table['index'][rich]]


def region_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Metrics of the regions by their keys; what the table cannot tell is left out.

    Parameters
    ----------
    table
        As :func:`bidsqsm.rois.table.roi_table` writes it; susceptibility in ppm.

    Returns
    -------
    metrics
        ``nuclei_asymmetry`` (ppb), ``nuclei_in_range`` and ``nuclei_coverage`` (percent).

    """
    sides = table[table['hemisphere'].isin(['L', 'R']) & table['structure'].isin([*RANGES])]
    # of several labels on one side the last row is that of all
    sides = sides.drop_duplicates(['structure', 'hemisphere'], keep='last')
    if sides.empty:
        return {}
    found = {'nuclei_coverage': 100 * float(sides['coverage'].min())}
    means = sides.pivot_table(index='structure', columns='hemisphere', values='mean')
    if {'L', 'R'} <= {*means.columns} and len(apart := (means['L'] - means['R']).dropna()):
        found['nuclei_asymmetry'] = 1000 * float(np.median(np.abs(apart)))
    judged = sides['chi_in_range'][sides['chi_in_range'].isin(['yes', 'no'])]
    if len(judged):
        found['nuclei_in_range'] = 100 * float((judged == 'yes').mean())
    return found

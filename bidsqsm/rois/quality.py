"""What a table of regions tells of the quality of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bidsqsm.atlases.structures import whole_of
from bidsqsm.rois.literature import RANGES

#: Structures whose iron shortens T2* of every adult.
IRON_RICH = (
    'caudate',
    'putamen',
    'pallidum',
    'substantia_nigra',
    'red_nucleus',
    'dentate_nucleus',
)


def iron_rich_labels(table: pd.DataFrame) -> list[int]:
    """Values of the labels that iron-rich nuclei have, their parts too.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({'index': [5, 6], 'structure': ['putamen', 'thalamus']})
    >>> iron_rich_labels(table)
    [5]

    """
    rich = table['structure'].map(whole_of).isin(IRON_RICH)
    return [int(index) for index in table['index'][rich]]


def region_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Metrics of the regions by their keys; what the table cannot tell is left out.

    Parameters
    ----------
    table
        As :func:`bidsqsm.rois.region_table.roi_table` writes it; susceptibility in ppm.

    Returns
    -------
    metrics
        ``nuclei_asymmetry`` (ppb), ``nuclei_in_range`` and ``nuclei_coverage`` (percent).

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> from bidsqsm.rois.region_table import roi_table
    >>> sphere = make_sphere(chi=0.1)
    >>> left = np.arange(24)[:, None, None] < 12
    >>> labels = np.where(left, 5, 6) * sphere.inside
    >>> names = [make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R')]
    >>> table = roi_table(labels, names, {'chi': sphere.chi}, sphere.mask, (2.0, 2.0, 2.0))
    >>> {key: round(value) for key, value in region_metrics(table).items()}
    {'nuclei_coverage': 100, 'nuclei_asymmetry': 0, 'nuclei_in_range': 100}

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

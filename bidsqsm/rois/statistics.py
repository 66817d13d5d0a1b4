"""Statistics of the voxels of a region."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.units import MAD_TO_SD

ROBUST_MEAN_SDS = 2.5  # scaled median absolute deviations from the median, for the robust mean

_PERCENTILE = (
    'percentile (every voxel counts the same; linear between the two nearest, as numpy.percentile)'
)

#: Every statistic and what it is.
STATISTICS: Mapping[str, str] = {
    'mean': 'mean',
    'sd': 'standard deviation (n - 1 in the denominator)',
    'median': 'median (of an even number, the mean of the middle two)',
    'p05': f'5th {_PERCENTILE}',
    'p25': f'25th {_PERCENTILE}',
    'p75': f'75th {_PERCENTILE}',
    'p95': f'95th {_PERCENTILE}',
    'min': 'smallest value',
    'max': 'largest value',
    'robust_mean': f'mean of the values within {ROBUST_MEAN_SDS} scaled median absolute deviations '
    f'({MAD_TO_SD} times the median distance from the median) of the median',
}


def summary(values: npt.NDArray[np.floating]) -> dict[str, float]:
    """Every statistic of some values, computed in float64.

    Parameters
    ----------
    values : (n,) array
        In any unit; finite.

    Returns
    -------
    statistics
        In the unit of the values; NaN for no values, and for the deviation of one.

    Examples
    --------
    >>> import numpy as np
    >>> found = summary(np.array([0.04, 0.05, 0.06, 0.9]))
    >>> round(found['mean'], 3), round(found['median'], 3), round(found['robust_mean'], 3)
    (0.263, 0.055, 0.05)

    """
    values = values.astype(np.float64)
    if not values.size:
        return dict.fromkeys(STATISTICS, math.nan)
    p05, p25, p75, p95 = np.percentile(values, [5, 25, 75, 95], method='linear').tolist()
    return {
        'mean': float(values.mean()),
        'sd': float(values.std(ddof=1)) if values.size > 1 else math.nan,
        'median': float(np.median(values)),
        'p05': p05,
        'p25': p25,
        'p75': p75,
        'p95': p95,
        'min': float(values.min()),
        'max': float(values.max()),
        'robust_mean': robust_mean(values),
    }


def robust_mean(values: npt.NDArray[np.floating]) -> float:
    """Mean of what lies within 2.5 scaled median absolute deviations of the median.

    Examples
    --------
    >>> import numpy as np
    >>> round(robust_mean(np.array([0.04, 0.05, 0.06, 0.9])), 3)  # the vein is left out
    0.05

    """
    away = np.abs(values - np.median(values))
    return float(values[away <= ROBUST_MEAN_SDS * MAD_TO_SD * np.median(away)].mean())

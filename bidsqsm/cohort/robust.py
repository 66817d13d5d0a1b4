"""Centre and spread that outliers do not move, and how far from them a value may lie."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from bidsqsm.qsm.units import MAD_TO_SD

Values = npt.NDArray[np.float64]

#: Turns a mean absolute deviation into the standard deviation of normal values
_MEAN_TO_SD = 1.2533
#: Share of the degrees of freedom of a standard deviation that a median absolute deviation is worth
_EFFICIENCY = 0.4
#: Beyond it a value is an outlier where the spread is known exactly [iglewicz1993]_
OUTLIER_Z = 3.5


def spread(deviations: Values) -> float:
    """Standard deviation by the median absolute deviation, for values about their centre.

    Parameters
    ----------
    deviations : (n,) array
        Values less their median. Where more than half of them are zero, the mean absolute deviation
        takes the place of the median one [iglewicz1993]_.

    References
    ----------
    .. [iglewicz1993] Iglewicz and Hoaglin, How to detect and handle outliers. ASQC Quality Press (1993).

    """
    if not deviations.size:
        return 0.0
    absolute = np.abs(deviations)
    found = MAD_TO_SD * float(np.median(absolute))
    return found if found > 0 else _MEAN_TO_SD * float(absolute.mean())


def freedom(n: int) -> float:
    """Degrees of freedom that the spread of ``n`` values has."""
    return _EFFICIENCY * max(n - 1, 0)


@lru_cache(maxsize=1024)
def limit(degrees: float) -> float:
    """How many spreads from the centre a value may lie, if the spread has these degrees of freedom.

    Normal values pass it as often as they pass 3.5 standard deviations, whatever the number of
    values that the spread was found from.

    Examples
    --------
    >>> [round(limit(degrees), 1) for degrees in (3, 10, 40, 10000)]
    [16.7, 5.1, 3.8, 3.5]

    """
    if degrees <= 0:
        return float('inf')
    return float(t.isf(norm.sf(OUTLIER_Z), degrees))

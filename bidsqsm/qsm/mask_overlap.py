"""How far two masks agree."""

from __future__ import annotations

from bidsqsm.qsm.grid import Mask


def dice(one: Mask, other: Mask) -> float:
    """Twice the voxels that two masks share over the sum of theirs; 0 where both are empty.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.array([1, 1, 1, 0], bool), np.array([0, 1, 1, 1], bool)
    >>> round(float(dice(one, other)), 3)
    0.667

    """
    return 2 * float((one & other).sum()) / max(int(one.sum()) + int(other.sum()), 1)


def coverage(found: Mask, true: Mask) -> float:
    """Share of the true mask that was found, in percent.

    Examples
    --------
    >>> import numpy as np
    >>> found, true = np.array([1, 1, 0, 0], bool), np.array([1, 1, 1, 1], bool)
    >>> round(float(coverage(found, true)))
    50

    """
    return 100 * float((found & true).sum()) / float(true.sum())

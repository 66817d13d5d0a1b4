"""Susceptibility as the labels of an atlas draw it, for templates that have no map of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.atlases.structures import Label, whole_of
from bidsqsm.qsm.grid import Labels, Volume
from bidsqsm.rois.literature import RANGES

#: Structures without a published range, and the neighbour whose iron is nearest to theirs
_RANGE_OF_NEIGHBOUR = {'subthalamic_nucleus': 'substantia_nigra'}


def typical_chi(structure: str) -> float:
    """Susceptibility of a structure in adults, in ppm: middle of the published range, 0 without one.

    Examples
    --------
    >>> typical_chi('pallidum_interna') == typical_chi('pallidum') > typical_chi('caudate') > 0
    True
    >>> typical_chi('amygdala')
    0.0

    """
    whole = whole_of(structure)
    known = RANGES.get(_RANGE_OF_NEIGHBOUR.get(whole, whole))
    return (known.low + known.high) / 2 if known else 0.0


def drawn_chi(values: Labels, labels: Sequence[Label]) -> Volume:
    """Give each label the susceptibility that is typical of its structure.

    Parameters
    ----------
    values : (nx, ny, nz) int array
        Labels.
    labels
        What they mean.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        In ppm; 0 wherever nothing typical is known.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.atlases.structures import make_label
    >>> chi = drawn_chi(np.array([[[0, 5]]]), [make_label(5, 'putamen')])
    >>> [round(float(value), 3) for value in chi.ravel()]
    [0.0, 0.065]

    """
    chi: Volume = np.zeros(values.shape, np.float32)
    for label in labels:
        if typical := typical_chi(label.structure):
            chi[values == label.index] = typical
    return chi

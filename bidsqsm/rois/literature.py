"""Published susceptibility of deep gray matter, to tell values that cannot be right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bidsqsm.derivatives.bibliography import works
from bidsqsm.qsm.concentration.brain_iron import IRON_STRUCTURES, chi_of_iron
from bidsqsm.rois.regions import BOTH

YOUNGEST, OLDEST = 20.0, 90.0  # years that the published values span
MIDDLE_AGE = 45.0  # of the adults of 20 to 70 years for whom the ranges hold as they stand


@dataclass(frozen=True)
class Published:
    """Where the mean of a structure lies in adults.

    Attributes
    ----------
    low, high
        In ppm relative to the whole brain.
    cite
        Keys of the bibliography.

    """

    low: float
    high: float
    cite: tuple[str, ...]


#: Around the group means of the cited works, wide enough for healthy adults of 20 to 70 years, for
#: the usual references (fluid lies some 20 ppb from the whole brain) and for several inversions
RANGES: Mapping[str, Published] = {
    'caudate': Published(0.020, 0.080, ('min2024', 'treit2021', 'hallgren1958')),
    'putamen': Published(0.020, 0.110, ('min2024', 'treit2021', 'hallgren1958')),
    'pallidum': Published(0.080, 0.200, ('min2024', 'treit2021', 'hallgren1958')),
    'thalamus': Published(-0.020, 0.040, ('min2024', 'treit2021')),
    'substantia_nigra': Published(0.060, 0.180, ('min2024', 'li2021')),
    'red_nucleus': Published(0.050, 0.160, ('min2024', 'li2021')),
    'dentate_nucleus': Published(0.050, 0.160, ('marques2021', 'li2021')),
}


def published_range(structure: str, age: float | None = None) -> tuple[float, float]:
    """Range of a structure's mean susceptibility, in ppm relative to the whole brain.

    The range is that of adults. In caudate, putamen and pallidum it moves with age as their
    iron does [hallgren1958]_, whose course the susceptibility of groups follows [persson2015]_;
    for the others no law is published that could be used.

    Parameters
    ----------
    structure
        Its canonical name.
    age
        In years; None for any adult.

    Returns
    -------
    low, high
        NaN where nothing is known of the structure or of the age.

    References
    ----------
    .. [hallgren1958] Hallgren and Sourander, J Neurochem 3:41-51 (1958).
       doi:10.1111/j.1471-4159.1958.tb12607.x
    .. [persson2015] Persson et al., NeuroImage 122:385-398 (2015).
       doi:10.1016/j.neuroimage.2015.07.050

    Examples
    --------
    >>> low, high = published_range('putamen')
    >>> low, high
    (0.02, 0.11)

    The iron of the putamen grows with age:

    >>> published_range('putamen', age=25)[1] < high < published_range('putamen', age=70)[1]
    True

    """
    if structure not in RANGES or not _covers(age):
        return math.nan, math.nan
    known = RANGES[structure]
    moved = 0.0
    if age is not None and structure in IRON_STRUCTURES:
        moved = chi_of_iron(structure, age) - chi_of_iron(structure, MIDDLE_AGE)
    return known.low + moved, known.high + moved


def rank_of(structure: str) -> int:
    """Place of a structure among all: those with published ranges first, what is unknown last.

    Examples
    --------
    >>> rank_of('caudate') < rank_of('amygdala') < rank_of('')
    True

    """
    known = [*RANGES]
    return known.index(structure) if structure in RANGES else len(known) + (not structure)


def verdict(value: float, low: float, high: float) -> str:
    """Whether a value lies within a range: ``yes``, ``no``, or ``n/a`` where either is unknown.

    Examples
    --------
    >>> verdict(0.05, 0.02, 0.11), verdict(0.5, 0.02, 0.11), verdict(0.05, float('nan'), 0.11)
    ('yes', 'no', 'n/a')

    """
    if math.isnan(value) or math.isnan(low):
        return 'n/a'
    return 'yes' if low <= value <= high else 'no'


def check(table: pd.DataFrame, age: float | None = None) -> list[str]:
    """Warn of structures whose susceptibility lies outside the published range.

    This tells wrong registration, a wrong mask or reference, or disease; nothing is corrected.

    Parameters
    ----------
    table
        From :func:`bidsqsm.rois.region_table.roi_table`.
    age
        In years, where it is known; without it the range is that of any adult.

    Returns
    -------
    warnings
        A sentence for each structure, both sides together; one alone where there is no range for
        the age.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> from bidsqsm.rois.region_table import roi_table
    >>> sphere = make_sphere(chi=0.5)
    >>> left = np.arange(24)[:, None, None] < 12
    >>> labels = np.where(left, 5, 6) * sphere.inside
    >>> names = [make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R')]
    >>> table = roi_table(labels, names, {'chi': sphere.chi}, sphere.mask, (2.0, 2.0, 2.0))
    >>> [sentence.partition(' is ')[0] for sentence in check(table)]
    ['The mean susceptibility of putamen']

    """
    whole = table[table['hemisphere'].isin([BOTH, '']) & table['structure'].isin([*RANGES])]
    if whole.empty:
        return []
    if not _covers(age):
        known = f'only from {YOUNGEST:g} to {OLDEST:g}'
        return [
            f'The values of the regions were not checked: no published range at {age:g} years, {known}.'
        ]
    told = []
    for row in whole.itertuples():
        low, high = published_range(row.structure, age)
        if verdict(row.mean_wholebrain, low, high) == 'no':
            told.append(_sentence(row.name, row.structure, row.mean_wholebrain, low, high, age))
    return told


def _covers(age: float | None) -> bool:
    return age is None or YOUNGEST <= age <= OLDEST


def _sentence(
    name: str, structure: str, value: float, low: float, high: float, age: float | None
) -> str:
    sources = '; '.join(works()[key].short for key in RANGES[structure].cite)
    whom = 'in adults' if age is None else f'at {age:g} years'
    return (
        f'The mean susceptibility of {name} is {1000 * value:.0f} ppb relative to the whole '
        f'brain, expected {1000 * low:.0f} to {1000 * high:.0f} ppb {whom} ({sources}): look at '
        'labels, mask and map.'
    )

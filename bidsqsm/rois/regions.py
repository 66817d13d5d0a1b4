"""The rows of a table: every label of an atlas, then both sides together, then merged structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.structures import PARTS_OF_STRUCTURE, STRUCTURES, Label
from bidsqsm.qsm.grid import Labels

BOTH = 'B'
_SIDES = (BOTH, 'L', 'R')
_FIRST_COMBINED_INDEX = 1000  # lowest number of a combined row


@dataclass(frozen=True)
class Region:
    """What one row of the table measures.

    Attributes
    ----------
    index
        Value in the label image; of combined rows a number that no label of the atlas has.
    name, hemisphere, structure
        Of the label; a combined row is called by its structure, and its hemisphere is 'L', 'R' or
        'B' for both.
    members
        Values in the label image.

    """

    index: int
    name: str
    hemisphere: str
    structure: str
    members: tuple[int, ...]


def regions_of(names: Sequence[Label]) -> list[Region]:
    """Rows for the labels of an atlas, in their order, and for what they make together.

    A structure that has labels on both sides gets a row for both. One that is the sum of others
    (the pallidum of its two segments) gets a row for each side that has all its parts, and one for
    both sides. Several labels of one structure on one side are merged likewise.

    Parameters
    ----------
    names
        Labels of the atlas.

    Returns
    -------
    regions
        Labels first, then those of both sides, then merged ones.

    Examples
    --------
    >>> from bidsqsm.atlases.structures import make_label
    >>> rows = regions_of([make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R')])
    >>> [(row.name, row.hemisphere, row.members) for row in rows]
    [('putamen', 'L', (5,)), ('putamen', 'R', (6,)), ('putamen', 'B', (5, 6))]

    """
    rows = [Region(n.index, n.name, n.hemisphere, n.structure, (n.index,)) for n in names]
    simple = [s for s in STRUCTURES if not _needs_merging(s, names)]
    merged = [s for s in STRUCTURES if _needs_merging(s, names)]
    base = _beyond(names)
    for structure in simple:
        rows += _both(structure, _by_side(structure, names), base)
    for structure in merged:
        sides = _by_side(structure, names)
        for side in ('L', 'R'):
            if sides[side]:
                name = f'{structure}_{side}'
                rows.append(_row(base, structure, side, name, sides[side]))
        rows += _both(structure, sides, base)
    return rows


def _needs_merging(structure: str, names: Sequence[Label]) -> bool:
    sides = _by_side(structure, names)
    return any(len(sides[side]) > 1 for side in ('L', 'R'))


def _by_side(structure: str, names: Sequence[Label]) -> dict[str, list[int]]:
    """Labels of a structure on each side; of a merged one only where all its parts are there."""
    parts = PARTS_OF_STRUCTURE.get(structure, ())
    found: dict[str, list[int]] = {}
    for side in ('L', 'R', ''):
        own = [n for n in names if n.hemisphere == side]
        whole = {n.structure for n in own}.issuperset(parts) if parts else False
        wanted = {structure, *parts} if whole else {structure}
        found[side] = [n.index for n in own if n.structure in wanted]
    return found


def _both(structure: str, sides: dict[str, list[int]], base: int) -> Iterator[Region]:
    if sides['L'] and sides['R']:
        yield _row(base, structure, BOTH, structure, [i for own in sides.values() for i in own])


def _row(base: int, structure: str, side: str, name: str, members: list[int]) -> Region:
    index = base + 10 * STRUCTURES.index(structure) + _SIDES.index(side)
    return Region(index, name, side, structure, tuple(sorted(members)))


def _beyond(names: Sequence[Label]) -> int:
    # BIDS wants whole numbers, each once: take them from above all labels
    base = _FIRST_COMBINED_INDEX
    while base <= max((n.index for n in names), default=0):
        base *= 10
    return base


def with_unnamed(labels: Labels, names: Sequence[Label]) -> tuple[tuple[Label, ...], list[str]]:
    """Add labels that the image has and the names lack, as ``label-<index>``.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Label image; what is not above zero is background.
    names
        Known labels.

    Returns
    -------
    names, warnings
        All labels, the unnamed last; one sentence where there are any.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.atlases.structures import make_label
    >>> names, said = with_unnamed(np.array([0, 5, 9]), [make_label(5, 'putamen')])
    >>> [label.name for label in names], said
    (['putamen', 'label-9'], ['1 labels of the image have no name: 9.'])

    """
    present = np.unique(labels[labels > 0]).tolist()
    known = {n.index for n in names}
    new = [int(index) for index in present if index not in known]
    warnings = []
    if new and known:
        shown = ', '.join(map(str, new[:10])) + (' ...' if new[10:] else '')
        warnings.append(f'{len(new)} labels of the image have no name: {shown}.')
    return (*names, *(Label(i, f'label-{i}', '', '') for i in new)), warnings


def without_combined(names: Sequence[Label], labels: Labels) -> tuple[Label, ...]:
    """Leave out rows that combine labels, where a table of regions serves as a list of names.

    Parameters
    ----------
    names
        Labels as read from a table.
    labels : (nx, ny, nz) integer array
        Label image; what it has is no combined row.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.atlases.structures import make_label
    >>> names = [make_label(5, 'left putamen'), make_label(1010, 'putamen')]
    >>> [label.index for label in without_combined(names, np.array([0, 5]))]
    [5]

    """
    present = set(np.unique(labels).tolist())

    def combines(label: Label) -> bool:
        called = {f'{label.structure}{side}' for side in ('', '_L', '_R')}
        return (
            label.index >= _FIRST_COMBINED_INDEX
            and label.name in called
            and label.index not in present
        )

    return tuple(label for label in names if not combines(label))


class Places:
    """Where the voxels of every label are, found in one pass over the image.

    Examples
    --------
    >>> import numpy as np
    >>> places = Places(np.array([[0, 5, 6], [6, 0, 5]]))
    >>> places.of([5]).tolist(), places.of([5, 6]).tolist()
    ([1, 5], [1, 2, 3, 5])

    """

    def __init__(self, labels: Labels) -> None:
        flat = labels.ravel()
        self._where = np.flatnonzero(flat > 0)
        values = flat[self._where]
        self._order = np.argsort(values, kind='stable')
        self._values = values[self._order]

    def of(self, members: Sequence[int]) -> npt.NDArray[np.intp]:
        """Indices of the voxels of some labels in the flattened image, ascending."""
        first = np.searchsorted(self._values, members, side='left')
        last = np.searchsorted(self._values, members, side='right')
        parts = [self._where[self._order[a:b]] for a, b in zip(first, last, strict=True)]
        return np.sort(np.concatenate(parts))

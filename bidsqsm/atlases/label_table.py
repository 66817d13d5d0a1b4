"""Tables that name the values of a label image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidsqsm.atlases.structures import Label, make_label
from bidsqsm.errors import DatasetError
from bidsqsm.files.tsv_files import read_rows


def read_labels(tsv: Path) -> tuple[Label, ...]:
    r"""Read a BIDS label table.

    Parameters
    ----------
    tsv
        With the columns ``index`` and ``name`` and, by choice, ``hemisphere``. The row of the
        background (index 0) is left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'dseg.tsv'
    ...     _ = path.write_text('index\tname\n0\tbackground\n5\tleft putamen\n')
    ...     labels = read_labels(path)
    >>> [(label.index, label.structure, label.hemisphere) for label in labels]
    [(5, 'putamen', 'L')]

    """
    rows = rows_with(tsv, ('index', 'name'), 'labels')
    labels: dict[int, Label] = {}
    for number, row in enumerate(rows, start=2):
        label = _label_of(row, f'{tsv}, line {number}')
        if label.index in labels:
            raise DatasetError(
                f'{tsv}, line {number}: index {label.index} was there before '
                f'({labels[label.index].name}), expected every index once: remove one of them'
            )
        labels[label.index] = label
    return tuple(label for label in labels.values() if label.index)


def rows_with(tsv: Path, needed: tuple[str, str], what: str) -> list[dict[str, Any]]:
    r"""Read a table that has two columns at least, and say what it was to be of where it has not.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'vials.tsv'
    ...     _ = path.write_text('index\tconcentration\n1\t0.5\n')
    ...     rows = rows_with(path, ('index', 'concentration'), 'vials')
    >>> rows
    [{'index': '1', 'concentration': '0.5'}]

    """
    try:
        rows = read_rows(tsv)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f'{tsv} cannot be read ({error}), expected a table of {what}'
        ) from error
    columns = [*rows[0]] if rows else []
    if not {*needed} <= {*columns}:
        have = ', '.join(map(str, columns)) or 'no rows'
        raise DatasetError(
            f'{tsv} has {have}, expected at least the columns {" and ".join(needed)}, parted by tabs: '
            'write them into its first line'
        )
    return rows


def read_index(row: Mapping[str, Any], where: str) -> int:
    """The whole number in the column index.

    Examples
    --------
    >>> read_index({'index': '12.0'}, 'dseg.tsv, line 3')
    12

    """
    text = f'{row["index"] or ""}'.strip()
    whole = re.fullmatch(r'(\d{1,9})(\.0*)?', text, re.ASCII)
    if not whole:
        raise DatasetError(f'{where}: the index is {text!r}, expected a whole number: mend it')
    return int(whole[1])


def _label_of(row: Mapping[str, Any], where: str) -> Label:
    name = f'{row["name"] or ""}'.strip()
    try:
        return make_label(read_index(row, where), name, f'{row.get("hemisphere") or ""}')
    except ValueError as error:
        raise DatasetError(f'{where}: {error}') from error

"""Tables that name the values of a label image."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidsqsm.io.errors import DatasetError
from bidsqsm.qsm.structures import Label, make_label


def read_labels(tsv: Path) -> tuple[Label, ...]:
    """Read a BIDS label table.

    Parameters
    ----------
    tsv
        With the columns ``index`` and ``name`` and, by choice, ``hemisphere``. The row of the
        background (index 0) is left out.

    """
    try:
        # utf-8-sig: spreadsheets begin a file with a mark
        with tsv.open(newline='', encoding='utf-8-sig') as stream:
            rows = list(csv.DictReader(stream, delimiter='\t'))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f'{tsv} cannot be read ({error}), expected a table of labels'
        ) from error
    columns = [*rows[0]] if rows else []
    if not {'index', 'name'} <= {*columns}:
        have = ', '.join(map(str, columns)) or 'no rows'
        raise DatasetError(
            f'{tsv} has {have}, expected at least the columns index and name, parted by tabs: '
            'write them into its first line'
        )
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


def _label_of(row: Mapping[str, Any], where: str) -> Label:
    text, name = f'{row["index"] or ""}'.strip(), f'{row["name"] or ""}'.strip()
    if not re.fullmatch(r'\d+(\.0*)?', text):
        raise DatasetError(f'{where}: the index is {text!r}, expected a whole number: mend it')
    try:
        return make_label(int(float(text)), name, f'{row.get("hemisphere") or ""}')
    except ValueError as error:
        raise DatasetError(f'{where}: {error}') from error


__all__ = ['read_labels']

"""Tables of BIDS: cells parted by tabs, ``n/a`` for no value, the names of the columns first."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bidsqsm.files.atomic import write_text
from bidsqsm.files.plain_text import inert_cell
from bidsqsm.files.regular_files import read_text

if TYPE_CHECKING:
    import pandas as pd

NOTHING = 'n/a'


def read_cells(path: Path) -> list[list[str]]:
    """Every line of a table as its cells; OSError or ValueError where it cannot be read."""
    with _opened(path) as stream:
        return [*csv.reader(stream, delimiter='\t', strict=True)]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Every row of a table by its columns, None where it is short; errors as :func:`read_cells`."""
    with _opened(path) as stream:
        return [*csv.DictReader(stream, delimiter='\t', strict=True)]


def read_columns(path: Path) -> list[str]:
    """Names of the columns of a table."""
    with path.open(encoding='utf-8') as stream:
        return stream.readline().rstrip('\n').split('\t')


def read_frame(path: Path) -> pd.DataFrame:
    """Read a table with numbers; ``n/a`` becomes NaN."""
    import pandas as pd

    return pd.read_csv(path, sep='\t', na_values=[NOTHING], keep_default_na=False)


def as_tsv(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    r"""Text of a table; floats have nine digits.

    Text that a spreadsheet would compute, as it begins with one of ``= + - @`` and is no number,
    has an apostrophe before it, and control characters are written out.

    Nine digits tell any two float32 numbers apart, so that equal values are equal text.

    Examples
    --------
    >>> as_tsv(['name', 'chi'], [['caudate', 0.1], ['', float('nan')]])
    'name\tchi\ncaudate\t0.1\nn/a\tn/a\n'

    """
    lines = ['\t'.join(map(inert_cell, columns)), *('\t'.join(map(_cell, row)) for row in rows)]
    return '\n'.join(lines) + '\n'


def write_tsv(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    """Write :func:`as_tsv` of a table, the whole file or nothing."""
    return write_text(path, as_tsv(columns, rows))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        yield io.StringIO(read_text(path), newline='')
    except csv.Error as error:
        said = f'{error}'
        # a quote that opens a cell and none that closes it would take all rows behind it along
        opened = 'a quote that opens a cell is never closed'
        raise ValueError(opened if said == 'unexpected end of data' else said) from error


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.9g}' if math.isfinite(value) else NOTHING
    return (inert_cell(value) if isinstance(value, str) else f'{value}') or NOTHING

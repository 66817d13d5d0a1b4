"""Tables: what is written is read back, and no value is n/a."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bidsqsm.files.tsv_files import (
    as_tsv,
    read_cells,
    read_columns,
    read_frame,
    read_rows,
    write_tsv,
)

COLUMNS = ('name', 'chi', 'n')
ROWS = [('caudate', np.float64(0.123456789012), 4), ('', math.nan, 0), ('x', math.inf, 1)]


def test_floats_have_nine_digits_and_no_value_is_n_a():
    assert as_tsv(COLUMNS, ROWS).splitlines() == [
        'name\tchi\tn',
        'caudate\t0.123456789\t4',
        'n/a\tn/a\t0',
        'x\tn/a\t1',
    ]


def test_any_two_float32_numbers_differ_in_their_text():
    one = np.float32(0.1)
    texts = as_tsv(['chi'], [[float(one)], [float(np.nextafter(one, np.float32(1)))]]).split()
    assert len({*texts[1:]}) == 2
    assert np.float32(texts[1]) == one


def test_what_is_written_is_read_back(tmp_path):
    path = write_tsv(tmp_path / 'new' / 'x.tsv', COLUMNS, ROWS)
    assert read_columns(path) == [*COLUMNS]
    assert read_cells(path)[1] == ['caudate', '0.123456789', '4']
    assert read_rows(path)[1] == {'name': 'n/a', 'chi': 'n/a', 'n': '0'}
    table = read_frame(path)
    assert table['chi'][0] == 0.123456789
    assert math.isnan(table['chi'][1])


def test_a_short_row_lacks_its_last_cells_and_the_mark_of_spreadsheets_is_no_part_of_a_name(
    tmp_path,
):
    path = tmp_path / 'x.tsv'
    path.write_bytes(b'\xef\xbb\xbfindex\tname\n1\tcaudate\n\n2\n')
    assert read_rows(path) == [{'index': '1', 'name': 'caudate'}, {'index': '2', 'name': None}]


def test_a_cell_too_long_for_any_table_is_a_value_error(tmp_path):
    path = tmp_path / 'x.tsv'
    path.write_text('name\n' + 'x' * 200_000 + '\n')
    for read in (read_cells, read_rows):
        with pytest.raises(ValueError, match='field larger than'):
            read(path)


def test_a_quote_within_a_cell_is_a_quote(tmp_path):
    (tmp_path / 'a.tsv').write_text('x\ty\n5" tall\t"a\tb"\n')
    assert read_cells(tmp_path / 'a.tsv') == [['x', 'y'], ['5" tall', 'a\tb']]

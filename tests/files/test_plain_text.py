"""Names and cells from outside do nothing to a terminal, a log or a spreadsheet."""

from __future__ import annotations

import unicodedata

import pytest

from bidsqsm.files.plain_text import escaped, escaped_lines, inert_cell
from bidsqsm.files.tsv_files import as_tsv


def test_no_control_character_is_left():
    every = [
        chr(code) for code in range(0x11000) if unicodedata.category(chr(code)) in ('Cc', 'Cs')
    ]
    every += [*'\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029']
    for one in every:
        assert escaped(f'a{one}b').isprintable()
    assert escaped_lines('a\tb\nc') == 'a\tb\nc'


@pytest.mark.parametrize('text', ['Zürich µ χ', '磁化率', 'a b', 'C:\\new', 'e\u0301', '😀'])
def test_other_text_stays(text):
    assert escaped(text) == text


def test_a_name_that_is_not_utf8_can_be_printed():
    name = b'sub-\xff'.decode(errors='surrogateescape')
    assert escaped(name).encode() == b'sub-\\udcff'


@pytest.mark.parametrize(
    'text',
    [
        '=1+1',
        '=HYPERLINK("x")',
        '+cmd|x',
        '-2+3',
        '@SUM(A1)',
        '\uff1d1',
        ' =1',
        '\t=1',
        '-x',
        '-1;2',
    ],
)
def test_a_cell_that_begins_like_a_formula_is_text(text):
    cell = inert_cell(text)
    assert cell[0] == "'" or cell.startswith('\\t')
    assert inert_cell(cell) == cell


@pytest.mark.parametrize(
    'text',
    [
        '-0.5',
        '+3',
        '-1e-3',
        '-.5',
        '-1,5',
        '-1.000,5',
        '-5%',
        '-inf',
        '-',
        '+',
        'n/a',
        '',
        'a=b',
        'x-1',
    ],
)
def test_numbers_and_other_text_are_as_they_were(text):
    assert inert_cell(text) == text


def test_tables_hold_no_formula_in_cells_and_heads_and_their_shape_stays():
    text = as_tsv(['=a', 'chi'], [['-x\ty\nz', -0.5], ['@b', '-0.5']])
    assert text == "'=a\tchi\n'-x\\ty\\nz\t-0.5\n'@b\t-0.5\n"

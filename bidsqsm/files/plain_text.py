"""Text from outside made harmless: for terminals, which obey it, and for spreadsheets, which compute."""

from __future__ import annotations

import re

#: Characters that do something instead of being seen: controls, those that turn the direction of
#: text, line separators, and halves of characters, as names that are not UTF-8 have them.
_CONTROLS = '\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff'
_IN_LINES = re.compile(f'[{_CONTROLS}]')
_IN_A_LINE = re.compile(f'[\t\n{_CONTROLS}]')
#: What makes a cell a formula to a spreadsheet, in the two widths that it may have.
_FORMULA_SIGNS = '=+-@＝＋－＠'  # noqa: RUF001
_NUMBER = re.compile(
    r'[+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)? ?%?|[+-]?(inf|nan)|[+-]+', re.IGNORECASE
)


def escaped(text: str) -> str:
    r"""One line of text without any character that a terminal would act upon.

    Examples
    --------
    >>> print(escaped('sub-\x1b[31m01 \u202e\nok'))
    sub-\x1b[31m01 \u202e\nok

    """
    return _IN_A_LINE.sub(_escape, text)


def escaped_lines(text: str) -> str:
    """:func:`escaped`, but for ends of lines and tabs, which stay."""
    return _IN_LINES.sub(_escape, text)


def inert_cell(text: str) -> str:
    r"""Text for a cell of a table that no spreadsheet takes for a formula.

    What begins like one gets an apostrophe before it; numbers stay as they are.

    Examples
    --------
    >>> [inert_cell(text) for text in ('=1+1', '@SUM(A1)', '-0.5', '+3e-2', '-', 'left\tright')]
    ["'=1+1", "'@SUM(A1)", '-0.5', '+3e-2', '-', 'left\\tright']

    """
    line = escaped(text)
    begins = line.lstrip()[:1]
    return f"'{line}" if begins and begins in _FORMULA_SIGNS and not _is_number(line) else line


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    short = {0x09: '\\t', 0x0A: '\\n', 0x0D: '\\r'}.get(code)
    return short or (f'\\x{code:02x}' if code < 0x100 else f'\\u{code:04x}')

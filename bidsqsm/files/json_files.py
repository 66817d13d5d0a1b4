"""JSON files: how all of them are written, and read with what is wrong said in a sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.files.atomic import write_text
from bidsqsm.files.regular_files import read_text, why_unreadable

#: What is nested deeper is nothing of BIDS, and more than the program can write down again.
_DEEPEST = 64


def load_json(path: Path) -> Any:
    """Read a JSON file, whatever it holds; OSError or ValueError where that cannot be done.

    A whole number that a float cannot hold is infinite.
    """
    text = read_text(path)
    try:
        content = json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError('it is nested too deeply') from error
    if text.count('[') + text.count('{') > _DEEPEST and _is_deeper(content, _DEEPEST):
        raise ValueError(f'it is nested more than {_DEEPEST} deep')
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    DatasetError
        Where it cannot be read, is not JSON, or is not an object.

    """
    try:
        content = load_json(path)
    except OSError as error:
        raise DatasetError(f'{path} {why_unreadable(path, error)}') from error
    except ValueError as error:
        raise DatasetError(f'{path} is not valid JSON ({error}): correct it') from error
    if not isinstance(content, dict):
        raise DatasetError(
            f'{path} holds a {type(content).__name__}, expected an object {{...}}: correct it'
        )
    return content


def as_json(content: Mapping[str, Any]) -> str:
    """Readable JSON with a newline at its end; numpy scalars become plain numbers."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + '\n'


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write :func:`as_json` of some content, the whole file or nothing."""
    return write_text(path, as_json(content))


def _whole(digits: str) -> int | float:
    number = float(digits)
    return int(digits) if math.isfinite(number) else number


def _is_deeper(content: Any, most: int) -> bool:
    level = [content]
    for _ in range(most):
        level = [inner for value in level for inner in _within(value)]
    return bool(level)


def _within(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):
        return value.tolist()
    return str(value)

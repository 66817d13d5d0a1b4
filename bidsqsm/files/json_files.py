"""JSON files: how all of them are written, and read with what is wrong said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.files.atomic import write_text


def load_json(path: Path) -> Any:
    """Read a JSON file, whatever it holds; OSError or ValueError where that cannot be done."""
    # utf-8-sig: editors begin a file with a mark
    return json.loads(path.read_text(encoding='utf-8-sig'))


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
        raise DatasetError(f'{path} cannot be read ({error.strerror}): fetch or fix it') from error
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


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):
        return value.tolist()
    return str(value)

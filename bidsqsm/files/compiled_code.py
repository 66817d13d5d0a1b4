"""Compiled loops that numba keeps in a folder: damaged ones are taken away, so that they are made anew."""

from __future__ import annotations

import json
import pickletools
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bidsqsm.files.atomic import write_text
from bidsqsm.files.inventory import INVENTORY, difference, file_entry

_ENDINGS = ('.nbi', '.nbc')


def list_compiled(folder: Path) -> None:
    """Write down the compiled loops of a folder, for :func:`remove_damaged` of a later call."""
    found = {
        f'{path.relative_to(folder)}': file_entry(path)
        for path in _files(folder)
        if path.is_file()
    }
    write_text(folder / INVENTORY, json.dumps(found))


def remove_damaged(folder: Path) -> list[Path]:
    """Remove compiled loops that cannot be what numba wrote; it compiles again what is not there.

    A loop that was written down is compared with what it was. One that is newer has to be whole.

    Returns
    -------
    Files that were removed.

    """
    known = _known(folder)
    damaged = [path for path in _files(folder) if not _is_sound(path, folder, known)]
    for path in damaged:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # what stands for a set of methods, all of whose loops are there
    for marker in folder.glob('compiled-*.txt') if damaged else ():
        marker.unlink(missing_ok=True)
    return damaged


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob('*') if path.suffix in _ENDINGS)


def _known(folder: Path) -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads((folder / INVENTORY).read_text(encoding='utf-8'))
        if isinstance(content, dict):
            return content
    return {}


def _is_sound(path: Path, folder: Path, known: Mapping[str, Any]) -> bool:
    if not path.is_file():
        return False
    entry = known.get(f'{path.relative_to(folder)}')
    with suppress(KeyError, TypeError):
        if entry and entry['time_ns'] == path.stat().st_mtime_ns:
            return difference(path, entry, contents=True) is None
    return _is_whole(path)


def _is_whole(path: Path) -> bool:
    """Whether a file consists of pickles with nothing missing; none of them is loaded."""
    size = path.stat().st_size
    with path.open('rb') as stream:
        try:
            while stream.tell() < size:
                for _ in pickletools.genops(stream):
                    pass
        except (ValueError, TypeError, IndexError, OverflowError):
            return False
    return size > 0

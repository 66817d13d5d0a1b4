"""Inventories: what a finished step has written and read, by which damage and changes are noticed."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isal import isal_zlib

from bidsqsm.files.atomic import write_text

INVENTORY = '_inventory.json'
_CHUNK_BYTES = 1 << 22


def write_inventory(folder: Path, read: Iterable[Path] = ()) -> Path:
    """Write down every file of a folder, and files elsewhere that these were made from.

    Parameters
    ----------
    folder
        Of a step that has finished. Files whose name begins with ``_`` are not its results.
    read
        Files outside the folder; those that are not there are left out.

    """
    made = (path for path in folder.rglob('*') if path.is_file() and path.name[0] != '_')
    content = {
        'made': {f'{path.relative_to(folder)}': file_entry(path) for path in sorted(made)},
        'read': {f'{path}': file_entry(path) for path in sorted({*read}) if path.is_file()},
    }
    return write_text(folder / INVENTORY, json.dumps(content))


def damage(folder: Path, *, contents: bool = False) -> str | None:
    """Compare a folder with its inventory.

    Parameters
    ----------
    folder
        Of a step that finished in an earlier call.
    contents
        Whether every file is read, those that the step read as well. Otherwise a file of the same
        size and time counts as the same, and only others are read.

    Returns
    -------
    What is wrong, in words; None where nothing is.

    """
    try:
        content = json.loads((folder / INVENTORY).read_text(encoding='utf-8'))
        for name, entry in content['made'].items():
            if said := difference(folder / name, entry, contents=contents):
                return said
        for name, entry in content['read'].items() if contents else ():
            if said := difference(Path(name), entry, contents=True):
                return said
    except FileNotFoundError:
        return f'{folder} has no inventory'
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f'the inventory of {folder} cannot be read ({error})'
    return None


def difference(path: Path, entry: Mapping[str, Any], *, contents: bool = False) -> str | None:
    """What tells a file from the one that an entry describes; None where nothing does.

    Parameters
    ----------
    path
        The file.
    entry
        What :func:`file_entry` gave.
    contents
        Whether it is read even if size and time are the same.

    """
    if not path.is_file():
        return f'{path} is missing'
    found = path.stat()
    if found.st_size != entry['size']:
        return f'{path} has {found.st_size} bytes, expected {entry["size"]}'
    if (contents or found.st_mtime_ns != entry['time_ns']) and _checksum(path) != entry['crc32']:
        return f'{path} no longer holds what it held'
    return None


def others_may_write(path: Path) -> bool:
    """Whether all users of the machine may write to a file or a folder."""
    return bool(path.stat().st_mode & stat.S_IWOTH)


def file_entry(path: Path) -> dict[str, int]:
    """Size, time and checksum of a file."""
    found = path.stat()
    return {'size': found.st_size, 'time_ns': found.st_mtime_ns, 'crc32': _checksum(path)}


def _checksum(path: Path) -> int:
    total = 0
    with path.open('rb') as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            total = isal_zlib.crc32(chunk, total)
    return total

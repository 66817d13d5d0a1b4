"""Results of finished nodes in the work folder: whether they can be used again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bidsqsm.files.inventory import damage, others_may_write, write_inventory

#: How the files end in which Nipype keeps account of a node.
_BOOKS = ('.json', '.pklz')


def keep_account(node: Any) -> None:
    """Write down what a node that has just ended made, and of what."""
    write_inventory(Path(node.output_dir()), _files_read(node))


def remove_unusable(node: Any, tell: Callable[[Any, str], None], *, contents: bool) -> None:
    """Remove the finished result of a node if it cannot be used again; its end is no more then.

    Parameters
    ----------
    node
        Whose inputs can be had: what it depends on was looked at before.
    tell
        Called with the node and what is wrong with its result.
    contents
        Whether every file is read that it was made from and consists of.

    """
    for place in _folders_of(node):
        if place.is_symlink() or place.is_file():  # damage, since all of them are folders
            place.unlink()
    folder = Path(node.output_dir())
    if any(path.is_dir() for path in folder.glob('*') if path.suffix in _BOOKS):
        shutil.rmtree(folder)
    if node.interface.always_run or not all(node.is_cached()):
        return
    if trouble := _trouble(node, contents=contents):
        tell(node, trouble)
        shutil.rmtree(folder)


def _trouble(node: Any, *, contents: bool) -> str | None:
    folder = Path(node.output_dir())
    if trouble := damage(folder, contents=contents):
        return trouble
    # a stored object can run code as it is loaded
    for path in (folder / f'result_{node.name}.pklz', *_folders_of(node)):
        if others_may_write(path):
            return f'all may write to {path}, and who else did is not known'
    try:
        outputs = node.result.outputs
    except Exception as error:  # noqa: BLE001 - a stored object may fail to load in any way
        return (
            f'its result cannot be loaded ({" ".join(f"{type(error).__name__}: {error}".split())})'
        )
    return None if outputs is not None else 'its result is empty'


def _folders_of(node: Any) -> Iterator[Path]:
    """The folder of a node and those that it lies in, up to the work folder."""
    folder, work = Path(node.output_dir()), Path(node.base_dir).resolve()
    for place in (folder, *folder.parents):
        if place == work:
            return
        yield place


def _files_read(node: Any) -> set[Path]:
    """Files from outside the work folder that a node was given."""
    work = Path(node.base_dir).resolve()
    return {
        path
        for path in _paths(node._hashed_inputs)  # noqa: SLF001 - told nowhere else
        if not path.resolve().is_relative_to(work)
    }


def _paths(hashed: Any) -> Iterator[Path]:
    # Nipype keeps a file as the pair of its path and its hash
    match hashed:
        case [str(path), str(_)] if Path(path).is_absolute() and Path(path).is_file():
            yield Path(path)
        case list() | tuple():
            for part in hashed:
                yield from _paths(part)

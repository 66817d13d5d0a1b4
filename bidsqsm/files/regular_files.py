"""Only regular files are opened, whatever has the name of one, and texts only up to a length."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bidsqsm.errors import DatasetError

#: The longest table or JSON file that is read; those of BIDS have kilobytes.
MOST_TEXT_BYTES = 2**26
_KINDS = (
    (stat.S_ISDIR, 'is a folder', errno.EISDIR),
    (stat.S_ISFIFO, 'is a named pipe', errno.EINVAL),
    (stat.S_ISSOCK, 'is a socket', errno.EINVAL),
    (stat.S_ISCHR, 'is a device', errno.EINVAL),
    (stat.S_ISBLK, 'is a device', errno.EINVAL),
)
_CODES = {
    errno.ELOOP: 'is a link that leads back to itself: mend or remove it',
    errno.EACCES: 'may not be read by this user: mend its rights or those of its folder',
    errno.EPERM: 'may not be read by this user: mend its rights or those of its folder',
    errno.ENAMETOOLONG: 'has a longer name than the disk takes: shorten it',
    errno.ENOTDIR: 'is, or lies below, what is no folder: put the folder there',
}


class NotRegularError(OSError):
    """What has the name of a file is something else, which its ``strerror`` tells."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes; OSError where it is none, without waiting for a pipe."""
    try:
        _check_kind(path, path.stat().st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a path with a zero byte in it
        raise OSError(errno.EINVAL, f'is no path ({error})', str(path)) from error
    try:
        # it may have been replaced meanwhile
        _check_kind(path, os.fstat(handle).st_mode)
        return os.fdopen(handle, 'rb')
    except BaseException:
        os.close(handle)
        raise


def read_text(path: Path) -> str:
    """Read a text in UTF-8, with a mark at its start or without.

    Raises
    ------
    OSError
        Where it cannot be opened.
    ValueError
        Where it is too long, or no text in UTF-8.

    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        content = stream.read(MOST_TEXT_BYTES + 1)
    if len(content) > MOST_TEXT_BYTES:
        most = MOST_TEXT_BYTES // 2**20
        raise ValueError(
            f'it holds {size / 2**20:.0f} MiB, where a text of {most} MiB is the most'
        )
    text = content.decode('utf-8-sig')
    if '\0' in text:
        raise ValueError('it holds zero bytes: it is binary, or a text in UTF-16')
    return text


def why_no_folder(path: Path) -> str:
    """What is wrong with a path that should be a folder; empty where it is one."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return ''
    except OSError as error:
        return why_unreadable(path, error)
    except ValueError as error:
        return f'is no path ({error})'
    return 'is not a folder'


def why_unreadable(path: Path, error: OSError) -> str:
    """What is wrong with a file or folder that cannot be opened, and what to do, less its path.

    Examples
    --------
    >>> why_unreadable(Path('gone.json'), FileNotFoundError(2, 'No such file or directory'))
    'does not exist'

    """
    if isinstance(error, NotRegularError):
        return f'{error.strerror}, expected a regular file: put the file itself there'
    if isinstance(error, FileNotFoundError):
        # a DataLad dataset has dangling links in place of files that were not fetched
        linked = os.path.islink(path)  # noqa: PTH114 - Path.is_symlink raises for some paths
        return 'is a link to nothing (fetch it first)' if linked else 'does not exist'
    known = _CODES.get(error.errno or 0)
    return known or f'cannot be read ({error.strerror or error}): fetch or mend it'


def unreadable(path: Path, error: Exception, expected: str) -> DatasetError:
    """The sentence for a file that could not be read, whatever was met in it.

    Parameters
    ----------
    path
        The file.
    error
        What reading it raised.
    expected
        What it was to be, such as ``'a whole NIfTI file'``.

    """
    if isinstance(error, OSError) and error.errno is not None:
        return DatasetError(f'{path} {why_unreadable(path, error)}')
    if isinstance(error, MemoryError):
        reason = 'it takes more memory than there is'
    else:
        reason = ' '.join(f'{error}'.split()) or type(error).__name__
    return DatasetError(
        f'{path} cannot be read ({reason}), expected {expected}: copy or convert it anew'
    )


@contextmanager
def told(path: Path, expected: str) -> Iterator[None]:
    """Tell by :func:`unreadable` whatever is met while a file is read: it may hold anything."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:
        raise unreadable(path, error, expected) from error


def _check_kind(path: Path, mode: int) -> None:
    for holds, words, code in _KINDS:
        if holds(mode):
            raise NotRegularError(code, words, str(path))

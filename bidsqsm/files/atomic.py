"""Writes that leave either the whole file, or the whole set of files, or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.files.gzip_files import created

#: Age from which on a folder that is locked by no one is taken for left behind, in s
YOUNGEST_ABANDONED_S = 2.0


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text under a temporary name beside the file, then rename.

    Names of files that are no UTF-8 are written escaped.
    """
    return write_bytes(path, text.encode(errors='backslashreplace'))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes under a temporary name beside the file, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # not by tempfile, whose files only their owner reads: a dataset is shared
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:12]}')
    try:
        with temporary.open('xb') as stream:
            stream.write(content)
        temporary.replace(path)
    except OSError as error:  # a full disk does not say which one it is
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def write_image(
    path: Path, values: npt.NDArray[Any], affine: npt.NDArray[np.float64], header: nb.Nifti1Header
) -> None:
    """Write a ``.nii.gz`` whose bytes depend on the image alone, not on the clock or the name."""
    image = nb.Nifti1Image(values, affine, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    with created(path) as stream:
        image.to_stream(stream)


@contextmanager
def staged(output_dir: Path, name: str) -> Iterator[Path]:
    """Give a folder to write into; its files move into ``output_dir`` if all went well.

    The folder lies inside ``output_dir``, so that every move is a rename on one
    disk. If the body or a move fails, what was there before is put back and the
    folder is removed.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f'.{name}-', dir=output_dir))
    # the kernel lets go of it when this process ends, however it does
    handle = os.open(room, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new, old = room / 'new', room / 'old'
        new.mkdir()
        yield new
        _move_all(new, old, output_dir)
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(handle)


def sweep_staged(output_dir: Path) -> None:
    """Remove the folders of :func:`staged` whose process was killed; those in use stay."""
    for room in output_dir.glob('.*-*'):
        if room.is_symlink() or not room.is_dir() or not _abandoned(room):
            continue
        shutil.rmtree(room, ignore_errors=True)


def _abandoned(room: Path) -> bool:
    # a folder that was made a moment ago may not have its lock yet
    try:
        if {part.name for part in room.iterdir()} - {'new', 'old'}:
            return False
        if time.time() - room.stat().st_mtime < YOUNGEST_ABANDONED_S:
            return False
        handle = os.open(room, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # in use, or on a disk that has no such locks
        return False
    finally:
        os.close(handle)
    return True


def _move_all(new: Path, old: Path, target: Path) -> None:
    """Move every file from ``new`` to ``target``, each in one step, or put all back from ``old``."""
    files = sorted(path.relative_to(new) for path in new.rglob('*') if path.is_file())
    moved: list[Path] = []
    with _alone(target):
        try:
            for name in files:
                for folder in (old, target):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                moved.append(name)
                _keep(target / name, old / name)
                (new / name).replace(target / name)
        except BaseException:
            for name in reversed(moved):
                if (old / name).exists():
                    (old / name).replace(target / name)
                elif not (new / name).exists():
                    (target / name).unlink(missing_ok=True)
            raise


def _keep(path: Path, kept: Path) -> None:
    """Give a file a second name, if it is there; under its own it is never missing."""
    with suppress(FileNotFoundError):
        try:
            os.link(path, kept)
        except FileNotFoundError:
            raise
        except OSError:  # a disk without links
            shutil.copy2(path, kept)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for whoever moves files into the folder, so that two sets of files do not mix.

    Disks that have no such locks go without: files then still come whole, each in one step.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

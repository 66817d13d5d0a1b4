"""Checks of the folders of a call, before anything is computed or written."""

from __future__ import annotations

import os
import shlex
import stat
import uuid
from pathlib import Path

from bidsqsm.config import Config
from bidsqsm.errors import DatasetError
from bidsqsm.files.inventory import others_may_write
from bidsqsm.files.regular_files import why_no_folder

#: Variables that point to caches; all of them go into the work folder.
_CACHES = {
    'NUMBA_CACHE_DIR': 'numba',
    'MPLCONFIGDIR': 'matplotlib',
    'NIPYPE_CONFIG_DIR': 'nipype',
    'DENO_DIR': 'deno',
}
#: Folders of the work folder whose files are loaded as objects or as compiled code.
_OWN_PARTS = {'bidsqsm_wf', *_CACHES.values()}
_ALL_PARTS = {*_OWN_PARTS, 'claims', 'records'}


def check_places(bids: Path, out: Path) -> None:
    """Refuse an input that is no folder, and an output that would mix with it."""
    if why := why_no_folder(bids):
        raise DatasetError(f'{bids} {why}, expected the root of a BIDS dataset')
    if out.is_relative_to(bids) and not _among_derivatives(bids, out):
        raise DatasetError(
            f'the output {out} is inside the input {bids}, expected a folder outside it or in '
            'its derivatives/: choose another'
        )
    if bids.is_relative_to(out):
        raise DatasetError(
            f'the input {bids} is inside {out}, which is written to: choose another'
        )


def check_paths(config: Config) -> None:
    """Refuse folders that would mix input, output and intermediate files.

    Raises
    ------
    DatasetError
        Where the input is no folder, or the output or work folder lies where it must not.

    """
    bids, out, work = config.bids_dir, config.output_dir, config.work_dir
    check_places(bids, out)
    if work.is_relative_to(bids):
        raise DatasetError(
            f'the work folder {work} is inside the input {bids}, expected one outside it: '
            'choose another with --work-dir'
        )
    if work == out or work.is_relative_to(out):
        raise DatasetError(
            f'the work folder {work} is inside the output {out}, whose files are for sharing: '
            'choose another with --work-dir'
        )
    if bids.is_relative_to(work):
        raise DatasetError(
            f'the input {bids} is inside {work}, which is written to: choose another'
        )


def make_writable(folder: Path, name: str) -> None:
    """Make a folder and try it, so that a read-only place is told before hours of computing."""
    # processes in containers share their numbers
    trial = folder / f'.bidsqsm-{uuid.uuid4().hex}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b'0')
        trial.unlink()
    except OSError as error:
        raise DatasetError(
            f'the {name} folder {folder} cannot be written ({error.strerror}), expected a '
            'writable folder with free space: choose another or mend its rights'
        ) from error


def write_for_no_others() -> None:
    """What this process and those it starts make from now on is not for all to write to."""
    os.umask(os.umask(0) | stat.S_IWOTH)


def keep_others_out(work: Path) -> None:
    """Refuse a work folder that all may write to: what is read back from it can run code.

    The members of its group are trusted. In a folder such as ``/tmp``, where all may make files but
    only touch their own, what is there already has to be the user's.
    """
    mode = work.stat().st_mode
    shared = bool(mode & stat.S_IWOTH)
    if shared and not mode & stat.S_ISVTX:
        raise _open_to_all(work)
    for part in sorted(work.iterdir()):
        found = part.stat() if part.is_dir() else None
        if found and part.name in _OWN_PARTS:
            if others_may_write(part):
                raise _open_to_all(part)
            if shared and found.st_uid != os.geteuid():
                raise DatasetError(
                    f'{part} belongs to another user, expected a work folder of your own, since '
                    'what is read back from it can run code: choose another with --work-dir'
                )


def _open_to_all(folder: Path) -> DatasetError:
    mode = stat.S_IMODE(folder.stat().st_mode)
    return DatasetError(
        f'all may write to {folder} (mode {mode:04o}), expected a work folder that only you and your '
        'group may write to, since what is read back from it can run code: take the right from '
        f'them (chmod -R o-w {shlex.quote(str(folder))}) or choose another with --work-dir'
    )


def mend_parts(work: Path) -> None:
    """Remove what lies in the place of a folder of the work folder, and can only be damage."""
    for name in sorted(_ALL_PARTS):
        place = work / name
        if (place.is_symlink() or place.exists()) and not place.is_dir():
            place.unlink()


def contain_caches(work_dir: Path) -> None:
    """Send every cache into the work folder and every question about updates nowhere."""
    for variable, name in _CACHES.items():
        if not os.environ.get(variable):
            folder = work_dir / name
            folder.mkdir(parents=True, exist_ok=True)
            os.environ[variable] = str(folder)
    os.environ['NO_ET'] = os.environ['NIPYPE_NO_ET'] = '1'


def _among_derivatives(bids: Path, out: Path) -> bool:
    return out.is_relative_to(bids / 'derivatives') and out != bids / 'derivatives'

"""Checks of the folders of a call, before anything is computed or written."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from bidsqsm.config import Config
from bidsqsm.errors import DatasetError

#: Variables that point to caches; all of them go into the work folder.
_CACHES = {
    'NUMBA_CACHE_DIR': 'numba',
    'MPLCONFIGDIR': 'matplotlib',
    'NIPYPE_CONFIG_DIR': 'nipype',
    'DENO_DIR': 'deno',
}


def check_places(bids: Path, out: Path) -> None:
    """Refuse an input that is no folder, and an output that would mix with it."""
    if not bids.is_dir():
        raise DatasetError(f'{bids} is not a folder, expected the root of a BIDS dataset')
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

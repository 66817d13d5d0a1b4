"""Downloads from TemplateFlow, through its client; the one module that asks for the network."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bidsqsm.atlases.checksums import is_as_known, is_as_published, record_fetched
from bidsqsm.atlases.templateflow import files_of, home, is_there
from bidsqsm.errors import DatasetError

Report = Callable[[Path, str], None]


class FetchError(RuntimeError):
    """A file could not be fetched; the sentence says why and what to do."""


def fetch(atlases: Iterable[str], spaces: Iterable[str], report: Report) -> list[Path]:
    """Bring what atlases and output spaces need into TemplateFlow's home.

    Parameters
    ----------
    atlases
        Names of known atlases.
    spaces
        ``NAME`` or ``NAME:res-N``.
    report
        Called with each file and 'was there' or 'fetched'.

    Returns
    -------
    Files that were fetched.

    Raises
    ------
    FetchError
        Where there is no network, no such file, or no right to write.

    """
    atlases, spaces = list(atlases), list(spaces)
    client = _client(atlases, spaces)
    fetched = []
    for file in files_of(atlases, spaces):
        if is_whole(file) and is_as_known(file):
            report(file, 'was there')
            continue
        _fetch_file(client, file)
        report(file, 'fetched')
        if not is_as_published(file):
            report(file, 'not what was published before, which may be a newer version')
        fetched.append(file)
        record_fetched([file])
    return fetched


def is_whole(file: Path) -> bool:
    """Whether a file is there and, if it is compressed, not cut short."""
    if not is_there(file):
        return False
    if file.suffix != '.gz':
        return True
    try:
        with gzip.open(file) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        return False
    return True


def query(file: Path) -> dict[str, Any]:
    """What to ask TemplateFlow for, to be given this file and no other.

    Examples
    --------
    >>> query(Path('tpl-X_res-02_desc-brain_mask.nii.gz'))
    {'template': 'X', 'resolution': 2, 'atlas': None, 'desc': 'brain', 'suffix': 'mask', 'extension': '.nii.gz'}

    """
    stem, dot, ending = file.name.partition('.')
    *pairs, suffix = stem.split('_')
    entities = dict(pair.split('-', 1) for pair in pairs)
    return {
        'template': entities['tpl'],
        'resolution': int(entities['res']) if 'res' in entities else None,
        'atlas': entities.get('atlas'),
        'desc': entities.get('desc'),
        'suffix': suffix,
        'extension': dot + ending,
    }


def _client(atlases: Iterable[str], spaces: Iterable[str]) -> Any:
    root = home()
    # importing the library fills its home with empty placeholders; that must be this one
    os.environ['TEMPLATEFLOW_HOME'] = f'{root}'
    try:
        root.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore', ResourceWarning)
            from templateflow.client import TemplateFlowClient

            client = TemplateFlowClient(root=root)
            # it lists only what has a placeholder, and an old home lacks those of newer files
            if not all(os.path.lexists(file) for file in files_of(atlases, spaces)):
                client.cache.update(local=True, overwrite=False, silent=True)
    except OSError as error:
        raise FetchError(
            f"TemplateFlow's home {root} cannot be written ({error.strerror or error}), expected "
            'a writable folder: set TEMPLATEFLOW_HOME to one'
        ) from error
    return client


def _fetch_file(client: Any, file: Path) -> None:
    try:
        _empty(file)  # the client takes a download that was cut short for the file
        found = _download(client, file)
        if file not in found:
            raise DatasetError(
                f'TemplateFlow has no {file.name}, expected the name of a human template with a '
                'T1w image and a resolution that it has: see https://www.templateflow.org/browse'
            )
    except (OSError, RuntimeError) as error:
        why = _reason(error)
        raise FetchError(f'{file.name} could not be fetched into {file.parent}: {why}') from error
    finally:
        _empty(file, as_it_came=True)
    if not is_whole(file):
        raise FetchError(f'{file.name} came incomplete: run the same command again')


def _empty(file: Path, *, as_it_came: bool = False) -> None:
    # an empty file is a placeholder, to the client as to the look-up
    sound = is_whole(file) and (as_it_came or is_as_known(file))
    if is_there(file) and not sound and not file.is_symlink():
        file.write_bytes(b'')


def _download(client: Any, file: Path) -> list[Path]:
    # the client tells its progress on standard error
    with contextlib.redirect_stderr(io.StringIO()):
        found = client.get(**query(file))
    return [Path(path) for path in (found if isinstance(found, list) else [found])]


def _reason(error: Exception) -> str:
    text = ' '.join(f'{error}'.split())
    if type(error).__module__.startswith(('requests', 'urllib3')):
        host = re.search(r"host='([^']+)'", text)
        where = f' to {host[1]}' if host else ''
        return f'no network{where} ({type(error).__name__}); run it where there is one'
    if status := re.search(r'status code (\d+)', text):
        return f'the server answered {status[1]}'
    return text

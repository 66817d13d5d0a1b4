"""The log file of a call; nothing that a library says reaches the terminal."""

from __future__ import annotations

import logging
import os
import sys
import time
import uuid
import warnings
from pathlib import Path

from bidsqsm.files.plain_text import escaped_lines

#: Level of the log for bidsqsm and for Nipype, by how often -v was given.
_LEVELS = (
    (logging.INFO, logging.WARNING),
    (logging.INFO, logging.INFO),
    (logging.DEBUG, logging.DEBUG),
)


def new_identity() -> str:
    """Name of a call, which no other has; the later call sorts behind the earlier one."""
    return f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4().hex[:8]}'


class _Plain(logging.Formatter):
    """Further lines of a record are set in, so that none of them passes for a record."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped_lines(super().format(record)).replace('\n', '\n  ')


def start_logging(path: Path, verbose: int = 0) -> None:
    """Send the records of every library to a file, one line each, with the time."""
    own, _ = _LEVELS[min(verbose, 2)]
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding='utf-8')
    handler.setFormatter(_Plain('%(asctime)s %(levelname)s %(name)s: %(message)s'))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, logging.FileHandler | logging.StreamHandler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger('bidsqsm').setLevel(own)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a disk that is full must not fill the terminal with traces
    if not sys.warnoptions:
        warnings.simplefilter('default' if verbose else 'ignore')


def quiet_nipype(verbose: int = 0) -> None:
    """Take off the handlers of Nipype, which would print; only the participants' level loads it."""
    _, level = _LEVELS[min(verbose, 2)]
    os.environ['NIPYPE_NO_ET'] = '1'
    import nipype  # noqa: F401 - makes its handlers, which are taken off again

    for name in ('nipype', 'nipype.workflow', 'nipype.utils', 'nipype.interface'):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(level)

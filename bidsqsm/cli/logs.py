"""The log file of a call; nothing that a library says reaches the terminal."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

#: Level of the log for bidsqsm and for Nipype, by how often -v was given.
_LEVELS = (
    (logging.INFO, logging.WARNING),
    (logging.INFO, logging.INFO),
    (logging.DEBUG, logging.DEBUG),
)


def start_logging(path: Path, verbose: int = 0) -> None:
    """Send the records of every library to a file, one line each, with the time."""
    own, nipype = _LEVELS[min(verbose, 2)]
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding='utf-8')
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s'))
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
    _quiet_nipype(nipype)


def _quiet_nipype(level: int) -> None:
    os.environ['NIPYPE_NO_ET'] = '1'
    import nipype  # noqa: F401 - makes its handlers, which are taken off again

    for name in ('nipype', 'nipype.workflow', 'nipype.utils', 'nipype.interface'):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(level)

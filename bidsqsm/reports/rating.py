"""The form in which a person rates the runs of a page, and what was rated before."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from bidsqsm.io.errors import DatasetError
from bidsqsm.io.ratings import Rating, Settled, rating_files, read_rating_file, settle

#: In the order of the form.
CHOICES: Mapping[str, str] = {'keep': 'Keep', 'unsure': 'Unsure', 'exclude': 'Exclude'}


@dataclass(frozen=True)
class Earlier:
    """Ratings that lie in a derivative dataset, by the name of the run, and files in doubt."""

    settled: Mapping[str, Settled] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def earlier_ratings(output_dir: Path) -> Earlier:
    """Read the ratings of a dataset; a file that cannot be read is told, and the others used."""
    found: list[Rating] = []
    troubles = []
    for path in rating_files(output_dir):
        try:
            found += read_rating_file(path)
        except DatasetError as error:
            troubles.append(str(error))
    return Earlier(settle(found), tuple(troubles))


@cache
def script() -> str:
    """The script of the page."""
    return (files('bidsqsm') / 'data' / 'report.js').read_text(encoding='utf-8').strip()


@cache
def script_hash() -> str:
    """What the page's policy allows the script by: the digest of the text between its tags."""
    digest = hashlib.sha256(f'\n{script()}\n'.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


__all__ = ['CHOICES', 'Earlier', 'earlier_ratings', 'script', 'script_hash']

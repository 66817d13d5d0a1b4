"""BIDS file names taken apart and put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bidsqsm.files.plain_text import escaped

# the order of entities in a file name (BIDS 1.10), and the long names that PyBIDS uses in queries
LONG_NAMES = {
    'sub': 'subject',
    'ses': 'session',
    'sample': 'sample',
    'task': 'task',
    'tracksys': 'tracksys',
    'acq': 'acquisition',
    'nuc': 'nucleus',
    'voi': 'volume',
    'ce': 'ceagent',
    'trc': 'tracer',
    'stain': 'staining',
    'rec': 'reconstruction',
    'dir': 'direction',
    'run': 'run',
    'mod': 'modality',
    'echo': 'echo',
    'flip': 'flip',
    'inv': 'inv',
    'mt': 'mt',
    'part': 'part',
    'proc': 'proc',
    'hemi': 'hemi',
    'space': 'space',
    'split': 'split',
    'recording': 'recording',
    'chunk': 'chunk',
    'atlas': 'atlas',
    'seg': 'seg',
    'res': 'resolution',
    'den': 'density',
    'label': 'label',
    'desc': 'desc',
}
ENTITY_ORDER = tuple(LONG_NAMES)
LABEL = re.compile('[0-9A-Za-z+]+')
IMAGE = ('.nii', '.nii.gz')
WITHIN_RUN = ('echo', 'part')  # what may differ between the files of one run


class Channel(NamedTuple):
    """A receive channel as a file name tells it.

    Attributes
    ----------
    key
        The entity that tells it.
    rest
        What is left of the entity's label without it; empty where that is nothing.
    label
        Of the channel.

    """

    key: str
    rest: str
    label: str


@dataclass(frozen=True)
class BidsFile:
    """A file and what its name says.

    Parameters
    ----------
    path
        Where it is.
    entities
        Short keys to labels, in the order of BIDS.
    suffix
        The last word of the name, such as ``MEGRE``.
    extension
        With its dot.
    channel
        The receive channel that it holds, where its name tells one.

    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str
    channel: Channel | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def echo(self) -> int | None:
        """Number of the echo, None where the name has none."""
        return int(self.entities['echo']) if 'echo' in self.entities else None

    @property
    def run_entities(self) -> dict[str, str]:
        """What all files of one run share."""
        shared = {key: value for key, value in self.entities.items() if key not in WITHIN_RUN}
        if self.channel is not None:
            shared[self.channel.key] = self.channel.rest
        return {key: value for key, value in shared.items() if value}


def parse(path: Path) -> BidsFile | None:
    """Take a file name apart.

    Returns
    -------
    None for a name that is not made of ``key-value`` pairs and a suffix.

    Examples
    --------
    >>> file = parse(Path('sub-01_run-2_echo-1_part-phase_MEGRE.nii.gz'))
    >>> file.run_entities, file.suffix, file.echo
    ({'sub': '01', 'run': '2'}, 'MEGRE', 1)

    """
    stem, dot, rest = path.name.partition('.')
    *pairs, suffix = stem.split('_')
    entities = {}
    for pair in pairs:
        key, dash, value = pair.partition('-')
        if not (dash and key and value) or key in entities:
            return None
        entities[key] = escaped(value)
    if not suffix.isalnum() or not entities.get('echo', '0').isdecimal():
        return None
    return BidsFile(path, in_order(entities), suffix, dot + rest)


def in_order(entities: Mapping[str, str]) -> dict[str, str]:
    """Bring entities into the order of BIDS; unknown ones stay last."""
    known = [key for key in ENTITY_ORDER if key in entities]
    return {
        key: entities[key] for key in (*known, *(k for k in entities if k not in ENTITY_ORDER))
    }


def join(entities: Mapping[str, str]) -> str:
    """Write entities as they stand in a file name.

    Examples
    --------
    >>> join({'sub': '01', 'ses': 'a'})
    'sub-01_ses-a'

    """
    return '_'.join(f'{key}-{value}' for key, value in entities.items())


def anchor(run: str) -> str:
    """The part of an address that leads to a run on the page of its subject.

    Examples
    --------
    >>> anchor('sub-01_acq-a+b')
    'sub-01_acq-a-b'

    """
    return re.sub(r'[^\w-]', '-', run)


def viewer_name(run: str) -> str:
    """Name of the page with the viewer of a run, among the figures of its subject."""
    return f'{run}_viewer.html'


def thumbnail_name(run: str) -> str:
    """Name of the small picture of a run's map, among the figures of its subject."""
    return f'{run}_desc-thumbnail_Chimap.webp'


def natural(text: str) -> list[tuple[int, str]]:
    """Sorting key that puts run-2 before run-10.

    Examples
    --------
    >>> sorted(['run-10', 'run-2'], key=natural)
    ['run-2', 'run-10']

    """
    words = re.split(r'(\d+)', text)
    # the text itself breaks the tie between 1 and 01
    return [(int(w), '') if w.isdecimal() else (-1, w) for w in words] + [(-1, text)]


def listed(words: Iterable[str], most: int = 20) -> str:
    """Join words by commas, the first few of them where there are many."""
    words = list(words)
    more = f' and {len(words) - most} more' if len(words) > most else ''
    return ', '.join(words[:most]) + more if words else 'none'

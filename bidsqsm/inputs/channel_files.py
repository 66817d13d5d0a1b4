"""Receive channels in a file each, which make one run and not as many as there are channels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import BidsFile, Channel, listed, natural
from bidsqsm.inputs.run import PARTS, GreRun

#: Entities, none of them of BIDS, that number channels
CHANNEL_KEYS = ('coil', 'ch', 'chan', 'channel', 'rx', 'rcv', 'receiver', 'element')
#: Entities of BIDS whose label may number channels
_LABELLED_KEYS = ('acq', 'rec', 'proc', 'desc', 'chunk', 'split')
_WORD = re.compile(
    r'(?P<rest>|.*?(?:[0-9a-z+](?=[A-Z])|(?=coil|channel)))'
    r'(?:[Cc]oil|[Cc]hannel|[Cc]han|[Cc]h|[Rr]x)(?P<number>\d+)'
)
Group = list[BidsFile]


def with_channels(files: Sequence[BidsFile]) -> Group:
    """Mark the files that hold one receive channel of several.

    A label such as ``acq-coil32`` may name the hardware: channels are those that differ in nothing else and
    are numbered from 0 or 1 without end.

    Parameters
    ----------
    files
        Images in any order; it is kept.

    """
    marked = [_marked(file) for file in files]
    numbers: dict[tuple[object, ...], set[str]] = {}
    for file in marked:
        if file.channel is not None:
            numbers.setdefault(_siblings(file), set()).add(file.channel.label)
    return [
        one if one.channel and _are_channels(one.channel, numbers[_siblings(one)]) else file
        for one, file in zip(marked, files, strict=True)
    ]


def _marked(file: BidsFile) -> BidsFile:
    for key, label in file.entities.items():
        if key in CHANNEL_KEYS:
            return replace(file, channel=Channel(key, '', label))
        if key in _LABELLED_KEYS and (word := _WORD.fullmatch(label)):
            return replace(file, channel=Channel(key, word['rest'], word['number']))
    return file


def _siblings(file: BidsFile) -> tuple[object, ...]:
    key = file.channel.key if file.channel else ''
    return (file.path.parent, file.suffix, key, *file.run_entities.items())


def _are_channels(channel: Channel, labels: set[str]) -> bool:
    if len(labels) < 2:
        return False
    if channel.key in CHANNEL_KEYS:
        return True
    numbers = sorted(map(int, labels))
    return numbers[0] in {0, 1} and numbers[-1] - numbers[0] == len(numbers) - 1


def channels_of(group: Group) -> tuple[list[Group], list[str]]:
    """Part the files of a run by channel, in their order; no group where it has none.

    Files of all channels combined beside them are used in their place where they have phase, and
    are left aside otherwise; either is told.
    """
    combined = [file for file in group if file.channel is None]
    labels = sorted({f.channel.label for f in group if f.channel}, key=natural)
    if not labels:
        return [], []
    alone = [[f for f in group if f.channel and f.channel.label == label] for label in labels]
    if any(file.entities.get('part') in {'phase', 'real'} for file in combined):
        said = f'{alone[0][0].name}: single channels are left aside, they are combined in {combined[0].name}.'
        return [], [said]
    if combined:
        said = f'{combined[0].name} is left aside: its channels are there in files of their own.'
        return alone, [said]
    return alone, []


def join_channels(runs: Sequence[GreRun], said: Sequence[str]) -> GreRun:
    """Make one run of the runs of its channels.

    Raises
    ------
    DatasetError
        Where they are not alike.

    """
    first = runs[0]
    for run in runs[1:]:
        for what, ours, theirs in (
            ('parts', first.own_parts, run.own_parts),
            ('echo times', first.echo_times, run.echo_times),
            ('voxels', first.shape, run.shape),
            ('place', first.affine, run.affine),
        ):
            if ours != theirs:
                raise DatasetError(
                    f'{run.files[0].name} is of a receive channel with {what} {theirs} where that of '
                    f'{first.files[0].name} has {ours}, expected all channels alike: add what '
                    'is missing or export them anew'
                )
    if first.n_channels > 1:
        raise DatasetError(
            f'{first.files[0].name} names a receive channel and holds {first.n_channels}, expected '
            'one in each such file: take the channel out of its name'
        )
    magnitude, phase, real, imag = (_in_turn(runs, part) for part in PARTS)
    files = listed((run.files[0].name for run in runs), 2)
    told = f'{files}: {len(runs)} receive channels with files of their own were taken as one run.'
    return replace(
        first,
        magnitude=magnitude,
        phase=phase,
        real=real,
        imag=imag,
        layout='channel-files',
        n_channels=len(runs),
        warnings=(*first.warnings, *said, told),
    )


def _in_turn(runs: Sequence[GreRun], part: str) -> tuple[Path, ...]:
    return tuple(path for run in runs for path in getattr(run, part))

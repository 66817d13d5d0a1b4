"""The files of one acquisition made into a run, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, pairwise, permutations
from pathlib import Path
from typing import Any

from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import Header, check_grids, read_header
from bidsqsm.inputs.channel_files import channels_of, join_channels
from bidsqsm.inputs.metadata import (
    Sidecars,
    agreed_echo_times,
    echo_times,
    field_of,
    merge_echoes,
    usable,
)
from bidsqsm.inputs.names import LABEL, BidsFile, in_order, join, listed
from bidsqsm.inputs.run import LAYOUTS, GreRun

PART_NAMES = {'mag': 'magnitude', 'phase': 'phase', 'real': 'real', 'imag': 'imag'}
#: Sidecars by what they say of what matters: that of the phase, or the real part, has the last word.
_LAST_WORD = ('mag', 'imag', 'phase', 'real')
Parts = dict[str, list[BidsFile]]
#: A thinner slab holds too little of the dipole field to be inverted
THINNEST_SLAB_VOXELS = 8


def build_run(files: Sequence[BidsFile], sidecars: Sidecars) -> GreRun:
    """Make a run of the files that share all entities but echo, part and receive channel.

    Parameters
    ----------
    files
        All of them.
    sidecars
        Where their metadata are read.

    Raises
    ------
    DatasetError
        With the file, what was found, what was expected and what to do.

    """
    channels, said = channels_of(list(files))
    if channels:
        return join_channels([_build(channel, sidecars) for channel in channels], said)
    run = _build([file for file in files if file.channel is None], sidecars)
    return replace(run, warnings=(*run.warnings, *said))


def _build(files: Sequence[BidsFile], sidecars: Sidecars) -> GreRun:
    _check_labels(files[0])
    parts, said = _parts(files)
    headers = {part: [read_header(file.path) for file in of] for part, of in parts.items()}
    check_grids(list(chain(*headers.values())))
    layout, n_echoes, n_channels = _layout(parts, headers)
    shape = next(iter(headers.values()))[0].shape
    if min(shape) < THINNEST_SLAB_VOXELS:
        parts, more = _of_thin_slab(parts, shape, n_echoes)
        said += more
    else:
        said += _remarks(files, parts, n_echoes)
    if layout != 'echo-files':
        said.append(f'{next(iter(parts.values()))[0].name}: {LAYOUTS[layout]} were taken.')
    each = {part: [sidecars.of(file) for file in of] for part, of in parts.items()}
    times = agreed_echo_times(
        {PART_NAMES[p]: (of, echo_times(of, each[p], n_echoes)) for p, of in parts.items()}
    )
    order = [part for part in _LAST_WORD if part in parts]
    metadata: dict[str, Any] = {}
    for part in order:
        metadata |= merge_echoes(each[part])
    leading, header = parts[order[-1]][0], headers[order[-1]][0]
    metadata, left_aside = usable(metadata, leading.name)
    said += left_aside
    field_strength, imaging_frequency = field_of(metadata, leading.name)
    said += _once(w for h in chain(*headers.values()) for w in h.warnings)
    return GreRun(
        entities=leading.run_entities,
        suffix=leading.suffix,
        magnitude=_paths(parts, 'mag'),
        phase=_paths(parts, 'phase'),
        real=_paths(parts, 'real'),
        imag=_paths(parts, 'imag'),
        layout=layout,
        n_channels=n_channels,
        echo_times=tuple(times),
        echo_numbers=tuple(file.echo for file in parts[order[-1]] if file.echo is not None),
        field_strength=field_strength,
        imaging_frequency=imaging_frequency,
        shape=header.shape,
        affine=tuple(tuple(row) for row in header.affine.tolist()),
        metadata=metadata,
        warnings=tuple(said),
    )


def _of_thin_slab(
    parts: Parts, shape: tuple[int, int, int], n_echoes: int
) -> tuple[Parts, list[str]]:
    """The magnitudes of a slab in which no field can be inverted, and what to say of it."""
    names = next(iter(parts.values()))[0].name
    found = f'{names} has shape {shape}, expected {THINNEST_SLAB_VOXELS} voxels or more along each axis'
    if 'mag' not in parts or n_echoes == 1:
        raise DatasetError(
            f'{found}: a single slice or thin slab has no susceptibility map, and R2* wants magnitudes '
            'of two echoes or more'
        )
    said = (
        f'{found} for susceptibility, field and all else that needs phase: they are left out, and R2*, T2* '
        'and what else the magnitude tells are made.'
    )
    return {'mag': parts['mag']}, [said]


def _remarks(files: Sequence[BidsFile], parts: Parts, n_echoes: int) -> list[str]:
    """Tell of a missing phase; one magnitude is refused."""
    said = []
    if [*parts] == ['mag']:
        if n_echoes == 1:
            raise DatasetError(_no_phase(files))
        said.append(_magnitude_alone(files))
    return said


def _once(warnings: Iterable[str]) -> list[str]:
    """What several files have in common is told of the first of them."""
    first: dict[str, str] = {}
    for warning in warnings:
        first.setdefault(warning.partition(': ')[2], warning)
    return [*first.values()]


def _check_labels(file: BidsFile) -> None:
    for key, label in file.run_entities.items():
        if not (key.isascii() and key.isalnum() and LABEL.fullmatch(label)):
            raise DatasetError(
                f'{file.name} has {f"{key}-{label}"!r} in its name, expected letters, digits and + '
                'only: rename its files'
            )


def _paths(parts: Parts, part: str) -> tuple[Path, ...]:
    return tuple(file.path for file in parts.get(part, []))


def _parts(files: Sequence[BidsFile]) -> tuple[Parts, list[str]]:
    """Sort files into parts, in the order of the echoes, and choose which parts to use."""
    said = []
    found: Parts = {}
    for file in files:
        found.setdefault(file.entities.get('part', ''), []).append(file)
    plain = found.pop('', [])
    if plain and 'mag' in found:
        said.append(f'{plain[0].name} is left aside: there is part-mag.')
    elif plain:
        found['mag'] = plain
    for part, of in found.items():
        found[part] = sorted(of, key=lambda file: file.echo or 0)
        _refuse_doubles(found[part])
    chosen = _chosen(files, found)
    if unused := sorted(part for part in found if part not in chosen):
        said.append(f'part-{", part-".join(unused)} left aside: {" and ".join(chosen)} are used.')
    parts = {part: found[part] for part in chosen}
    return parts, said + _check_echoes(parts)


def _chosen(files: Sequence[BidsFile], found: Parts) -> tuple[str, ...]:
    """The parts to use: two that make a complex number, or the magnitude where nothing else is."""
    for pair in (('mag', 'phase'), ('real', 'imag')):
        if set(pair) <= set(found):
            return pair
    name = files[0].name
    if 'phase' in found:
        raise DatasetError(
            f'{name} has phase but no magnitude, expected part-mag beside it: add the magnitude'
        )
    for one, other in (('real', 'imag'), ('imag', 'real')):
        if one in found:
            raise DatasetError(
                f'{name} has part-{one} only, expected part-{other} beside it: add it'
            )
    if 'mag' not in found:
        raise DatasetError(_no_phase(files))
    return ('mag',)


def _no_phase(files: Sequence[BidsFile]) -> str:
    return (
        f'{files[0].name} has no phase, expected part-phase (or part-real and part-imag) beside '
        'it: export the phase from the scanner'
    )


def _magnitude_alone(files: Sequence[BidsFile]) -> str:
    return (
        f'{_no_phase(files)}. Without it susceptibility, field and all else that needs phase is '
        'left out, R2* is not corrected for the gradient of the field, and the brain is masked '
        'without the quality of the phase.'
    )


def _refuse_doubles(files: Sequence[BidsFile]) -> None:
    for a, b in pairwise(files):
        if a.echo == b.echo or a.echo is None:
            raise DatasetError(
                f'{a.name} and {b.name} are the same part of the same echo, expected one file: '
                'remove one, or number both by echo'
            )


def _check_echoes(parts: Parts) -> list[str]:
    """Refuse parts that have different echoes; warn of a gap that all have."""
    echoes = {part: {file.echo for file in of} for part, of in parts.items()}
    for part, other in permutations(parts, 2):
        if missing := echoes[other] - echoes[part]:
            wanted = _counterpart(parts[part][0], min(missing, key=lambda e: e or 0))
            raise DatasetError(
                f'{wanted} is missing: {PART_NAMES[part]} has {_echoes(echoes[part])} where '
                f'{PART_NAMES[other]} has {_echoes(echoes[other])}, expected the same: '
                'add the file or remove that echo'
            )
    first = next(iter(parts))
    numbers = sorted(echo for echo in echoes[first] if echo is not None)
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        return [f'{parts[first][0].name}: {_echoes(set(numbers))} found, the others are missing.']
    return []


def _echoes(echoes: set[int | None]) -> str:
    numbers = sorted(echo for echo in echoes if echo is not None)
    return (
        f'echo{"es" * (len(numbers) > 1)} {listed(map(str, numbers))}'
        if numbers
        else 'no echo- in its name'
    )


def _counterpart(file: BidsFile, echo: int | None) -> str:
    """Name of the file that should exist for this echo."""
    entities = dict(file.entities)
    entities.pop('echo', None)
    if echo is not None:
        entities['echo'] = str(echo)
    return f'{join(in_order(entities))}_{file.suffix}{file.extension}'


def _layout(parts: Parts, headers: dict[str, list[Header]]) -> tuple[str, int, int]:
    """What the axes beyond the third are, from the names of the files and never from a size."""
    first = next(iter(headers.values()))[0]
    for header in chain(*headers.values()):
        if header.extra != first.extra:
            raise DatasetError(
                f'{header.path.name} has axes {header.extra} beyond the third where '
                f'{first.path.name} has {first.extra}, expected the same: export them alike'
            )
    files = next(iter(parts.values()))
    numbered = files[0].echo is not None
    extra = first.extra
    if len(extra) > (1 if numbered else 2):
        raise DatasetError(
            f'{first.path.name} has axes {extra} beyond the third, expected at most '
            + ('channels, as it has echo- in its name' if numbered else 'echoes, then channels')
            + ': split the file'
        )
    if not extra:
        return 'echo-files', len(files), 1
    if numbered:
        return 'channels-4d', len(files), extra[0]
    if len(extra) == 1:
        return 'echoes-4d', extra[0], 1
    return 'channels-5d', extra[0], extra[1]

"""What tells R2 for a run: a map that others made, or a multi-echo spin echo of the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from bidsqsm.errors import DatasetError
from bidsqsm.files.headers import check_grids, read_header
from bidsqsm.files.json_files import read_json
from bidsqsm.inputs.derivative_dataset import DerivativeDataset
from bidsqsm.inputs.metadata import Sidecars, echo_times
from bidsqsm.inputs.names import IMAGE, BidsFile
from bidsqsm.inputs.run import GreRun, R2Source

MESE = 'MESE'
FEWEST_SPIN_ECHOES = 3  # spin echoes: two tell a rate, but not whether it fits
#: What a value in the unit of a sidecar is in the map's own, 1/s or s; BIDS wants the first.
_UNITS: Mapping[str, Mapping[str, float]] = {
    'R2map': {'1/s': 1, 's-1': 1, 's^-1': 1, 'hz': 1, '1/ms': 1000, 'ms-1': 1000, 'ms^-1': 1000},
    'T2map': {'s': 1, 'ms': 1e-3},
}


def with_spin_echo(run: GreRun, images: Sequence[BidsFile], sidecars: Sidecars) -> GreRun:
    """Add the multi-echo spin echo of the same session, else the subject's only one.

    Parameters
    ----------
    run
        The run.
    images
        Images of all subjects.
    sidecars
        Where echo times are read.

    """
    groups: dict[tuple[tuple[str, str], ...], list[BidsFile]] = {}
    for file in images:
        own = file.suffix == MESE and file.entities.get('sub') == run.entities.get('sub')
        if own and file.entities.get('part', 'mag') == 'mag':
            groups.setdefault((*file.run_entities.items(),), []).append(file)
    session = run.entities.get('ses')
    near = [group for key, group in groups.items() if dict(key).get('ses') == session]
    candidates = near or ([*groups.values()] if len(groups) == 1 else [])
    if not candidates:
        return run
    # no reason to refuse the run: its other maps can be made without
    try:
        found = _spin_echo(candidates[0], sidecars)
    except DatasetError as error:
        return _said(run, f'Spin echoes not used: {error}.')
    run = replace(run, r2_source=found)
    if len(candidates) > 1:
        name = candidates[0][0].name
        run = _said(run, f'{name} is used out of {len(candidates)} runs of spin echoes.')
    return run


def _spin_echo(files: Sequence[BidsFile], sidecars: Sidecars) -> R2Source:
    files = sorted(files, key=lambda file: file.echo or 0)
    times = echo_times(files, [sidecars.of(file) for file in files], len(files))
    if len(files) < FEWEST_SPIN_ECHOES or not times:
        raise DatasetError(
            f'{files[0].name} has {len(files)} files with {len(times)} echo times, expected '
            f'{FEWEST_SPIN_ECHOES} or more, one file for each echo: complete them'
        )
    headers = [read_header(file.path) for file in files]
    if extra := next((header.extra for header in headers if header.extra), ()):
        raise DatasetError(
            f'{files[0].name} has axes {extra} beyond the third, expected one file for each echo: '
            'split the file'
        )
    check_grids(headers)
    return R2Source(MESE, tuple(file.path for file in files), tuple(times))


def with_r2_map(run: GreRun, given: DerivativeDataset) -> GreRun:
    """Add a map of R2 or T2 from a derivative dataset, before any spin echo of the raw one.

    Its entities are those of the run, else it lies in the same session and has no ``space`` but the
    run's; a map of R2 goes before one of T2.
    """
    if run.r2_source is not None and run.r2_source.kind != MESE:
        return run
    files = [
        file
        for file in given.files
        if file.suffix in _UNITS
        and file.extension in IMAGE
        and 'desc' not in file.entities
        and file.entities.get('space', 'orig') == 'orig'
        and file.entities.get('ses') in (None, run.entities.get('ses'))
    ]
    files.sort(key=lambda file: (not given.of_run(file), file.suffix))
    if not files:
        return run
    try:
        found = _map(files[0])
    except DatasetError as error:
        return _said(run, f'R2 not used: {error}.')
    run = replace(run, r2_source=found)
    rivals = [file for file in files if file.suffix == files[0].suffix]
    if len(rivals) > 1 and not given.of_run(files[0]):
        run = _said(run, f'{files[0].name} is used out of {len(rivals)} of the session.')
    return run


def _map(file: BidsFile) -> R2Source:
    header = read_header(file.path)
    if header.extra:
        raise DatasetError(
            f'{file.name} has axes {header.extra} beyond the third, expected one volume: split it'
        )
    sidecar = file.path.with_name(file.name.partition('.')[0] + '.json')
    content: Mapping[str, Any] = read_json(sidecar) if sidecar.is_file() else {}
    known = _UNITS[file.suffix]
    units = content.get('Units', next(iter(known)))
    scale = known.get(f'{units}'.lower().replace('⁻¹', '-1').replace(' ', ''))
    if scale is None:
        _unknown(file, units)
    return R2Source(file.suffix, (file.path,), scale=scale)


def _unknown(file: BidsFile, units: object) -> NoReturn:
    raise DatasetError(
        f'{file.name} has Units {units!r}, expected one of {", ".join(_UNITS[file.suffix])}: '
        'correct the sidecar'
    )


def _said(run: GreRun, sentence: str) -> GreRun:
    return replace(run, warnings=(*run.warnings, sentence))

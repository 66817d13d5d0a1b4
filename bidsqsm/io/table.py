"""The runs of a dataset as a table to read before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from bidsqsm.io.names import join, listed
from bidsqsm.io.orientations import OrientationSet
from bidsqsm.io.run import GreRun, Skipped

HEAD = (
    'subject',
    'session',
    'run',
    'image',
    'echoes',
    'TE (ms)',
    'B0 (T)',
    'shape',
    'voxel (mm)',
    'tilt',
    'what will be done',
)


def run_table(runs: Sequence[GreRun | Skipped]) -> str:
    """Lay out runs in aligned columns, with the reason for each that is skipped.

    Parameters
    ----------
    runs
        As :func:`bidsqsm.io.inputs.find_runs` gives them.

    Returns
    -------
    Lines of plain text; the tilt is the angle in degrees between B0 and the nearest voxel axis.

    """
    rows = [HEAD, *(_row(run) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, '  '.join('-' * width for width in widths[:-1]) + '  ' + '-' * len(HEAD[-1]))
    ready = sum(isinstance(run, GreRun) for run in runs)
    lines += ['', f'{ready} to process, {len(runs) - ready} to skip']
    for run in runs:
        if isinstance(run, GreRun):
            lines += [f'note on {run.name}: {said}' for said in run.warnings]
    return '\n'.join(lines)


def _row(run: GreRun | Skipped) -> tuple[str, ...]:
    entities = dict(run.entities)
    who = (entities.pop('sub', ''), entities.pop('ses', '-'), join(entities) or '-')
    if isinstance(run, Skipped):
        return (*who, run.suffix or '-', *('-',) * 6, f'skip: {run.reason}')
    grid = run.grid
    return (
        *who,
        run.suffix,
        str(run.n_echoes),
        _times(run.echo_times),
        f'{run.field_strength:.3g}',
        'x'.join(map(str, run.shape)),
        'x'.join(f'{size:.3g}' for size in grid.voxel_size),
        f'{grid.tilt:.0f}',
        _plan(run),
    )


def _times(echo_times: Sequence[float]) -> str:
    times = [f'{1000 * te:.4g}' for te in echo_times]
    if len(times) > 3:
        times[2:-1] = ['..']
    return ' '.join(times)


def _plan(run: GreRun) -> str:
    used = []
    if isinstance(run, OrientationSet):
        labels = listed(f'{run.entity}-{one.entities[run.entity]}' for one in run.runs)
        return f'one map of {labels}'
    if run.n_channels > 1:
        used.append(f'{run.n_channels} channels combined')
    if not run.has_phase:
        used.append('magnitude alone')
    if run.real:
        used.append('from real and imaginary part')
    if run.mask:
        used.append('given mask')
    if run.labels:
        used.append('labels')
    if run.spin_echo is not None:
        used.append(f'R2 from {run.spin_echo.kind}')
    if run.t1w:
        used.append('T1w')
    if run.t1w_mask:
        used.append('mask of the T1w')
    if run.transforms:
        used.append(f'transforms {listed(key.replace(":", " to ") for key in run.transforms)}')
    if run.segmentations:
        used.append(f'segmentations {listed(one.name for one in run.segmentations)}')
    return 'process' + (f' ({", ".join(used)})' if used else '')


__all__ = ['run_table']

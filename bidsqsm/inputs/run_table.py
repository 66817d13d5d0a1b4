"""The runs of a dataset as a table to read before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from bidsqsm.files.plain_text import escaped
from bidsqsm.inputs.names import join
from bidsqsm.inputs.run import GreRun, Skipped

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
        As :func:`bidsqsm.inputs.discovery.find_runs` gives them.

    Returns
    -------
    Lines of plain text; the tilt is the angle in degrees between B0 and the nearest voxel axis.

    """
    rows = [HEAD, *(tuple(map(escaped, _row(run))) for run in runs)]
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
            lines += [escaped(f'note on {run.name}: {said}') for said in run.warnings]
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
        run.plan,
    )


def _times(echo_times: Sequence[float]) -> str:
    times = [f'{1000 * te:.4g}' for te in echo_times]
    if len(times) > 3:
        times[2:-1] = ['..']
    return ' '.join(times)

"""``bidsqsm demo``: write a dataset of simulated heads."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bidsqsm.cli.arguments import any_path
from bidsqsm.cli.resources import available_cpus
from bidsqsm.cli.terminal import say
from bidsqsm.demo.demo_dataset import write_demo
from bidsqsm.demo.demo_options import DemoOptions
from bidsqsm.demo.scanner_conventions import CONVENTIONS
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phantom.model_errors import MODEL_ERRORS, REALISM, model_errors, unit_of
from bidsqsm.qsm.phantom.signal_simulation import Sequence

_DEFAULT = Sequence()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the demo."""
    _add_heads(parser)
    _add_scan(parser)
    _add_people(parser)
    _add_errors(parser)


def _add_heads(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('directory', type=any_path, metavar='DIR', help='new or empty folder for the dataset')
    add('--subjects', type=int, default=1, metavar='N', help='how many (default: %(default)s)')
    add(
        '--voxel-size',
        type=float,
        nargs=3,
        default=(2, 2, 2),
        metavar=('X', 'Y', 'Z'),
        help='in mm (default: 2 2 2)',
    )
    add(
        '--shape',
        type=int,
        nargs=3,
        metavar=('NX', 'NY', 'NZ'),
        help='voxels along each axis (default: what covers 192 x 224 x 192 mm)',
    )
    add(
        '--tilt',
        nargs=2,
        action='append',
        default=[],
        metavar=('AXIS', 'DEGREES'),
        help='turn the volume about x, y or z; may be repeated',
    )
    add(
        '--orientations',
        type=int,
        default=1,
        metavar='N',
        help='turn each head in the scanner and measure it N times, acq-1 to acq-N'
        ' (default: %(default)s)',
    )


def _add_scan(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--field-strength', type=float, default=3.0, metavar='T', help='(default: %(default)s T)')
    add(
        '--echo-times',
        type=float,
        nargs='+',
        default=_DEFAULT.echo_times,
        metavar='S',
        help='in seconds (default: %(default)s)',
    )
    add(
        '--snr',
        type=float,
        default=_DEFAULT.snr,
        help='of white matter in the first echo; inf for no noise (default: %(default)s)',
    )
    add(
        '--coils',
        type=int,
        default=0,
        metavar='N',
        help='write this many uncombined receive channels (default: combined)',
    )
    add('--bipolar', action='store_true', help='read even echoes backwards')
    add(
        '--phase-convention',
        choices=CONVENTIONS,
        default='radians',
        help='; '.join(f'{c.name}: {c.about}' for c in CONVENTIONS.values()),
    )


def _add_people(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--t1w', action=argparse.BooleanOptionalAction, default=True, help='write a T1w image')
    add('--group', action='store_true', help='spread ages and make every other subject a patient')
    add('--seed', type=int, default=0, help='the same seed, the same dataset (default: 0)')


def _add_errors(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        '--realism',
        choices=REALISM,
        default='plain',
        help='plain: the signal is that of one susceptibility; people: it holds as much beside it'
        ' as that of people does (default: %(default)s)',
    )
    add(
        '--model-error',
        nargs='+',
        action='extend',
        default=[],
        metavar='NAME[:SIZE]',
        help='switch on, or with size 0 off: '
        + ', '.join(f'{name} ({unit_of(name)})' for name in MODEL_ERRORS)
        + '; without a size, the size that people have',
    )


def options_from(arguments: argparse.Namespace) -> DemoOptions:
    """Turn parsed arguments into options, or raise ValueError with what is wrong."""
    sequence = Sequence(
        echo_times=tuple(arguments.echo_times),
        snr=arguments.snr,
        coils=arguments.coils,
        bipolar=arguments.bipolar,
    )
    x, y, z = arguments.voxel_size
    return DemoOptions(
        subjects=arguments.subjects,
        voxel_size=(x, y, z),
        tilts=tuple(_tilt(axis, degrees) for axis, degrees in arguments.tilt),
        orientations=arguments.orientations,
        shape=tuple(arguments.shape) if arguments.shape else None,
        field_strength=arguments.field_strength,
        sequence=sequence,
        phase_convention=arguments.phase_convention,
        t1w=arguments.t1w,
        group=arguments.group,
        seed=arguments.seed,
        model_errors=model_errors(arguments.realism, arguments.model_error),
    )


def main(argv: Several[str] | None = None) -> int:
    """Write the demo; 0 when done, 2 for a wrong command line or folder."""
    parser = argparse.ArgumentParser(
        prog='bidsqsm demo', description='Write a BIDS dataset of simulated heads, with its truth.'
    )
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    console = Console(stderr=True)
    try:
        options = options_from(arguments)
        _write(arguments.directory, options, console)
    except (ValueError, OSError) as error:
        say(f'bidsqsm demo failed: {error}', error=True)
        return 2
    together = ' --orientations acq' if options.orientations > 2 else ''
    say(
        f'Wrote {options.subjects} simulated subject(s) to {arguments.directory}; now run:\n'
        f'  bidsqsm {arguments.directory} OUTPUT_DIR participant{together}'
        f' --atlases {arguments.directory / "derivatives" / "atlas"}'
    )
    return 0


def _write(directory: Path, options: DemoOptions, console: Console) -> None:
    columns = (
        TextColumn('simulating heads'),
        BarColumn(),
        TextColumn('{task.completed}/{task.total}  {task.description}'),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=console)
    with _cache_apart(), threads(available_cpus()), shown as progress:
        task = progress.add_task('', total=options.steps)
        write_demo(
            directory,
            options,
            lambda done: progress.update(task, advance=1, description=done),
        )


@contextmanager
def _cache_apart() -> Iterator[None]:
    """Keep compiled code out of the installation: what pip did not put there, it does not remove."""
    import numba

    if numba.config.CACHE_DIR:
        yield
        return
    with TemporaryDirectory() as folder:
        numba.config.CACHE_DIR = folder
        try:
            yield
        finally:
            numba.config.CACHE_DIR = ''


def _tilt(axis: str, degrees: str) -> tuple[str, float]:
    try:
        return axis, float(degrees)
    except ValueError:
        raise ValueError(f'--tilt {axis} {degrees}: the angle must be in degrees') from None

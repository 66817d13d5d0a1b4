"""``bidsqsm roi``: measure the regions of an atlas in maps, whoever made them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bidsqsm.cli.arguments import any_path
from bidsqsm.cli.terminal import say
from bidsqsm.derivatives.dataset_files import write_dataset_files
from bidsqsm.errors import DatasetError
from bidsqsm.inputs.participants import ages_of
from bidsqsm.qsm.jit import threads
from bidsqsm.rois.measurable_maps import Found, find_measurable
from bidsqsm.rois.region_columns import MEASURED_MAPS, OPTIONAL_MAPS
from bidsqsm.rois.region_measurement import Files, measure, write_measurement

_OPTIONS_OF_ONE_FILE = (
    'chi',
    'labels',
    'mask',
    'r2star',
    't2star',
    'local_field',
    'total_field',
    'noise',
    'units',
    *OPTIONAL_MAPS,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sub-command."""
    _add_files(parser)
    _add_further_maps(parser)
    _add_settings(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        'derivatives',
        type=any_path,
        nargs='?',
        metavar='DIR',
        help='derivatives of bidsqsm, every run of which is measured that has atlas-*_dseg images; '
        'or leave it out and name files',
    )
    add(
        '--chi',
        type=any_path,
        metavar='FILE',
        help='susceptibility map, in ppm or, if the JSON beside it says so, in ppb',
    )
    add('--labels', type=any_path, metavar='FILE', help='label image on the same grid')
    add(
        '--names',
        type=any_path,
        metavar='TSV',
        help='names of the labels: columns index, name and, if wished, hemisphere '
        '(without it, label-<index>; for DIR, the table beside each label image)',
    )
    add(
        '--mask',
        type=any_path,
        metavar='FILE',
        help='voxels that have a susceptibility (default: where the map is not 0)',
    )


def _add_further_maps(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('--r2star', type=any_path, metavar='FILE', help='R2* map, in 1/s')
    add('--t2star', type=any_path, metavar='FILE', help='T2* map, in s')
    add('--local-field', type=any_path, metavar='FILE', help='local field, in Hz')
    add(
        '--total-field',
        type=any_path,
        metavar='FILE',
        help='total (or local) field that the map was made of, in Hz, for corrected means',
    )
    add(
        '--noise',
        type=any_path,
        metavar='FILE',
        help='standard deviation of the field, in Hz, for the standard error',
    )
    for key in OPTIONAL_MAPS:
        add(
            f'--{key.replace("_", "-")}',
            type=any_path,
            metavar='FILE',
            help=f'map of {MEASURED_MAPS[key].title}, in {MEASURED_MAPS[key].units}',
        )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        '--units',
        choices=('ppm', 'ppb'),
        default='',
        help='unit of the susceptibility map, where no JSON tells it',
    )
    add(
        '--age',
        type=float,
        metavar='YEARS',
        help='for the published ranges (default: for DIR, as in participants.tsv)',
    )
    add(
        '--coverage',
        type=float,
        default=0.5,
        metavar='SHARE',
        help='of a label that must lie in the mask for it to have values (default: %(default)s)',
    )
    add(
        '--out',
        type=any_path,
        required=True,
        metavar='PATH',
        help='table (.tsv) to write; for DIR, a folder',
    )
    add('--overwrite', action='store_true', help='replace tables that are there')


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 0 when done, 1 when some maps could not be measured, 2 for wrong input."""
    parser = argparse.ArgumentParser(
        prog='bidsqsm roi', description='Measure the regions of an atlas in maps.'
    )
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        check_arguments(arguments)
        with threads(1):
            if arguments.derivatives:
                return _measure_folder(arguments)
            _measure_files(arguments)
    except (DatasetError, ValueError, OSError) as error:
        say(f'bidsqsm roi failed: {error}', error=True)
        return 2
    return 0


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together."""
    given = [
        f'--{name.replace("_", "-")}' for name in _OPTIONS_OF_ONE_FILE if getattr(arguments, name)
    ]
    if arguments.derivatives and given:
        raise ValueError(
            f'{given[0]} names a file, and {arguments.derivatives} a folder that is searched: '
            'give one or the other'
        )
    if not arguments.derivatives and not (arguments.chi and arguments.labels):
        raise ValueError('expected --chi and --labels, or a folder of derivatives: give either')
    if not 0 <= arguments.coverage <= 1:
        raise ValueError(f'--coverage {arguments.coverage:g}: expected a share from 0 to 1')
    if arguments.age is not None and not 0 <= arguments.age <= 130:
        raise ValueError(f'--age {arguments.age:g}: expected an age in years')


def _measure_files(arguments: argparse.Namespace) -> None:
    paths = {name: getattr(arguments, name) for name in (*_OPTIONS_OF_ONE_FILE, 'names')}
    _write(Files(**paths), arguments.out, arguments.age, arguments)


def _measure_folder(arguments: argparse.Namespace) -> int:
    root, out = arguments.derivatives, arguments.out
    found = find_measurable(root, arguments.names)
    troubles: list[str] = []
    ages = ages_of(root, troubles)
    for trouble in troubles:
        say(f'warning: {trouble}', error=True)
    failed = 0
    for one in found:
        age = arguments.age if arguments.age is not None else ages.get(one.subject)
        try:
            _write(one.files, out / one.path, age, arguments)
        except (DatasetError, ValueError, OSError) as error:
            failed += 1
            say(f'{_called(one)}: {error}', error=True)
    if not (out / 'dataset_description.json').is_file():
        write_dataset_files(out, {'maps': root})
    if failed:
        say(f'bidsqsm roi failed: {failed} of {len(found)} tables not written', error=True)
    return 1 if failed else 0


def _write(files: Files, path: Path, age: float | None, arguments: argparse.Namespace) -> None:
    measured = measure(files, age=age, coverage=arguments.coverage)
    sources = {**files.images, **({'names': files.names} if files.names else {})}
    write_measurement(measured, path, sources, overwrite=arguments.overwrite)
    for note in measured.notes:
        say(f'{path.name}: {note}')
    say(f'Wrote {len(measured.table)} regions to {path}')


def _called(found: Found) -> str:
    return found.path.name.removesuffix('_dseg.tsv')

"""``bidsqsm phantom``: maps of a phantom against the known concentrations of its vials."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.cli.arguments import any_path
from bidsqsm.cli.terminal import say
from bidsqsm.errors import DatasetError
from bidsqsm.files.atomic import write_bytes
from bidsqsm.files.json_files import write_json
from bidsqsm.qsm.concentration.vial_line import Line
from bidsqsm.reports.drawing.calibration import draw_calibration
from bidsqsm.rois.region_columns import MEASURED_MAPS
from bidsqsm.rois.region_table import write_table
from bidsqsm.rois.vials import Calibration, VialFiles, calibrate

_FILES = ('chi', 'labels', 'vials', 'r2star', 'mask')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sub-command."""
    _add_files(parser)
    _add_settings(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        '--chi',
        type=any_path,
        required=True,
        metavar='FILE',
        help='susceptibility map, in ppm or, if the JSON beside it says so, in ppb',
    )
    add(
        '--labels',
        type=any_path,
        required=True,
        metavar='FILE',
        help='label image on the same grid, a number for each vial',
    )
    add(
        '--vials',
        type=any_path,
        required=True,
        metavar='TSV',
        help='columns index (as in the label image), concentration and, if wished, name',
    )
    add('--r2star', type=any_path, metavar='FILE', help='R2* map, in 1/s, for a line of its own')
    add(
        '--mask',
        type=any_path,
        metavar='FILE',
        help='voxels that have a susceptibility (default: where the map is not 0)',
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        '--substance',
        default='gadolinium',
        metavar='NAME',
        help='what is in the vials (default: %(default)s)',
    )
    add(
        '--concentration-unit',
        default='mmol/L',
        metavar='UNIT',
        help='of the concentrations (default: %(default)s)',
    )
    add(
        '--rim',
        type=float,
        default=0.0,
        metavar='MM',
        help='leave out voxels this near to the wall of a vial (default: none)',
    )
    add(
        '--units',
        choices=('ppm', 'ppb'),
        default='',
        help='unit of the susceptibility map, where no JSON tells it',
    )
    add(
        '--out',
        type=any_path,
        required=True,
        metavar='TSV',
        help='table to write; .json, .png and .svg of the same name lie beside it',
    )
    add('--overwrite', action='store_true', help='replace files that are there')


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and fit; 0 when done, 2 for wrong input."""
    parser = argparse.ArgumentParser(
        prog='bidsqsm phantom',
        description='Fit susceptibility, and R2*, against the known concentrations of vials.',
    )
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        check_arguments(arguments)
        files = VialFiles(
            units=arguments.units, **{name: getattr(arguments, name) for name in _FILES}
        )
        found = calibrate(files, rim=arguments.rim)
        _write(found, files, arguments)
    except (DatasetError, ValueError, OSError) as error:
        say(f'bidsqsm phantom failed: {error}', error=True)
        return 2
    _tell(found, arguments)
    return 0


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be, and files that would be replaced."""
    if not (math.isfinite(arguments.rim) and arguments.rim >= 0):
        raise ValueError(f'--rim {arguments.rim:g}: expected a width in mm, 0 or more')
    if arguments.out.suffix != '.tsv':
        raise ValueError(f'--out {arguments.out} does not end in .tsv: rename it')
    there = [path for path in _beside(arguments.out).values() if path.exists()]
    if there and not arguments.overwrite:
        raise ValueError(
            f'{there[0]} exists, expected a new file: name another, or add --overwrite'
        )


def _beside(out: Path) -> dict[str, Path]:
    return {kind: out.with_suffix(f'.{kind}') for kind in ('tsv', 'json', 'png', 'svg')}


def _write(found: Calibration, files: VialFiles, arguments: argparse.Namespace) -> None:
    paths = _beside(arguments.out)
    unit = arguments.concentration_unit
    pictures = draw_calibration(found.table, found.lines, arguments.substance, unit)
    content = {
        'Description': 'Vials of a phantom, and straight lines through their means.',
        **_columns(found, unit),
        'Substance': arguments.substance,
        'Fits': {key: _fit(key, line, unit) for key, line in found.lines.items()},
        'Rim': arguments.rim,
        'Notes': list(found.notes),
        'MeasuredFiles': {
            key: f'{path}' for key, path in {**files.images, 'vials': files.vials}.items()
        },
        'MeasuredWith': {'Name': 'bidsqsm', 'Version': __version__},
    }
    write_table(found.table, paths['tsv'])
    write_json(paths['json'], content)
    for kind, picture in pictures.items():
        write_bytes(paths[kind], picture)


def _columns(found: Calibration, unit: str) -> dict[str, Mapping[str, str]]:
    about = {
        'index': {'Description': 'Value in the label image.'},
        'name': {'Description': 'Name of the vial.'},
        'concentration': {'Description': 'As given.', 'Units': unit},
    }
    for name in found.table.columns[len(about) :]:
        key, _, what = name.partition('_')
        known = {'Description': f'{MEASURED_MAPS[key].title}: {what.replace("_", " ")}.'}
        about[name] = known if what == 'n_voxels' else {**known, 'Units': MEASURED_MAPS[key].units}
    return {name: about[name] for name in found.table.columns}


def _fit(key: str, line: Line, unit: str) -> dict[str, Any]:
    own = MEASURED_MAPS[key].units
    return {
        'Slope': line.slope,
        'SlopeCI95': list(line.slope_interval),
        'SlopeUnits': f'{own} per {unit}',
        'Intercept': line.intercept,
        'InterceptCI95': list(line.intercept_interval),
        'InterceptUnits': own,
        'R2': line.r2,
        'RMSE': line.rmse,
        'Vials': line.n,
    }


def _tell(found: Calibration, arguments: argparse.Namespace) -> None:
    unit = arguments.concentration_unit
    for note in found.notes:
        say(note)
    for key, line in found.lines.items():
        low, high = line.slope_interval
        say(
            f'{MEASURED_MAPS[key].title}: slope {line.slope:.4g} {MEASURED_MAPS[key].units} per {unit} (95 % CI '
            f'{low:.4g} to {high:.4g}), intercept {line.intercept:.4g}, R2 {line.r2:.4f}, '
            f'RMSE {line.rmse:.3g}, {line.n} vials'
        )
    chi = found.lines['chi']
    known = MEASURED_MAPS.get(arguments.substance)
    if known and known.units == unit and chi.slope > 0:
        say(
            f'To use it: --concentration {arguments.substance}:coefficient={chi.slope:.4g},'
            f'baseline={chi.intercept:.4g}'
        )
    say(f'Wrote {arguments.out} and what lies beside it')

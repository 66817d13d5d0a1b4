"""What may be measured in a region, and the columns that tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bidsqsm.files.tsv_files import read_columns
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.rois.statistics import STATISTICS


@dataclass(frozen=True)
class MapColumn:
    """A map that may be measured, and its unit.

    Of a rate or a time, ``inverse`` names the map that is one over it. There a voxel counts where it
    is above zero in both: a rate of zero is no fit, or no decay to be seen, whose time is not known.
    """

    title: str
    units: str
    inverse: str = ''


MEASURED_MAPS: Mapping[str, MapColumn] = {
    'chi': MapColumn('susceptibility', 'ppm'),
    'r2star': MapColumn('R2*', '1/s', inverse='t2star'),
    't2star': MapColumn('T2*', 's', inverse='r2star'),
    'local_field': MapColumn('local field', 'Hz'),
    'r2prime': MapColumn("R2'", '1/s', inverse='t2prime'),
    't2prime': MapColumn("T2'", 's', inverse='r2prime'),
    'chi_paramagnetic': MapColumn('paramagnetic susceptibility', 'ppm'),
    'chi_diamagnetic': MapColumn('diamagnetic susceptibility', 'ppm'),
    'iron': MapColumn('iron (wet weight)', 'mg/kg'),
    'gadolinium': MapColumn('gadolinium', 'mmol/L'),
}

#: Those that a run has only where they were asked for
OPTIONAL_MAPS = tuple(MEASURED_MAPS)[4:]


def counted(key: str, maps: Mapping[str, Volume]) -> Mask:
    """Voxels of a map that have a value: finite, and of rates and times above zero, inverse included.

    Examples
    --------
    >>> import numpy as np
    >>> maps = {'r2star': np.array([20, 0, 0]), 't2star': np.array([0.05, 0.5, 0])}
    >>> counted('r2star', maps).tolist() == counted('t2star', maps).tolist() == [True, False, False]
    True

    """
    found: Mask = np.isfinite(maps[key])
    if inverse := MEASURED_MAPS[key].inverse:
        for name in (key, inverse):
            if name in maps:
                found &= np.isfinite(maps[name]) & (maps[name] > 0)
    return found


def columns() -> Mapping[str, Mapping[str, str]]:
    """Every column of the table in its order, as the JSON beside it describes it.

    Examples
    --------
    >>> columns()['mean']['Units'], [*columns()][:4]
    ('ppm', ['index', 'name', 'hemisphere', 'structure'])

    """
    return {**_columns_of_labels(), **_columns_of_chi(), **_columns_of_other_maps()}


def _columns_of_labels() -> dict[str, dict[str, str]]:
    return {
        'index': {
            **_described(
                'Value in the label image; rows that combine labels have numbers that no label has'
            ),
            'Format': 'integer',  # as BIDS has it, which takes what is described for text
        },
        'name': _described('Name of the label in its atlas, or of the structure of combined rows'),
        'hemisphere': {
            **_described('Side of the brain'),
            'Levels': {'L': 'left', 'R': 'right', 'B': 'both together'},  # type: ignore[dict-item]
        },
        'structure': _described('Name of the structure, the same for all atlases'),
        'n_voxels': _described(
            'Voxels measured: those of the label that are in the QSM mask and have a value; without '
            'susceptibility, those in the brain mask'
        ),
        'volume': _described('Volume of the whole label, measured or not', 'mm^3'),
        'coverage': _described(
            'Share of the label that was measured; below the limit, values are not given', '1'
        ),
    }


def _columns_of_chi() -> dict[str, dict[str, str]]:
    measured = {
        name: _described(f'Susceptibility as the map has it: {meaning}', 'ppm')
        for name, meaning in STATISTICS.items()
    }
    return measured | {
        'se': _described(
            'Standard error of the mean susceptibility from noise and errors of the model; from the '
            'noise alone where the map has no standard deviation',
            'ppm',
        ),
        'mean_corrected': _described(
            'Mean freed from what regularisation takes: mean and what the region lacks of it, fitted to '
            'what the map leaves of the total field; same zero as the mean',
            'ppm',
        ),
        'mean_corrected_se': _described(
            'Standard error of mean_corrected: that of the mean and that of the fit together',
            'ppm',
        ),
        'recovery': _described(
            'Share of the contrast of mean_corrected with the mean over the QSM mask that the mean '
            'has; not given where that contrast is below three standard errors',
            '1',
        ),
        'mean_wholebrain': _described('Mean less the mean over the QSM mask', 'ppm'),
        'mean_csf': _described('Mean less the mean of ventricular cerebrospinal fluid', 'ppm'),
        'chi_range_low': _described(
            'Lower end of the published range of mean_wholebrain at the age, or in adults', 'ppm'
        ),
        'chi_range_high': _described('Upper end of that range', 'ppm'),
        'chi_in_range': _described('Whether mean_wholebrain lies in it: yes or no'),
    }


def _columns_of_other_maps() -> dict[str, dict[str, str]]:
    found = {}
    for key, one in MEASURED_MAPS.items():
        if key != 'chi':
            also = (
                f': above zero, and {MEASURED_MAPS[one.inverse].title} with it'
                if one.inverse
                else ''
            )
            found[f'{key}_n_voxels'] = _described(
                f'Voxels among n_voxels that have {one.title}{also}'
            )
            for name, meaning in STATISTICS.items():
                text = f'{one.title[0].upper()}{one.title[1:]}: {meaning}'
                found[f'{key}_{name}'] = _described(text, one.units)
    return found


def columns_of(path: Path) -> dict[str, Mapping[str, str]]:
    r"""The columns that a table has, described.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'regions.tsv'
    ...     _ = path.write_text('name\tmean\nputamen\t0.05\n')
    ...     described = columns_of(path)
    >>> described['mean']['Units']
    'ppm'

    """
    names = {*read_columns(path)}
    return {name: about for name, about in columns().items() if name in names}


def _described(text: str, units: str = '') -> dict[str, str]:
    return {'Description': f'{text}.', **({'Units': units} if units else {})}

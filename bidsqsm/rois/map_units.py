"""Units of maps that were made elsewhere, as their sidecars tell them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import load_json
from bidsqsm.files.nifti import load_volume
from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.units import imaging_frequency_of
from bidsqsm.rois.map_files import in_hz, in_ppm

#: Known units of each map, the one that the table has first, and what they are multiplied by
MAP_UNITS: Mapping[str, Mapping[str, float]] = {
    'chi': {'ppm': 1, 'ppb': 1e-3},
    'r2star': {'1/s': 1, 's^-1': 1, 's-1': 1, 'Hz': 1, '1/ms': 1e3, 'ms^-1': 1e3},
    't2star': {'s': 1, 'ms': 1e-3},
    'local_field': {'Hz': 1, 'ppm': 1, 'ppb': 1e-3},
    'total_field': {'Hz': 1, 'ppm': 1, 'ppb': 1e-3},
    'noise': {'Hz': 1, 'ppm': 1, 'ppb': 1e-3},
    'r2prime': {'1/s': 1, 's^-1': 1, 's-1': 1, 'Hz': 1, '1/ms': 1e3, 'ms^-1': 1e3},
    't2prime': {'s': 1, 'ms': 1e-3},
    'chi_paramagnetic': {'ppm': 1, 'ppb': 1e-3},
    'chi_diamagnetic': {'ppm': 1, 'ppb': 1e-3},
    'iron': {'mg/kg': 1, 'ug/g': 1, 'mg/100g': 10},
    'gadolinium': {'mmol/L': 1, 'mM': 1, 'mol/L': 1e3},
}
#: Median size beyond which a map cannot be in the unit that the table has, and what it may be in
_OTHER_UNIT_SIZES = {'chi': (1.0, 'ppm', 'ppb'), 't2star': (2.0, 's', 'ms')}


def load_maps(paths: Mapping[str, Path], units: str = '') -> tuple[dict[str, Volume], list[str]]:
    """Load maps by their key, ``chi`` among them, in the units that the table has for them.

    ``units`` are those of the susceptibility where the user tells them; for errors and notes see
    :func:`as_bids_has_it`.
    """
    maps, notes = {}, []
    for key, path in paths.items():
        values, _ = load_volume(path)
        told = units if key == 'chi' else ''
        maps[key], said = as_bids_has_it(key, values, path, paths['chi'], told)
        notes += said
    return maps, notes


def as_bids_has_it(
    key: str, values: Volume, path: Path, chi: Path, units: str = ''
) -> tuple[Volume, list[str]]:
    """Bring a map into the unit that the table has for it.

    Parameters
    ----------
    key
        One of :data:`bidsqsm.rois.region_columns.MEASURED_MAPS`.
    values : (nx, ny, nz) float32 array
        As read.
    path
        The file, for its sidecar.
    chi
        File of the susceptibility, whose sidecar may tell the imaging frequency.
    units
        Where the user tells them; they go before those of the sidecar.

    Returns
    -------
    values, notes
        A sentence where something was converted.

    Raises
    ------
    DatasetError
        Where the unit is not known, or the values cannot be in the one that is taken.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> path = Path('sub-1_Chimap.nii.gz')
    >>> chi, notes = as_bids_has_it('chi', np.full((2, 2, 2), 100.0), path, path, units='ppb')
    >>> float(chi.mean().round(3)), notes
    (0.1, ['sub-1_Chimap.nii.gz is in ppb and was converted to ppm.'])

    """
    wanted = next(iter(MAP_UNITS[key]))
    found = units or unit_of(key, path)
    _check_size(key, values, path, found)
    scaled = not found or (found != 'ppm' and MAP_UNITS[key][found] == 1)
    if scaled or found == wanted:
        return values, []
    values = values * np.float32(MAP_UNITS[key][found])
    if key == 'local_field':
        values = in_hz(values, frequency_of(path, chi))
    return values, [f'{path.name} is in {found} and was converted to {wanted}.']


def unit_of(key: str, path: Path) -> str:
    """The unit that a sidecar tells, empty where it tells none.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'sub-1_Chimap.nii.gz'
    ...     _ = path.with_name('sub-1_Chimap.json').write_text(json.dumps({'Units': 'ppb'}))
    ...     units = unit_of('chi', path)
    >>> units
    'ppb'

    """
    found = f'{sidecar_of(path).get("Units", "")}'.strip()
    if found and found not in MAP_UNITS[key]:
        raise DatasetError(
            f'{path} is in {found!r} by its sidecar, expected one of {", ".join(MAP_UNITS[key])}: '
            'correct Units in the sidecar, or convert the map'
        )
    return found


def _check_size(key: str, values: Volume, path: Path, units: str) -> None:
    if key not in _OTHER_UNIT_SIZES or units:
        return
    limit, wanted, other = _OTHER_UNIT_SIZES[key]
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if sizes.size and (median := float(np.median(sizes))) > limit:
        how = ' or give --units' if key == 'chi' else ''
        raise DatasetError(
            f'{path} has a median size of {median:.3g} and no Units in a sidecar, expected {wanted} '
            f'(it may be in {other}): write "Units": "{other}" into the JSON beside it{how}'
        )


def field_in_ppm(key: str, path: Path, chi: Path) -> Volume:
    """Read a field, or its noise, in ppm (float64); Hz where the sidecar tells no unit."""
    values, units = load_volume(path)[0], unit_of(key, path) or 'Hz'
    if units == 'Hz':
        return in_ppm(values, frequency_of(path, chi))
    return np.asarray(values.astype(np.float64) * MAP_UNITS[key][units])


def frequency_of(*paths: Path) -> float:
    """Imaging frequency (MHz) from the first sidecar that has it, or the field strength.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'sub-1_Chimap.nii.gz'
    ...     sidecar = path.with_name('sub-1_Chimap.json')
    ...     _ = sidecar.write_text(json.dumps({'MagneticFieldStrength': 3}))
    ...     frequency = frequency_of(path)
    >>> round(frequency, 1)  # MHz
    127.7

    """
    known = [sidecar_of(path) for path in paths]
    for content in known:
        if frequency := _positive(content.get('ImagingFrequency')):
            return frequency
    for content in known:
        if strength := _positive(content.get('MagneticFieldStrength')):
            return imaging_frequency_of(strength)
    raise DatasetError(
        f'{paths[0]} has no ImagingFrequency in its sidecar, expected it to convert Hz and ppm: '
        'write it (in MHz) into the JSON beside the file'
    )


def _positive(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def sidecar_of(path: Path) -> dict[str, Any]:
    """The JSON beside a file, empty where there is none.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'sub-1_Chimap.nii.gz'
    ...     _ = path.with_name('sub-1_Chimap.json').write_text(json.dumps({'Units': 'ppb'}))
    ...     about = sidecar_of(path)
    >>> about
    {'Units': 'ppb'}

    """
    beside = path.with_name(path.name.removesuffix('.gz')).with_suffix('.json')
    if not beside.is_file():
        return {}
    try:
        content = load_json(beside)
    except (OSError, ValueError) as error:
        raise DatasetError(f'{beside} cannot be read ({error}), expected JSON: mend it') from error
    return content if isinstance(content, dict) else {}

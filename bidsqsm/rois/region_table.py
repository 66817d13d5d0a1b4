"""The table of regions: a row for each, a column for each measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bidsqsm.atlases.structures import Label
from bidsqsm.files.tsv_files import read_frame, write_tsv
from bidsqsm.qsm.grid import Grid, Labels, Mask, Triple, Volume
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.rois.corrected_means import corrected, fit_labels, four_digits
from bidsqsm.rois.literature import published_range, verdict
from bidsqsm.rois.precision import MapError, Noise
from bidsqsm.rois.region_columns import MEASURED_MAPS, columns, counted
from bidsqsm.rois.regions import Places, Region, regions_of
from bidsqsm.rois.statistics import summary


def roi_table(
    labels: Labels,
    names: Sequence[Label],
    maps: Mapping[str, Volume],
    mask: Mask,
    voxel_size: Triple,
    *,
    noise: Volume | None = None,
    grid: Grid | None = None,
    deviation: Volume | None = None,
    spectra: FieldSpectra | None = None,
    total_field: Volume | None = None,
    csf: float | None = None,
    coverage_limit: float = 0.5,
    age: float | None = None,
) -> pd.DataFrame:
    """Measure every label of an atlas, both sides together and merged structures.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Label image.
    names
        Labels to measure, whether the image has them or not.
    maps : mapping to (nx, ny, nz) float32 arrays
        Any of :data:`~bidsqsm.rois.region_columns.MEASURED_MAPS`, in its unit and on the grid of
        the labels; without ``chi``, its columns have no values. What is not finite was not
        measured, nor was a rate or time that is not above zero.
    mask : (nx, ny, nz) bool array
        Voxels that have a susceptibility; without ``chi`` those to measure.
    voxel_size
        In mm.
    noise : (nx, ny, nz) float array, optional
        Standard deviation of the field in ppm, from which the standard error follows where those of
        the map are not known.
    grid
        Voxel size and field direction; wanted with ``noise``.
    deviation, spectra
        Standard deviation of susceptibility in ppm, a (nx, ny, nz) float32 array, and the spectra of
        the field that it was made of; the standard error follows from both.
    total_field
        Total or local field that the map was made of in ppm, a (nx, ny, nz) float array, from which the
        corrected means follow; needs ``grid``.
    csf
        Mean susceptibility of cerebrospinal fluid in ppm, where it is known.
    coverage_limit
        Share of a label that must have been measured; below it, values are not given.
    age
        In years, for the published range.

    Returns
    -------
    table
        The columns of :func:`~bidsqsm.rois.region_columns.columns`, those of further maps that are
        missing left out; NaN for no value.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> sphere = make_sphere(chi=0.1)
    >>> left = np.arange(24)[:, None, None] < 12
    >>> labels = np.where(left, 5, 6) * sphere.inside
    >>> names = [make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R')]
    >>> table = roi_table(labels, names, {'chi': sphere.chi}, sphere.mask, (2.0, 2.0, 2.0))

    A row for each label and one for both sides, susceptibility in ppm, volume in mm3:

    >>> table['hemisphere'].tolist(), table['mean'].round(2).tolist(), table['volume'].tolist()
    (['L', 'R', 'B'], [0.1, 0.1, 0.1], [1120.0, 1120.0, 2240.0])

    """
    _check(labels, maps, mask, noise, grid, coverage_limit)
    has_chi = 'chi' in maps
    chi = maps['chi'].ravel() if has_chi else np.full(mask.size, np.nan, np.float32)
    known = mask.ravel() & (np.isfinite(chi) if has_chi else True)
    whole_brain = float(chi[known].mean(dtype=np.float64)) if known.any() else math.nan
    spread: Noise | MapError | None = None
    if grid is not None and deviation is not None and spectra is not None:
        spread = MapError(deviation, spectra, grid)
    elif grid is not None and noise is not None:
        spread = Noise.within(noise, known.reshape(mask.shape), grid)
    # the copies of an affine in different files differ in the seventh digit
    voxel, places = math.prod(round(float(size), 5) for size in voxel_size), Places(labels)
    counts = {key: counted(key, maps).ravel() for key in maps}
    fit = None
    if grid is not None and total_field is not None and has_chi:
        fit = fit_labels(labels, names, maps['chi'], total_field, known.reshape(mask.shape), grid)
    flat, rows = labels.ravel(), []
    for region in regions_of(names):
        where = places.of(region.members)
        inside = where[known[where]]
        enough = where.size > 0 and inside.size >= coverage_limit * where.size
        row = _about(region, where.size, inside.size, voxel)
        row |= summary(chi[inside] if enough and has_chi else chi[:0])
        row['se'] = four_digits(spread.error_of_mean(inside)) if spread and enough else math.nan
        if fit is not None and enough:
            own = flat[inside]
            voxels = [int(np.count_nonzero(own == value)) for value in fit.regions]
            row |= corrected(row['mean'], row['se'], fit.of(voxels), whole_brain)
        row['mean_wholebrain'] = row['mean'] - whole_brain
        row['mean_csf'] = math.nan if csf is None else row['mean'] - csf
        row |= _against_literature(region, row['mean_wholebrain'], age)
        for key in (key for key in MEASURED_MAPS if key in maps and key != 'chi'):
            valued = inside[counts[key][inside]]
            row |= _other(key, maps[key].ravel()[valued], coverage_limit * where.size)
        rows.append(row)
    return pd.DataFrame(rows, columns=_names(maps))


def _check(
    labels: Labels,
    maps: Mapping[str, Volume],
    mask: Mask,
    noise: Volume | None,
    grid: Grid | None,
    coverage_limit: float,
) -> None:
    unknown = [key for key in maps if key not in MEASURED_MAPS]
    if unknown:
        raise ValueError(f'no map {unknown[0]!r}; there are: {", ".join(MEASURED_MAPS)}')
    shapes = {'mask': mask.shape, **{key: values.shape for key, values in maps.items()}}
    if noise is not None:
        shapes['noise'] = noise.shape
        if grid is None:
            raise ValueError('noise needs the grid: give its voxel size and field direction')
    for name, shape in shapes.items():
        if shape != labels.shape:
            raise ValueError(
                f'{name} has shape {shape}, but the labels have {labels.shape}: '
                'give arrays that lie on one grid'
            )
    if not 0 <= coverage_limit <= 1:
        raise ValueError(f'the coverage limit is {coverage_limit:g}, expected 0 to 1')


def _about(region: Region, whole: int, measured: int, voxel: float) -> dict[str, Any]:
    return {
        'index': region.index,
        'name': region.name,
        'hemisphere': region.hemisphere,
        'structure': region.structure,
        'n_voxels': measured,
        'volume': whole * voxel,
        'coverage': measured / whole if whole else math.nan,
    }


def _against_literature(region: Region, value: float, age: float | None) -> dict[str, Any]:
    low, high = published_range(region.structure, age)
    return {
        'chi_range_low': low,
        'chi_range_high': high,
        'chi_in_range': verdict(value, low, high),
    }


def _other(key: str, values: npt.NDArray[np.floating], least: float) -> dict[str, Any]:
    """Columns of a map that is not chi, from its values where chi was measured and it has one."""
    found = summary(values if values.size >= least else values[:0])
    return {f'{key}_n_voxels': values.size, **{f'{key}_{k}': v for k, v in found.items()}}


def _names(maps: Mapping[str, Volume]) -> list[str]:
    missing = tuple(f'{key}_' for key in MEASURED_MAPS if key not in maps and key != 'chi')
    return [name for name in columns() if not name.startswith(missing)]


def write_table(table: pd.DataFrame, path: Path | str) -> Path:
    """Write a table as BIDS wants it: tabs, ``n/a`` for no value, nine digits.

    Nine digits tell any two float32 numbers apart, so that equal values are equal text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> table = pd.DataFrame({'name': ['putamen', 'caudate'], 'mean': [0.05, float('nan')]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_table(table, Path(folder) / 'regions.tsv').read_text()
    >>> text.split()
    ['name', 'mean', 'putamen', '0.05', 'caudate', 'n/a']

    """
    return write_tsv(Path(path), table.columns, table.itertuples(index=False, name=None))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of regions; ``n/a`` becomes NaN in numbers and nothing in words.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.atlases.structures import make_label
    >>> from bidsqsm.rois.region_table import roi_table, write_table
    >>> sphere = make_sphere(chi=0.1)
    >>> left = np.arange(24)[:, None, None] < 12
    >>> labels = np.where(left, 5, 6) * sphere.inside
    >>> names = [make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R')]
    >>> table = roi_table(labels, names, {'chi': sphere.chi}, sphere.mask, (2.0, 2.0, 2.0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = read_table(write_table(table, Path(folder) / 'regions.tsv'))
    >>> again['mean'].round(2).tolist()
    [0.1, 0.1, 0.1]

    """
    table = read_frame(path)
    words = ['name', 'hemisphere', 'structure', 'chi_in_range']
    return table.astype(dict.fromkeys(words, object)).fillna(dict.fromkeys(words, ''))

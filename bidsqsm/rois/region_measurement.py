"""Regions measured in files, whoever made them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bidsqsm import __version__
from bidsqsm.atlases.label_image import load_labels
from bidsqsm.atlases.label_table import read_labels
from bidsqsm.errors import DatasetError
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.json_files import write_json
from bidsqsm.files.nifti import load_volume
from bidsqsm.qsm.body import ADULT, BODIES, Body
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.rois.literature import check
from bidsqsm.rois.map_files import csf_value, one_grid
from bidsqsm.rois.map_units import field_in_ppm, load_maps, sidecar_of
from bidsqsm.rois.region_columns import MEASURED_MAPS, OPTIONAL_MAPS, columns
from bidsqsm.rois.region_table import roi_table, write_table
from bidsqsm.rois.regions import with_unnamed, without_combined


@dataclass(frozen=True, kw_only=True)
class Files:
    """What there is to measure, one file for each.

    Parameters
    ----------
    chi, r2star, t2star, local_field, total_field, noise, and the further ones
        Maps on one grid; see :mod:`bidsqsm.rois.map_units` for their units.
    labels
        Label image on that grid.
    deviation
        Standard deviation of chi, in ppm, whose sidecar has the spectra of the field.
    names
        Table of the labels' names.
    mask
        Voxels that have a susceptibility; where it is missing, those that are not zero.
    units
        Of chi, ppm or ppb; where it is empty, the sidecar tells.

    """

    chi: Path
    labels: Path
    names: Path | None = None
    mask: Path | None = None
    r2star: Path | None = None
    t2star: Path | None = None
    local_field: Path | None = None
    total_field: Path | None = None
    noise: Path | None = None
    deviation: Path | None = None
    r2prime: Path | None = None
    t2prime: Path | None = None
    chi_paramagnetic: Path | None = None
    chi_diamagnetic: Path | None = None
    iron: Path | None = None
    gadolinium: Path | None = None
    units: str = ''

    @property
    def images(self) -> dict[str, Path]:
        """Those that are there and lie on the grid."""
        keys = (
            'chi',
            'labels',
            'mask',
            'r2star',
            't2star',
            'local_field',
            'total_field',
            'noise',
            'deviation',
            *OPTIONAL_MAPS,
        )
        return {key: path for key in keys if (path := getattr(self, key)) is not None}


@dataclass(frozen=True)
class Measurement:
    """A table, what its values refer to, and what to tell the user of it."""

    table: pd.DataFrame
    facts: dict[str, Any]
    notes: list[str]


def measure(files: Files, *, age: float | None = None, coverage: float = 0.5) -> Measurement:
    """Measure all maps in every region of a label image.

    Parameters
    ----------
    files
        What there is.
    age
        In years, for the published ranges.
    coverage
        Share of a label that must have been measured for it to have values.

    Raises
    ------
    DatasetError
        Where files are damaged, lie on different grids or are in an unknown unit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.rois.region_measurement import Files
    >>> sphere = make_sphere(chi=0.1)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     chi = save_volume(sphere.chi + 0.01 * sphere.mask, affine, Path(name) / 'chi.nii.gz')
    ...     labels = save_volume(7 * sphere.inside, affine, Path(name) / 'dseg.nii.gz')
    ...     measured = measure(Files(chi=chi, labels=labels))
    >>> measured.table['name'].tolist(), measured.table['mean'].round(2).tolist()
    (['label-7'], [0.11])

    """
    body = body_of_map(sidecar_of(files.chi))
    grid = one_grid(files.images.values()).of_body(body.scale)
    paths = files.images
    maps, notes = load_maps(
        {key: paths[key] for key in MEASURED_MAPS if key in paths}, files.units
    )
    mask = _mask(files, maps['chi'], notes)
    named = read_labels(files.names) if files.names else ()
    labels, _ = load_labels(files.labels, none=bool(named))
    if not (labels > 0).any():
        notes.append(f'{files.labels.name} has no label above 0: no region was measured.')
    names, unnamed = with_unnamed(labels, without_combined(named, labels))
    noise = field_in_ppm('noise', files.noise, files.chi) if files.noise else None
    total = (
        field_in_ppm('total_field', files.total_field, files.chi) if files.total_field else None
    )
    csf = csf_value(maps['chi'], mask, grid, maps.get('r2star'))
    table = roi_table(
        labels,
        names,
        maps,
        mask,
        grid.body_voxel_size,
        noise=noise,
        grid=grid,
        deviation=load_volume(files.deviation)[0] if files.deviation else None,
        spectra=_spectra(files.deviation, grid) if files.deviation else None,
        total_field=total,
        csf=csf,
        coverage_limit=coverage,
        # nothing that is published of the regions of adults holds of other bodies
        age=age if body.is_adult else math.nan,
    )
    notes += [*unnamed, *(check(table, age) if body.is_adult else ())]
    facts = {
        'MapReference': sidecar_of(files.chi).get('ReferenceRegion'),
        'CSFSusceptibility': csf,
        'Age': age,
        'CoverageLimit': coverage,
        'Notes': notes,
    }
    return Measurement(table, facts, notes)


def body_of_map(sidecar: Mapping[str, Any]) -> Body:
    """What was scanned, as the sidecar of a map tells; an adult where it does not."""
    name, scale = sidecar.get('Body'), sidecar.get('BodyScale')
    if name in BODIES and isinstance(scale, int | float):
        return Body(name, float(scale))
    return ADULT


def _spectra(deviation: Path, grid: Grid) -> FieldSpectra | None:
    """Spectra of the field that the sidecar of a standard deviation tells; None for none."""
    facts = RunFacts.of(sidecar_of(deviation).get('Decisions'))
    told = (getattr(facts[step], 'spectra', None) for step in ('dipole', 'onestep'))
    return next((table.spectra(grid) for table in told if table and table.frequency), None)


def _mask(files: Files, chi: Volume, notes: list[str]) -> Mask:
    known = np.isfinite(chi)
    if files.mask:
        mask: Mask = load_volume(files.mask)[0] > 0.5
        if not (mask & known).any():
            raise DatasetError(
                f'{files.mask} has no voxel where {files.chi.name} has a value, expected the mask '
                'of the map: give another mask'
            )
        return mask
    mask = known & (chi != 0)
    if mask.all() or not mask.any():
        what = 'only' if not mask.any() else 'no'
        raise DatasetError(
            f'{files.chi} has {what} voxels that are 0, expected a map that is 0 outside its mask: '
            'give the mask with --mask'
        )
    notes.append(f'No mask given: the {int(mask.sum())} voxels where chi is not 0 were taken.')
    return mask


def write_measurement(
    measured: Measurement, path: Path, sources: Mapping[str, Path], *, overwrite: bool = False
) -> Path:
    """Write a table and the JSON beside it.

    Parameters
    ----------
    measured
        What to write.
    path
        Of the table, ending in ``.tsv``. What a JSON of that name says already, such as of the
        label image beside it, is kept.
    sources
        Files that were measured.
    overwrite
        Whether a table that is there may be replaced.

    """
    if path.suffix != '.tsv':
        raise DatasetError(f'{path} does not end in .tsv, expected the name of a table: rename it')
    if path.exists() and not overwrite:
        raise DatasetError(f'{path} exists, expected a new file: name another, or add --overwrite')
    beside = path.with_suffix('.json')
    about = {name: text for name, text in columns().items() if name in measured.table}
    kept = sidecar_of(path)
    content = {
        'Description': 'Susceptibility and other maps in the regions of an atlas.',
        **kept,
        **about,
        'Measurement': {key: value for key, value in measured.facts.items() if value is not None},
        'MeasuredFiles': {key: f'{source}' for key, source in sources.items()},
        'MeasuredWith': {'Name': 'bidsqsm', 'Version': __version__},
    }
    write_table(measured.table, path)
    write_json(beside, content)
    return path

"""Vials of known concentrations measured in maps, and the lines through them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.atlases.label_table import read_index, rows_with
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_volume
from bidsqsm.qsm.concentration.vial_line import FEWEST_VIALS, Line, core_of, line_through
from bidsqsm.qsm.grid import Labels, Mask, Triple, Volume
from bidsqsm.rois.map_files import one_grid
from bidsqsm.rois.map_units import load_maps
from bidsqsm.rois.region_columns import MEASURED_MAPS, counted
from bidsqsm.rois.statistics import summary

#: Maps that are held against concentrations
CALIBRATED_MAPS = ('chi', 'r2star')
_VIAL_STATISTICS = ('mean', 'sd', 'median', 'p05', 'p95')


@dataclass(frozen=True)
class Vial:
    """A label of the image and what is in it, in the user's unit."""

    index: int
    concentration: float
    name: str


@dataclass(frozen=True)
class VialFiles:
    """What there is of a phantom: images on one grid, and the table of its vials.

    Parameters
    ----------
    chi, r2star
        Maps; see :mod:`bidsqsm.rois.map_units` for their units.
    labels
        Label image.
    vials
        Table with the columns index, concentration and, by choice, name.
    mask
        Voxels that have a susceptibility; where it is missing, those that are not zero.
    units
        Of chi, ppm or ppb; where it is empty, the sidecar tells.

    """

    chi: Path
    labels: Path
    vials: Path
    r2star: Path | None = None
    mask: Path | None = None
    units: str = ''

    @property
    def images(self) -> dict[str, Path]:
        """Those that are there and lie on the grid."""
        keys = ('chi', 'labels', 'mask', 'r2star')
        return {key: path for key in keys if (path := getattr(self, key)) is not None}


@dataclass(frozen=True)
class Calibration:
    """A row for each vial, the line of each map, and what was converted on the way."""

    table: pd.DataFrame
    lines: Mapping[str, Line]
    notes: Sequence[str]


def read_vials(tsv: Path) -> tuple[Vial, ...]:
    r"""Read the table of concentrations.

    Raises
    ------
    DatasetError
        Where columns, numbers or enough vials are missing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'vials.tsv'
    ...     _ = path.write_text('index\tconcentration\n1\t0.5\n2\t1\n3\t2\n')
    ...     found = read_vials(path)
    >>> [(vial.index, vial.concentration) for vial in found]
    [(1, 0.5), (2, 1.0), (3, 2.0)]

    """
    rows = rows_with(tsv, ('index', 'concentration'), 'vials')
    found = [_vial(row, f'{tsv}, line {number}') for number, row in enumerate(rows, start=2)]
    indices = [vial.index for vial in found]
    if twice := sorted({index for index in indices if indices.count(index) > 1}):
        raise DatasetError(
            f'{tsv} has index {twice[0]} more than once, expected every vial once: remove a row'
        )
    different = {vial.concentration for vial in found}
    if len(found) < FEWEST_VIALS or len(different) < 2:
        raise DatasetError(
            f'{tsv} has {len(found)} vials of {len(different)} concentrations, expected {FEWEST_VIALS} '
            'vials or more that are not all alike: add vials'
        )
    return tuple(found)


def _vial(row: Mapping[str, str | None], where: str) -> Vial:
    label, text = read_index(row, where), f'{row["concentration"] or ""}'.strip()
    if not label:
        raise DatasetError(
            f'{where}: the index is 0, expected one above it, which a vial has: mend it'
        )
    try:
        concentration = float(text)
    except ValueError:
        concentration = math.nan
    if not math.isfinite(concentration):
        raise DatasetError(f'{where}: the concentration is {text!r}, expected a number: mend it')
    return Vial(label, concentration, f'{row.get("name") or ""}'.strip() or f'vial-{label}')


def calibrate(files: VialFiles, *, rim: float = 0.0) -> Calibration:
    r"""Measure the vials of a phantom and draw a line through them.

    Parameters
    ----------
    files
        Maps, labels and concentrations.
    rim
        In mm: voxels this near to the wall of a vial are left out.

    Raises
    ------
    DatasetError
        Where files are damaged or on different grids, or a vial cannot be measured.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from bidsqsm.files.nifti import save_volume
    >>> from bidsqsm.qsm.grid import Grid
    >>> from bidsqsm.qsm.phantom.vial_phantom import vials
    >>> from bidsqsm.rois.vials import VialFiles
    >>> labels, _ = vials(Grid((26, 26, 26), (2.0, 2.0, 2.0)), axis=2, count=3)
    >>> affine = np.diag([2.0, 2.0, 2.0, 1.0])
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     chi = save_volume(0.3 * labels, affine, folder / 'chi.nii.gz')
    ...     dseg = save_volume(labels, affine, folder / 'dseg.nii.gz')
    ...     tsv = folder / 'vials.tsv'  # with concentrations in mmol/L
    ...     _ = tsv.write_text('index\tconcentration\n1\t1\n2\t2\n3\t3\n')
    ...     found = calibrate(VialFiles(chi=chi, labels=dseg, vials=tsv))
    >>> round(found.lines['chi'].slope, 3)  # ppm per mmol/L
    0.3

    """
    vials = read_vials(files.vials)
    size = one_grid(files.images.values()).voxel_size
    labels, _ = load_labels(files.labels)
    paths = files.images
    maps, notes = load_maps(
        {key: paths[key] for key in CALIBRATED_MAPS if key in paths}, files.units
    )
    known = np.isfinite(maps['chi'])
    known &= maps['chi'] != 0 if files.mask is None else load_volume(files.mask)[0] > 0.5
    cores = {vial: _core(files, labels, vial, size, rim) for vial in vials}
    table = pd.DataFrame([_row(files, vial, cores[vial], maps, known) for vial in vials])
    lines = {}
    for key in maps:
        lines[key] = line_through(table['concentration'], table[f'{key}_mean'])
        table[f'{key}_residual'] = table[f'{key}_mean'] - lines[key].at(table['concentration'])
    return Calibration(table, lines, notes)


def _core(files: VialFiles, labels: Labels, vial: Vial, size: Triple, rim: float) -> Mask:
    core = core_of(labels, vial.index, size, rim)
    if not core.any():
        if (labels == vial.index).any():
            raise DatasetError(
                f'{files.labels} has no voxel of label {vial.index} ({vial.name}) more than {rim:g} mm '
                'from its wall, expected some of every vial: give a smaller --rim'
            )
        raise DatasetError(
            f'{files.labels} has no voxel of label {vial.index} ({vial.name}), expected every vial of '
            f'{files.vials.name}: label it, or remove its row'
        )
    return core


def _row(
    files: VialFiles, vial: Vial, core: Mask, maps: Mapping[str, Volume], known: Mask
) -> dict[str, object]:
    row: dict[str, object] = {
        'index': vial.index,
        'name': vial.name,
        'concentration': vial.concentration,
    }
    for key, values in maps.items():
        inside: npt.NDArray[np.floating] = values[core & known & counted(key, maps)]
        if not inside.size:
            raise DatasetError(
                f'{getattr(files, key)} has no value in label {vial.index} ({vial.name}), expected '
                f'{MEASURED_MAPS[key].title} in every vial: look at mask and labels, or remove its row'
            )
        found = summary(inside)
        row[f'{key}_n_voxels'] = inside.size
        row |= {f'{key}_{name}': found[name] for name in _VIAL_STATISTICS}
    return row

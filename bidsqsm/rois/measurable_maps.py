"""What there is to measure in a derivative dataset of bidsqsm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import BidsFile, in_order, join, natural, parse
from bidsqsm.rois.region_columns import OPTIONAL_MAPS
from bidsqsm.rois.region_measurement import Files

#: desc- of a map and that of its mask
_MASKS = {'': 'qsm', 'cosmos': 'cosmos'}
_ABOUT_LABELS = ('atlas', 'seg', 'desc')


@dataclass(frozen=True)
class Found:
    """A map with labels beside it.

    Attributes
    ----------
    files
        What to measure.
    subject
        Label of the participant.
    path
        Where the table goes, relative to the dataset.

    """

    files: Files
    subject: str
    path: Path


def find_measurable(root: Path, names: Path | None = None) -> list[Found]:
    """Find every susceptibility map of a dataset that has labels of an atlas beside it.

    Parameters
    ----------
    root
        The derivative dataset.
    names
        Names of the labels, for all label images; otherwise those of the table beside each.

    Raises
    ------
    DatasetError
        Where there is none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as name:
    ...     anat = Path(name) / 'sub-1' / 'anat'
    ...     anat.mkdir(parents=True)
    ...     for ending in ('desc-qsm_mask', 'Chimap', 'atlas-MASSP20_dseg'):
    ...         (anat / f'sub-1_{ending}.nii.gz').touch()
    ...     found = find_measurable(Path(name))
    >>> [one.path.name for one in found]
    ['sub-1_atlas-MASSP20_dseg.tsv']

    """
    if not root.is_dir():
        raise DatasetError(f'{root} is no folder, expected a derivative dataset of bidsqsm')
    paths = sorted(root.glob('sub-*/**/anat/*_Chimap.nii*'), key=lambda path: natural(path.name))
    maps = [file for path in paths if (file := parse(path)) and _desc(file) in _MASKS]
    found = [one for file in maps for one in _measurable(root, file, names)]
    if not found:
        raise DatasetError(
            f'{root} has {len(maps)} susceptibility maps and no labels (atlas-*_dseg.nii.gz) '
            'beside them, expected both: run bidsqsm with an atlas, or measure single files with '
            '--chi and --labels'
        )
    return found


def _measurable(root: Path, chi: BidsFile, names: Path | None) -> Iterator[Found]:
    own = {key: value for key, value in chi.entities.items() if key != 'desc'}
    anat, fmap = chi.path.parent, chi.path.parent.parent / 'fmap'
    for path in sorted(anat.glob('*_dseg.nii*'), key=lambda path: natural(path.name)):
        labels = parse(path)
        if labels is None or 'atlas' not in labels.entities:
            continue
        if {k: v for k, v in labels.entities.items() if k not in _ABOUT_LABELS} != own:
            continue
        table = path.with_name(path.name.removesuffix('.gz')).with_suffix('.tsv')
        optional: dict[str, Any] = {
            key: _beside(anat, own, PRODUCTS[key].suffix, PRODUCTS[key].desc)
            for key in OPTIONAL_MAPS
            if key in PRODUCTS
        }
        files = Files(
            chi=chi.path,
            labels=path,
            names=names or (table if table.is_file() else None),
            mask=_beside(anat, own, 'mask', _MASKS[_desc(chi)]),
            r2star=_beside(anat, own, 'R2starmap'),
            t2star=_beside(anat, own, 'T2starmap'),
            local_field=_beside(fmap, own, 'fieldmap', 'local'),
            # a map of several orientations has several fields
            total_field=None if _desc(chi) else _beside(fmap, own, 'fieldmap', 'total'),
            noise=_beside(fmap, own, 'fieldmap', 'noise'),
            # a map of several orientations has none
            deviation=None if _desc(chi) else _beside(anat, own, 'Chimap', 'sd'),
            **optional,
        )
        name = _table_name(chi, labels)
        yield Found(files, own['sub'], path.parent.relative_to(root) / name)


def _desc(file: BidsFile) -> str:
    return file.entities.get('desc', '')


def _beside(folder: Path, entities: dict[str, str], suffix: str, desc: str = '') -> Path | None:
    name = join(in_order({**entities, **({'desc': desc} if desc else {})}))
    for ending in ('.nii.gz', '.nii'):
        path = folder / f'{name}_{suffix}{ending}'
        if path.is_file():
            return path
    return None


def _table_name(chi: BidsFile, labels: BidsFile) -> str:
    # two maps may share their labels: the map's own desc parts their tables
    desc = _desc(labels) + _desc(chi)
    entities = {**labels.entities, **({'desc': desc} if desc else {})}
    return f'{join(in_order(entities))}_dseg.tsv'

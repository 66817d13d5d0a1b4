"""The truth of a simulated head as BIDS derivatives."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm import __version__
from bidsqsm.files.json_files import write_json
from bidsqsm.files.nifti import save_volume
from bidsqsm.files.tsv_files import NOTHING, write_tsv
from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.phantom.head import Head
from bidsqsm.qsm.phantom.labels import LABELS
from bidsqsm.qsm.phantom.model_errors import ModelErrors
from bidsqsm.qsm.units import imaging_frequency_of

_SIDECAR = {'SkullStripped': True, 'SpatialReference': 'orig'}


def write_truth(
    root: Path, name: str, head: Head, wrong: tuple[ModelErrors, Volume] | None = None
) -> None:
    """Write the maps of one subject; the dataset's own files with the first.

    Parameters
    ----------
    root
        The derivative dataset.
    name
        Such as ``sub-01`` or ``sub-01_acq-2``.
    head
        The truth: its fields are those of the (mean) susceptibility alone.
    wrong
        Sizes of model errors, and what these add to the field that a fit over the echoes finds, in ppm.

    """
    _write_root(root)
    frequency = imaging_frequency_of(head.field_strength)
    folder = root / name.partition('_')[0]
    anat, fmap = folder / 'anat', folder / 'fmap'
    signal = head.magnitude
    maps: list[tuple[Path, Volume | Mask | Labels, dict[str, Any]]] = [
        (anat / f'{name}_Chimap', head.chi, {'Units': 'ppm', 'EstimationReference': 'water'}),
        (anat / f'{name}_R2starmap', head.r2star, {'Units': '1/s'}),
        (fmap / f'{name}_desc-total_fieldmap', head.total_field * frequency, {'Units': 'Hz'}),
        (fmap / f'{name}_desc-local_fieldmap', head.local_field * frequency, {'Units': 'Hz'}),
        (fmap / f'{name}_magnitude', signal, {'Units': 'arbitrary', 'SkullStripped': False}),
        (anat / f'{name}_desc-brain_mask', head.mask, {'Type': 'Brain'}),
        (anat / f'{name}_dseg', head.labels, {}),
    ]
    if wrong is not None:
        errors, field = wrong
        stem = fmap / f'{name}_desc-modelerror_fieldmap'
        maps.append((stem, field * frequency, {'Units': 'Hz', 'ModelErrors': asdict(errors)}))
    for stem, volume, meta in maps:
        save_volume(volume, head.affine, stem.with_suffix('.nii.gz'))
        write_json(stem.with_suffix('.json'), _SIDECAR | meta)
    _write_table(anat / f'{name}_dseg', head)


def _write_table(stem: Path, head: Head) -> None:
    rows: list[tuple[object, ...]] = []
    voxel = float(np.prod(head.grid.voxel_size))
    for value, name in LABELS.items():
        inside = head.labels == value
        if not inside.any():
            rows.append((value, name, 0, NOTHING, NOTHING))
            continue
        chi, r2star = head.chi[inside].mean(dtype=float), head.r2star[inside].mean(dtype=float)
        volume = f'{inside.sum() * voxel:.1f}'
        rows.append((value, name, volume, f'{chi:.5f}', f'{r2star:.3f}'))
    write_tsv(stem.with_suffix('.tsv'), ('index', 'name', 'volume', 'chi', 'r2star'), rows)
    columns = {
        'volume': {'Description': 'Volume of the label', 'Units': 'mm^3'},
        'chi': {'Description': 'Mean true susceptibility, water = 0', 'Units': 'ppm'},
        'r2star': {'Description': 'Mean true R2*', 'Units': '1/s'},
    }
    write_json(stem.with_suffix('.json'), _SIDECAR | columns)


def _write_root(root: Path) -> None:
    if (root / 'dataset_description.json').exists():
        return
    description = {
        'Name': 'Truth of the simulated heads',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'derivative',
        'License': 'CC0',
        'GeneratedBy': [{'Name': 'bidsqsm demo', 'Version': __version__}],
        'DatasetLinks': {'raw': '../..'},
        'SourceDatasets': [{'URL': '../..'}],
    }
    write_json(root / 'dataset_description.json', description)
    (root / 'README.md').write_text(
        '# Truth\n\nWhat the images of the simulated heads were computed from: susceptibility '
        '(ppm, water = 0),\ntotal field after the shim and local field (Hz; the field of the '
        'susceptibility inside the\nbrain mask, less its mean), R2* (1/s), labels and brain '
        'mask. Fields are those of the susceptibility\n(of its mean, where white matter is '
        'anisotropic) alone; what model errors add to the field that\na fit over the echoes finds '
        'without noise is `desc-modelerror`, where there are any.\n'
    )
    descriptions = [
        ('desc-brain', 'Brain'),
        ('desc-total', 'Field from all sources, background included, after the shim'),
        ('desc-local', 'Field from sources inside the brain mask'),
        ('desc-modelerror', 'What model errors add to the field that the echoes tell'),
    ]
    write_tsv(root / 'descriptions.tsv', ('desc_id', 'description'), descriptions)

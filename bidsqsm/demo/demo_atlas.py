"""The demo's own template and atlas: the average head, its nuclei in their nominal places."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bidsqsm import __version__
from bidsqsm.demo.mni import mni_templates
from bidsqsm.demo.simulate import default_shape, scan_affine
from bidsqsm.files.atomic import write_text
from bidsqsm.files.json_files import write_json
from bidsqsm.files.nifti import Affine, save_volume
from bidsqsm.files.tsv_files import write_tsv
from bidsqsm.qsm.phantom.head import make_t1w_and_labels
from bidsqsm.qsm.phantom.head_anatomy import Subject, build_anatomy
from bidsqsm.qsm.phantom.labels import LABELS, NUCLEUS_VALUES

_LICENSE = (
    'Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological '
    'Institute, McGill University (MNI152 averages): free to use, copy and modify with this notice'
)
_README = """\
# Atlas of the average head

Made by `bidsqsm demo`, for `--atlases`: the anatomy that the simulated heads are warped from, as a
T1-weighted image, with its brain mask and the nuclei in their nominal places.
"""


@functools.lru_cache(maxsize=2)
def average_head(resolution: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], Affine]:
    """Head that no subject's warp, size, texture, vessels or lesions have changed.

    Parameters
    ----------
    resolution
        Voxel size in mm, 1 or 2.

    Returns
    -------
    t1w : (nx, ny, nz) int16 array
        Arbitrary units.
    labels : (nx, ny, nz) uint8 array
        See :data:`~bidsqsm.qsm.phantom.labels.LABELS`.
    affine : (4, 4) array
        To MNI world coordinates, in mm.

    """
    size = (float(resolution),) * 3
    shape = default_shape(size)
    affine = scan_affine(shape, size)
    nobody = Subject(average=True)
    anatomy = build_anatomy(mni_templates(resolution), nobody)
    t1w, labels = make_t1w_and_labels(anatomy, nobody, shape, affine)
    return np.rint(1200 * t1w).astype(np.int16), labels, np.asarray(affine, float)


def write_atlas(folder: Path, resolution: int) -> None:
    """Write a folder that ``--atlases`` takes, which is a BIDS derivative dataset as well.

    Parameters
    ----------
    folder
        New.
    resolution
        Voxel size in mm, 1 or 2.

    """
    t1w, labels, affine = average_head(resolution)
    nuclei = np.where(np.isin(labels, NUCLEUS_VALUES), labels, 0).astype(np.uint8)
    for name, volume in (('template', t1w), ('dseg', nuclei), ('mask', labels > 0)):
        save_volume(volume, affine, folder / f'{name}.nii.gz')
    rows = [(value, LABELS[value], 'LR'[1 - value % 2]) for value in NUCLEUS_VALUES]
    write_tsv(folder / 'dseg.tsv', ('index', 'name', 'hemisphere'), rows)
    about = {
        'Name': 'Demo',
        'Template': 'DemoTemplate',
        'License': _LICENSE,
        'Source': f'bidsqsm demo {__version__}',
    }
    description = {
        'Name': 'Atlas of the average simulated head',
        'BIDSVersion': '1.10.0',
        'DatasetType': 'derivative',
        'License': _LICENSE,
        'GeneratedBy': [{'Name': 'bidsqsm demo', 'Version': __version__}],
    }
    for file, content in (('atlas', about), ('dataset_description', description)):
        write_json(folder / f'{file}.json', content)
    write_text(folder / 'README.md', _README)
    # an atlas belongs to no subject, for which BIDS has no place
    write_text(folder / '.bidsignore', '*.nii.gz\n*.tsv\natlas.json\n')

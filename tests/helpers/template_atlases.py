"""A TemplateFlow home with made-up files of the right names, and user folders of atlases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bidsqsm.atlases.templateflow import atlas_files, files_of, template_files
from bidsqsm.files.nifti import save_volume

#: Affine of 4 mm voxels, about the origin, and shape of the template's grid
AFFINE = np.array([[4, 0, 0, -60], [0, 4, 0, -72], [0, 0, 4, -56], [0, 0, 0, 1]], dtype=float)
SHAPE = (31, 37, 29)
#: Values and names as in TemplateFlow's tables, the sides' centres (mm, right) and half axes
MASSP20 = {
    'caudate': (1, (14, 10, 10), 8),
    'subthalamic-nuclei': (3, (11, -12, -8), 5),
    'substantia-nigra': (5, (10, -17, -16), 6),
    'red-nucleus': (7, (6, -26, -9), 5),
    'globus-pallidus-interna': (9, (17, -5, -2), 5),
    'globus-pallidus-externa': (11, (22, 2, 0), 5),
    'thalamus': (13, (12, -20, 8), 9),
    'putamen': (38, (30, 6, 2), 9),
    'dentate-gyrus': (46, (28, -24, -14), 5),
}
SUIT = {'X': (26, (20, -40, -40), 5), 'Dentate': (29, (14, -56, -35), 7)}


def ball(centre, radius, shape=SHAPE, affine=AFFINE):
    """Voxels within a radius (mm) of a place (world mm)."""
    at = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return ((at - centre) ** 2).sum(-1) < radius**2


def brain(shape=SHAPE, affine=AFFINE):
    """T1w-like image with two folds of contrast, and the brain's mask."""
    mask = ball((0, -17, -6), 62, shape, affine)
    return (300 * ball((0, -17, -6), 66, shape, affine) + 400 * mask).astype(np.int16), mask


def labels(of, ways=('left-{}', 'right-{}'), shape=SHAPE, affine=AFFINE):
    """Label image and the rows of its table."""
    image, rows = np.zeros(shape, np.int16), ['index\tname']
    for name, (value, centre, radius) in of.items():
        for side, way in enumerate(ways):
            image[ball(np.multiply(centre, (2 * side - 1, 1, 1)), radius, shape, affine)] = (
                value + side
            )
            rows.append(f'{value + side}\t{way.format(name)}')
    return image, rows


def make_templateflow(home: Path) -> Path:
    """Write what ``MASSP20``, ``SUIT`` and the output space MNI152NLin2009cAsym:res-2 need.

    TEMPLATEFLOW_HOME must be set to ``home`` already.
    """
    for name, of, ways in (
        ('MASSP20', MASSP20, ('left-{}', 'right-{}')),
        ('SUIT', SUIT, ('Left_{}', 'Right_{}')),
    ):
        dseg, tsv = atlas_files(name)
        assert dseg.is_relative_to(home), 'set TEMPLATEFLOW_HOME first'
        image, rows = labels(of, ways)
        save_volume(image, AFFINE, dseg)
        tsv.write_text('\n'.join(rows) + '\n')
    t1w, mask = brain()
    for template in ('MNI152NLin2009cAsym', 'SUIT'):
        own, brain_mask = template_files(template)
        save_volume(t1w, AFFINE, own)
        if brain_mask is not None:
            save_volume(mask, AFFINE, brain_mask)
    half = AFFINE @ np.diag([2.0, 2, 2, 1])
    t1w, mask = brain((16, 19, 15), half)
    coarse, brain_mask = template_files('MNI152NLin2009cAsym', 2)
    save_volume(t1w, half, coarse)
    save_volume(mask, half, brain_mask)
    return home


def make_placeholders(home: Path) -> Path:
    """Write the same names, empty as TemplateFlow leaves them until they are fetched."""
    for file in files_of(['MASSP20', 'SUIT'], ['MNI152NLin2009cAsym:res-2']):
        assert file.is_relative_to(home), 'set TEMPLATEFLOW_HOME first'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return home


def make_atlas(folder: Path, about: dict | None = None, **changed) -> Path:
    """Write a user's atlas folder; ``changed`` replaces t1w, mask, dseg, rows or dseg's affine."""
    t1w, mask = brain()
    image, rows = labels(MASSP20)
    parts = {'t1w': t1w, 'mask': mask, 'dseg': image, 'rows': rows, 'affine': AFFINE} | changed
    for name, key in (('template', 't1w'), ('mask', 'mask')):
        if parts[key] is not None:
            save_volume(parts[key], AFFINE, folder / f'{name}.nii.gz')
    save_volume(parts['dseg'], parts['affine'], folder / 'dseg.nii.gz')
    (folder / 'dseg.tsv').write_text('\n'.join(parts['rows']) + '\n')
    if about is not None:
        (folder / 'atlas.json').write_text(json.dumps(about))
    return folder

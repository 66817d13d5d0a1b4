"""Regions are refined from file to file, and what became of them is told."""

from __future__ import annotations

import os

import nibabel as nb
import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.errors import DatasetError
from bidsqsm.interfaces.anatomy.refinement import RefineRois
from bidsqsm.qsm.grid import Grid

AFFINE = np.diag([-1.0, 1.0, 1.5, 1.0])
SHAPE = (30, 32, 24)


@pytest.fixture
def files(tmp_path):
    """A bright ball, a label of it that is 2 voxels off, and a label of one voxel."""
    at = np.indices(SHAPE) - np.reshape([15, 16, 12], (3, 1, 1, 1))
    ball = (at[0] ** 2 + at[1] ** 2 + (1.5 * at[2]) ** 2 < 36).astype(np.float32)
    labels = np.roll(ball, 2, 0).astype(np.int16) * 11
    labels[3, 3, 3] = 2001
    noise = np.random.default_rng(0).normal(0, 0.005, SHAPE)
    chi = ndimage.gaussian_filter(0.1 * ball, 0.5) + noise
    arrays = {
        'labels': labels,
        'chi': chi,
        'in_mask': np.ones(SHAPE),
        'r2star': 20 + 140 * chi,
    }
    for name, array in arrays.items():
        kind = np.int16 if name == 'labels' else np.float32
        nb.Nifti1Image(array.astype(kind), AFFINE).to_filename(tmp_path / f'{name}.nii.gz')
    return tmp_path, arrays


def refined(folder, **inputs):
    paths = {n: str(folder / f'{n}.nii.gz') for n in ('labels', 'chi', 'in_mask', 'r2star')}
    os.chdir(folder)
    return RefineRois(**{**paths, 'method': 'border', **inputs}).run(cwd=str(folder)).outputs


@pytest.fixture(autouse=True)
def _back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('method', ['border:reach=2.5', 'none', 'trim:erode=0.5'])
def test_files_give_what_the_function_gives(files, method):
    folder, arrays = files
    found = refined(folder, method=method)
    image = nb.load(found.labels)
    np.testing.assert_array_equal(image.affine, AFFINE)
    chi, r2star = (arrays[n].astype(np.float32) for n in ('chi', 'r2star'))
    expected = STEPS['roi_refine'].choose(method)(
        arrays['labels'], chi, np.ones(SHAPE, bool), Grid.from_affine(SHAPE, AFFINE), r2star=r2star
    )
    np.testing.assert_array_equal(np.asarray(image.dataobj), expected)
    assert np.issubdtype(image.get_data_dtype(), np.integer)


def test_overlap_with_the_atlas_is_told_and_a_lost_region_is_warned_of(files):
    folder, arrays = files
    found = refined(folder, method='trim:erode=1')
    kept = np.asarray(nb.load(found.labels).dataobj) == 11
    of = arrays['labels'] == 11
    dice = 2 * (kept & of).sum() / (kept.sum() + of.sum())
    overlaps = found.facts['overlap_with_atlas']
    assert overlaps == {'11': pytest.approx(dice, abs=1e-3), '2001': 0}
    assert found.facts['roi_refine'] == 'trim'
    (warning,) = found.facts['warnings']
    assert 'regions 2001:' in warning


def test_labels_on_another_grid_or_between_whole_numbers_are_refused(files):
    folder, arrays = files
    few = nb.Nifti1Image(arrays['labels'][:-1], AFFINE)
    few.to_filename(folder / 'few.nii.gz')
    with pytest.raises(DatasetError, match=r'few.nii.gz has shape .* bring the labels onto'):
        refined(folder, labels=str(folder / 'few.nii.gz'))
    nb.Nifti1Image(arrays['chi'], AFFINE).to_filename(folder / 'soft.nii.gz')
    with pytest.raises(DatasetError, match=r'soft.nii.gz holds values that are no whole numbers'):
        refined(folder, labels=str(folder / 'soft.nii.gz'))


@pytest.mark.parametrize('how', ['typed', 'file'])
def test_the_option_has_a_dash_where_the_step_has_none(how, tmp_path):
    text = 'trim:erode=0.5,exclude_veins=no'
    arguments = ['in', 'out', 'participant']
    (tmp_path / 'settings.toml').write_text(f'roi-refine = "{text}"\n')
    given = {'typed': ['--roi-refine', text], 'file': ['--config-file', 'settings.toml']}[how]
    choice = parse_arguments([*arguments, *given]).methods['roi_refine']
    assert choice.method.name == 'trim'
    assert choice.settings() == {'erode': 0.5, 'exclude_veins': False}
    assert parse_arguments(arguments).methods['roi_refine'].method.name == 'border'

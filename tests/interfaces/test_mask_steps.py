"""Masks: parts that are told, brains that cannot be, and phase that is noise."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pytest
from nipype.interfaces.base import isdefined

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import save_volume
from bidsqsm.interfaces.masking import MakeMask, check, refuse_noise, volumes
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.masking.mask_result import Masks


def test_an_empty_mask_is_refused_and_a_small_one_warned_of():
    none, half = np.zeros((8, 8, 8), bool), np.zeros((8, 8, 8), bool)
    half[:3] = True
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0))
    with pytest.raises(DatasetError, match='the mask is empty'):
        check(Masks(~none, none), grid)
    assert '38%' in check(Masks(~none, half), grid)[0]
    whole, half_ml = volumes(Masks(~none, half), Grid((8, 8, 8), (2.0, 2.0, 2.0)))
    assert (whole, half_ml) == pytest.approx((4.096, 1.536))


@pytest.mark.parametrize(
    ('side', 'share', 'warned'),
    [(16, 1.0, True), (16, 0.5, False), (16, 0.05, True), (10, 0.05, False)],
)
def test_a_brain_of_impossible_volume_is_warned_of(side, share, warned):
    mask = np.zeros((side, side, side), bool)
    mask.flat[: int(share * mask.size)] = True
    found = check(Masks(mask, mask), Grid(mask.shape, (10.0, 10.0, 10.0)))
    assert [w for w in found if 'expected 400 to 2300 mL' in w] == (found if warned else [])
    assert bool(found) == warned


def test_noise_is_not_mapped():
    mask = np.ones((8, 8, 8), bool)
    refuse_noise(np.full(mask.shape, 0.1, np.float32), mask)
    with pytest.raises(DatasetError, match='the phase in the mask is noise'):
        refuse_noise(np.full(mask.shape, 0.01, np.float32), mask)


def test_a_given_mask_is_taken_as_it_is(phantom, phantom_files, tmp_path):
    node = MakeMask(
        in_file=phantom_files['one'],
        quality=phantom_files['one'],
        residual=phantom_files['one'],
        in_mask=phantom_files['mask'],
        method='combined',
    )
    outputs = node.run(cwd=tmp_path).outputs
    for path in (outputs.brain_mask, outputs.qsm_mask):
        assert np.array_equal(nb.load(path).get_fdata() > 0, phantom.mask)
    assert outputs.facts['source'] == phantom_files['mask']
    assert outputs.facts['mask_sources'] == {
        'brain': phantom_files['mask'],
        'qsm': phantom_files['mask'],
    }
    assert not isdefined(outputs.magnitude_mask)


@pytest.fixture
def two_brains(tmp_path):
    """A bright ball in an image without background noise, and a template that lies 2 voxels off."""
    i, j, k = np.ogrid[:24, :24, :24]
    brain = (i - 11) ** 2 + (j - 11) ** 2 + (k - 11) ** 2 < 81
    arrays = {
        'in_file': brain * 1.0,
        'quality': brain * 0.8,
        'residual': np.full(brain.shape, 0.02),
        'template_mask': np.roll(brain, 2, axis=1) * 1.0,
    }
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return {
        name: str(save_volume(array.astype(np.float32), affine, tmp_path / f'{name}.nii'))
        for name, array in arrays.items()
    }, brain


def test_a_method_gets_the_arrays_that_it_names_and_its_parts_are_kept(two_brains, tmp_path):
    files, brain = two_brains
    wanted = {
        'combined': ({'magnitude', 'template', 'quality'}, 'magnitude, template'),
        'template': ({'template'}, 'template'),
        'magnitude': ({'magnitude'}, 'magnitude'),
        'phase-quality': ({'quality'}, 'quality'),
    }
    for method, (parts, source) in wanted.items():
        folder = tmp_path / method
        folder.mkdir()
        outputs = MakeMask(**files, method=method).run(cwd=folder).outputs
        made = {
            name
            for name in ('magnitude', 'template', 'quality')
            if isdefined(getattr(outputs, f'{name}_mask'))
        }
        assert made == parts
        assert outputs.facts['mask_sources']['brain'] == source
        expected = np.roll(brain, 2, axis=1) & brain if method == 'template' else brain
        found = nb.load(outputs.brain_mask).get_fdata() > 0
        assert dice(found, expected) > 0.97


def test_brains_that_disagree_are_reported(two_brains, tmp_path):
    files, brain = two_brains
    far = np.roll(brain, 6, axis=1)
    like = nb.load(files['in_file']).affine
    files['template_mask'] = str(save_volume(far.astype(np.float32), like, tmp_path / 'far.nii'))
    facts = MakeMask(**files, method='combined').run(cwd=tmp_path).outputs.facts
    assert facts['template_dice'] == pytest.approx(dice(brain, far), abs=0.03)
    assert any('Dice' in warning for warning in facts['warnings'])


def test_the_template_method_without_a_template_says_what_it_needs(two_brains, tmp_path):
    files, _ = two_brains
    del files['template_mask']
    with pytest.raises(ValueError, match=r'--mask template needs an atlas.* --atlases'):
        MakeMask(**files, method='template').run(cwd=tmp_path)

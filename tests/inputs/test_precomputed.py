"""Masks and labels that others made."""

from __future__ import annotations

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.precomputed import load_mask
from bidsqsm.inputs.run import GreRun, Skipped
from helpers.bids_skeleton import SHAPE, Skeleton

ONES = np.ones(SHAPE, np.uint8)


@pytest.fixture
def given(tmp_path) -> Skeleton:
    """An empty derivative dataset."""
    return Skeleton(tmp_path / 'deriv')


def first(dataset, *derivatives, **options):
    """Give the first run of a dataset, with these derivatives."""
    named = {f'd{n}': d.root for n, d in enumerate(derivatives)}
    return find_runs(dataset.root, derivatives=named, **options)[0]


@pytest.mark.parametrize(
    ('there', 'chosen'),
    [
        (['sub-01_mask', 'sub-01_desc-brain_mask'], 'sub-01_desc-brain_mask'),
        (['sub-01_desc-qsm_mask', 'sub-01_mask'], 'sub-01_mask'),
        (['sub-01_desc-lesion_mask'], None),
        (['sub-01_label-GM_mask'], None),
        (['sub-01_space-MNI_desc-brain_mask'], None),
        (['sub-01_acq-other_desc-brain_mask'], None),
        (['sub-02_desc-brain_mask'], None),
        (['sub-01_desc-brain_T1w'], None),
    ],
)
def test_the_mask_of_the_brain_is_taken(one_run, given, there, chosen):
    for name in there:
        given.image(f'{name}.nii.gz', data=ONES)
    run = first(one_run, given)
    assert (run.mask.name if run.mask else None) == (chosen and f'{chosen}.nii.gz')


def test_the_mask_that_shares_most_entities_wins(skeleton, given):
    skeleton.megre('sub-01_ses-a_run-1', echo_times=(0.02,))
    skeleton.megre('sub-01_ses-a_run-2', echo_times=(0.02,))
    for who in ('sub-01', 'sub-01_ses-a', 'sub-01_ses-a_run-2'):
        given.image(f'{who}_desc-brain_mask.nii.gz', data=ONES)
    runs = find_runs(skeleton.root, derivatives={'x': given.root})
    assert [run.mask.name for run in runs] == [
        'sub-01_ses-a_desc-brain_mask.nii.gz',
        'sub-01_ses-a_run-2_desc-brain_mask.nii.gz',
    ]


def test_the_first_derivatives_that_have_a_mask_win(one_run, given, tmp_path):
    second = Skeleton(tmp_path / 'second')
    third = Skeleton(tmp_path / 'third')
    for dataset in (second, third):
        dataset.image('sub-01_desc-brain_mask.nii.gz', data=ONES)
    third.image('sub-01_atlas-x_dseg.nii.gz', data=ONES)
    run = first(one_run, given, second, third)
    assert run.mask.is_relative_to(second.root)
    assert run.labels.is_relative_to(third.root)


def without_place(path):
    image = nb.load(path)
    image.header['sform_code'] = image.header['qform_code'] = 0
    bare = nb.Nifti1Image(np.asanyarray(image.dataobj), None, image.header)
    bare.header['sform_code'] = bare.header['qform_code'] = 0
    nb.save(bare, path)


@pytest.mark.parametrize('how', ['derivatives', 'pattern'])
def test_a_mask_without_a_place_lies_on_the_run_whose_shape_it_has(one_run, given, how):
    path = given.image('sub-01_desc-brain_mask.nii.gz', data=ONES)
    without_place(path)
    source = (
        {'derivatives': {'masks': given.root}}
        if how == 'derivatives'
        else {'mask_pattern': str(path)}
    )
    (run,) = find_runs(one_run.root, **source)
    assert run.mask == path
    (said,) = run.warnings
    assert said.startswith('sub-01_desc-brain_mask.nii.gz has no place in its header')
    assert 'B0' not in said


def test_labels_without_a_place_lie_on_the_run_as_well(one_run, given):
    path = given.image('sub-01_dseg.nii.gz', data=ONES)
    without_place(path)
    (run,) = find_runs(one_run.root, derivatives={'labels': given.root})
    assert run.labels == path


@pytest.mark.parametrize('place', ['sform', 'qform'])
def test_a_mask_lies_where_either_affine_of_the_run_says(one_run, given, place):
    """As scripts save it: with the affine that nibabel calls the image's."""
    for path in one_run.root.rglob('*.nii.gz'):
        image = nb.load(path)
        own = image.affine.copy()
        other = own.copy()
        other[1, 3] += 9
        image.set_qform(own, code=1)
        image.set_sform(other, code=4)
        nb.save(image, path)
    path = given.image('sub-01_desc-brain_mask.nii.gz', data=ONES)
    nb.save(nb.Nifti1Image(ONES, other if place == 'sform' else own), path)
    (run,) = find_runs(one_run.root, derivatives={'masks': given.root})
    assert run.mask == path
    assert np.allclose(run.affine, own, atol=1e-4)


def test_a_mask_on_another_grid_skips_the_run(one_run, given):
    given.image('sub-01_desc-brain_mask.nii.gz', data=np.ones((9, 9, 10), np.uint8))
    run = first(one_run, given)
    assert isinstance(run, Skipped)
    assert 'sub-01_desc-brain_mask.nii.gz has shape (9, 9, 10) where' in run.reason
    assert 'expected one grid' in run.reason


def test_a_mask_of_several_volumes_skips_the_run(one_run, given):
    given.image('sub-01_desc-brain_mask.nii.gz', data=np.ones((*SHAPE, 2), np.uint8))
    run = first(one_run, given)
    assert isinstance(run, Skipped)
    assert 'mask.nii.gz has axes (2,) beyond the third, expected one volume' in run.reason


def test_labels_on_another_grid_are_left_out_with_a_warning(one_run, given):
    given.image('sub-01_dseg.nii.gz', data=np.ones((9, 9, 10), np.uint8))
    run = first(one_run, given)
    assert isinstance(run, GreRun)
    assert run.labels is None
    assert 'Labels not used: sub-01_dseg.nii.gz has shape (9, 9, 10)' in run.warnings[0]


def test_a_folder_of_derivatives_that_is_not_there(one_run, tmp_path):
    with pytest.raises(DatasetError, match=r'derivatives x=.*gone does not exist'):
        find_runs(one_run.root, derivatives={'x': tmp_path / 'gone'})


def test_a_pattern_names_the_mask_of_each_run(skeleton, tmp_path):
    masks = Skeleton(tmp_path / 'masks')
    for who in ('sub-01_ses-a_run-1', 'sub-01_ses-a_run-2'):
        skeleton.megre(who, echo_times=(0.02,))
        masks.image(f'{who}_mask.nii.gz', data=ONES)
    folder = f'{masks.root}/sub-{{subject}}/ses-{{ses}}/anat'
    for pattern in (f'{folder}/*_run-{{run}}_mask.nii.gz', f'{folder}/{{name}}_mask.nii.gz'):
        runs = find_runs(skeleton.root, mask_pattern=pattern)
        assert [run.mask.name for run in runs] == [
            'sub-01_ses-a_run-1_mask.nii.gz',
            'sub-01_ses-a_run-2_mask.nii.gz',
        ]


def test_a_pattern_goes_before_derivatives(one_run, given, tmp_path):
    given.image('sub-01_desc-brain_mask.nii.gz', data=np.ones((9, 9, 10), np.uint8))
    mask = Skeleton(tmp_path / 'masks').image('sub-01_mask.nii.gz', data=ONES)
    assert first(one_run, given, mask_pattern=str(mask)).mask == mask


@pytest.mark.parametrize(
    ('pattern', 'sentence'),
    [
        ('{root}/none.nii.gz', 'matches no file, expected one'),
        ('{root}/sub-01/anat/*.nii.gz', 'matches 6 files'),
        ('{root}/{{session}}.nii.gz', 'wants session, which sub-01 does not have'),
    ],
)
def test_a_pattern_that_does_not_name_one_file_skips_the_run(one_run, pattern, sentence):
    run = first(one_run, mask_pattern=pattern.format(root=one_run.root))
    assert isinstance(run, Skipped)
    assert sentence in run.reason


def test_a_pattern_to_another_grid_skips_the_run(one_run, given):
    mask = given.image('sub-01_mask.nii.gz', affine=np.diag([1, 1, 1, 1.0]), data=ONES)
    run = first(one_run, mask_pattern=str(mask))
    assert isinstance(run, Skipped)
    assert 'sub-01_mask.nii.gz lies elsewhere' in run.reason


def test_a_mask_is_what_lies_above_a_half(given):
    values = np.zeros(SHAPE, np.float32)
    values[2, 3, 4], values[1, 1, 1] = 1, 0.4
    mask, affine = load_mask(given.image('sub-01_mask.nii.gz', data=values))
    assert mask.dtype == bool
    assert mask.sum() == mask[2, 3, 4] == 1
    np.testing.assert_allclose(affine, given.affine, atol=1e-6)


def test_an_empty_mask_is_named(given):
    path = given.image('sub-01_mask.nii.gz', data=0 * ONES)
    with pytest.raises(DatasetError, match=r'sub-01_mask.nii.gz is empty, expected a mask'):
        load_mask(path)

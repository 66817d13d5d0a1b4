"""Transforms, brain masks of the T1w and segmentations that others made."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
import SimpleITK

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.derivatives.sidecars import sources
from bidsqsm.errors import DatasetError
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.freesurfer import KNOWN_VALUES, MEASURED_LABELS
from bidsqsm.inputs.orientation_set import orientation_sets, run_from_json
from bidsqsm.inputs.precomputed import load_mask
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.inputs.run_table import run_table
from bidsqsm.inputs.transforms import check_transform
from helpers.bids_skeleton import SHAPE, TILTED, Skeleton

T1W_SHAPE = (12, 14, 20)
T1W = np.array([[0, 0, -1.0, 14], [1.2, 0, 0, -5], [0, 1.2, 0, -9], [0, 0, 0, 1]])
# the same box of the world on other voxels, as an app leaves the T1w that it conformed
CONFORMED_SHAPE = (20, 12, 14)
CONFORMED = np.array([[1.0, 0, 0, -5], [0, 1.2, 0, -5], [0, 0, 1.2, -9], [0, 0, 0, 1]])
TEMPLATE = 'MNI152NLin2009cAsym'


@pytest.fixture
def given(tmp_path) -> Skeleton:
    """An empty derivative dataset."""
    return Skeleton(tmp_path / 'deriv')


@pytest.fixture
def with_t1w(one_run) -> Skeleton:
    """A run and a T1w with axes and extent of its own."""
    one_run.image('sub-01_T1w.nii.gz', shape=T1W_SHAPE, affine=T1W)
    return one_run


def runs_of(dataset, *derivatives):
    named = {f'd{n}': d.root for n, d in enumerate(derivatives)}
    return find_runs(dataset.root, derivatives=named)


def first(dataset, *derivatives) -> GreRun:
    run = runs_of(dataset, *derivatives)[0]
    assert isinstance(run, GreRun), run.reason
    return run


def block(shape, *values, where=(3, 3, 3)) -> np.ndarray:
    """Zeros with one voxel of each value, in a row."""
    labels = np.zeros(shape, np.int16)
    for n, value in enumerate(values):
        labels[where[0] + n, where[1], where[2]] = value
    return labels


def transform(dataset: Skeleton, name: str, dimension: int = 3) -> Path:
    path = dataset.root / dataset.folder(name) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteTransform(SimpleITK.AffineTransform(dimension), str(path))
    return path


def freesurfer_file(path: Path, data: np.ndarray, affine=CONFORMED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.save(nb.MGHImage(data.astype(np.int32), affine), path)
    return path


def fmriprep(given: Skeleton, who: str = 'sub-01') -> Skeleton:
    """What fMRIPrep writes of a T1w."""
    given.json(
        'dataset_description.json',
        {'Name': 'x', 'BIDSVersion': '1.10.0', 'GeneratedBy': [{'Name': 'fMRIPrep'}]},
    )
    ones = np.ones(CONFORMED_SHAPE, np.uint8)
    given.image(f'{who}_desc-brain_mask.nii.gz', affine=CONFORMED, data=ones)
    given.image(f'{who}_desc-preproc_T1w.nii.gz', shape=CONFORMED_SHAPE, affine=CONFORMED)
    given.image(f'{who}_dseg.nii.gz', affine=CONFORMED, data=ones)
    labels = block(CONFORMED_SHAPE, 10, 49, 1022)
    given.image(f'{who}_desc-aparcaseg_dseg.nii.gz', affine=CONFORMED, data=labels)
    given.image(f'{who}_desc-aseg_dseg.nii.gz', affine=CONFORMED, data=labels)
    transform(given, f'{who}_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    transform(given, f'{who}_from-{TEMPLATE}_to-T1w_mode-image_xfm.h5')
    transform(given, f'{who}_from-T1w_to-fsnative_mode-image_xfm.txt')
    transform(given, f'{who}_from-orig_to-T1w_mode-image_xfm.txt')
    return given


def test_what_fmriprep_made_of_the_t1w_is_found(with_t1w, given):
    run = first(with_t1w, fmriprep(given))
    assert run.mask is None
    assert run.labels is None
    assert run.t1w_mask.name == 'sub-01_desc-brain_mask.nii.gz'
    assert run.t1w.name == 'sub-01_desc-preproc_T1w.nii.gz'
    xfm = given.find(f'sub-01_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    assert run.transforms == {f'T1w:{TEMPLATE}': xfm}
    (aseg,) = run.segmentations
    assert (aseg.name, aseg.space) == ('aseg', 'T1w')
    assert aseg.path.name == 'sub-01_desc-aseg_dseg.nii.gz'
    assert run.warnings == ()


def test_the_anatomy_of_the_subject_serves_runs_of_every_session(skeleton, given):
    for session in 'ab':
        skeleton.megre(f'sub-01_ses-{session}', echo_times=(0.02,))
    for session in 'abc':
        skeleton.image(f'sub-01_ses-{session}_T1w.nii.gz', shape=T1W_SHAPE, affine=T1W)
    for run in runs_of(skeleton, fmriprep(given)):
        assert run.t1w.name == 'sub-01_desc-preproc_T1w.nii.gz'
        assert [*run.transforms] == [f'T1w:{TEMPLATE}']
        assert run.t1w_mask is not None


def test_what_was_made_of_another_t1w_is_left_aside(skeleton, given):
    skeleton.megre('sub-01_ses-b_run-2', echo_times=(0.02,))
    skeleton.image('sub-01_ses-b_acq-x_run-1_T1w.nii.gz', shape=T1W_SHAPE, affine=T1W)
    for who in ('sub-01_ses-a', 'sub-01_ses-b_acq-y', 'sub-01_ses-b_run-2'):
        transform(given, f'{who}_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    assert first(skeleton, given).transforms == {}
    right = transform(given, f'sub-01_ses-b_acq-x_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    assert first(skeleton, given).transforms == {f'T1w:{TEMPLATE}': right}


def test_a_mask_in_no_known_place_still_skips_the_run(with_t1w, given):
    moved = CONFORMED + np.array([[0, 0, 0, 9.0], *3 * [4 * [0]]])
    ones = np.ones(CONFORMED_SHAPE, np.uint8)
    given.image('sub-01_desc-brain_mask.nii.gz', affine=moved, data=ones)
    (run,) = runs_of(with_t1w, given)
    assert isinstance(run, Skipped)
    assert 'expected one grid' in run.reason


def test_masks_of_run_and_t1w_are_told_apart(with_t1w, given):
    given.image('sub-01_desc-brain_mask.nii.gz', data=np.ones(SHAPE, np.uint8))
    ones = np.ones(T1W_SHAPE, np.uint8)
    given.image('sub-01_space-T1w_desc-brain_mask.nii.gz', affine=T1W, data=ones)
    run = first(with_t1w, given)
    assert run.mask.name == 'sub-01_desc-brain_mask.nii.gz'
    assert run.t1w_mask.name == 'sub-01_space-T1w_desc-brain_mask.nii.gz'


def test_transforms_of_an_earlier_call_are_those_of_the_very_run(skeleton, given):
    skeleton.megre('sub-01_run-1', echo_times=(0.02,))
    skeleton.megre('sub-01_run-2', echo_times=(0.02,))
    given.json('dataset_description.json', {'GeneratedBy': [{'Name': 'bidsqsm'}]})
    names = {
        'orig:T1w': 'from-orig_to-T1w_mode-image_xfm.txt',
        f'T1w:{TEMPLATE}': f'from-T1w_to-{TEMPLATE}_mode-image_xfm.h5',
        f'orig:{TEMPLATE}': f'from-orig_to-{TEMPLATE}_mode-image_xfm.h5',
    }
    paths = {key: transform(given, f'sub-01_run-2_{name}') for key, name in names.items()}
    transform(given, f'sub-01_{names["orig:T1w"]}')
    one, two = runs_of(skeleton, given)
    assert one.transforms == {}
    assert two.transforms == paths


def test_labels_of_an_earlier_call_are_not_taken_for_drawn_ones(one_run, given):
    given.json('dataset_description.json', {'GeneratedBy': [{'Name': 'bidsqsm'}]})
    image = given.image('sub-01_atlas-X_dseg.nii.gz', data=block(SHAPE, 1))
    image.with_name('sub-01_atlas-X_dseg.tsv').write_text('index\tname\n1\tputamen\n')
    run = first(one_run, given)
    assert run.labels is None
    assert run.segmentations == ()


@pytest.mark.parametrize('below', ['', 'sourcedata/freesurfer'])
def test_fastsurfer_goes_before_freesurfer(with_t1w, given, below):
    mri = given.root / below / 'sub-01' / 'mri'
    labels = block(CONFORMED_SHAPE, 11, 50, 2)
    freesurfer_file(mri / 'aseg.mgz', labels)
    freesurfer_file(mri / 'brainmask.mgz', 90 * (labels > 0))
    run = first(with_t1w, given)
    assert [one.name for one in run.segmentations] == ['FreeSurfer']
    assert run.t1w_mask == mri / 'brainmask.mgz'
    deep = freesurfer_file(mri / 'aparc.DKTatlas+aseg.deep.mgz', labels)
    (made,) = first(with_t1w, given).segmentations
    assert (made.name, made.path, made.space) == ('FastSurfer', deep, 'T1w')


def test_freesurfer_files_keep_their_values_and_their_place(tmp_path):
    labels = block(CONFORMED_SHAPE, 10, 14175)
    path = freesurfer_file(tmp_path / 'aseg.mgz', labels)
    read, affine = load_labels(path)
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, labels)
    np.testing.assert_allclose(affine, CONFORMED, atol=1e-5)
    mask, affine = load_mask(path)
    np.testing.assert_array_equal(mask, labels > 0)
    np.testing.assert_allclose(affine, CONFORMED, atol=1e-5)


def test_a_session_has_a_freesurfer_folder_of_its_own(skeleton, given):
    skeleton.megre('sub-01_ses-a', echo_times=(0.02,))
    skeleton.image('sub-01_ses-a_T1w.nii.gz', shape=T1W_SHAPE, affine=T1W)
    labels = block(CONFORMED_SHAPE, 10)
    for name in ('sub-01_ses-a', 'sub-01_ses-b', 'sub-01'):
        freesurfer_file(given.root / name / 'mri' / 'aseg.mgz', labels)
    (made,) = first(skeleton, given).segmentations
    assert made.path.parts[-3] == 'sub-01_ses-a'


@pytest.mark.parametrize(
    ('name', 'shape', 'affine', 'space'),
    [
        ('sub-01_space-T1w_desc-synthseg_dseg', SHAPE, TILTED, 'T1w'),
        ('sub-01_space-orig_desc-synthseg_dseg', T1W_SHAPE, T1W, 'orig'),
        ('sub-01_desc-synthseg_dseg', SHAPE, TILTED, 'orig'),
        ('sub-01_desc-synthseg_dseg', CONFORMED_SHAPE, CONFORMED, 'T1w'),
        ('sub-01_T1w_synthseg', SHAPE, TILTED, 'T1w'),
        ('sub-01_echo-1_part-mag_MEGRE_synthseg', T1W_SHAPE, T1W, 'orig'),
    ],
)
def test_the_space_of_synthseg_is_that_of_its_name_else_of_its_extent(
    with_t1w, given, name, shape, affine, space
):
    labels = block(shape, 12, 51, where=(3, 3, shape[2] - 6))
    given.image(f'{name}.nii.gz', affine=affine, data=labels)
    run = first(with_t1w, given)
    (made,) = run.segmentations
    assert (made.name, made.space) == ('SynthSeg', space)
    assert run.warnings == ()


def test_a_guessed_space_is_said(with_t1w, given):
    # a crop of the T1w by a quarter: nearer to it than to the run, yet of neither's extent
    cropped = T1W.copy()
    cropped[:3, 3] = T1W[:3] @ [2, 2, 4, 1]
    labels = block((8, 10, 12), 12, 51)
    given.image('sub-01_desc-synthseg_dseg.nii.gz', affine=cropped, data=labels)
    run = first(with_t1w, given)
    (made,) = run.segmentations
    assert made.space == 'T1w'
    assert 'is taken to lie where the T1w does, which neither its name' in run.warnings[0]
    assert 'space-orig where that is wrong' in run.warnings[0]


def test_synthseg_of_another_session_is_left_aside(skeleton, given):
    skeleton.megre('sub-01_ses-a', echo_times=(0.02,))
    given.image('sub-01_ses-b_desc-synthseg_dseg.nii.gz', data=block(SHAPE, 12))
    assert first(skeleton, given).segmentations == ()


def test_labels_with_names_on_the_grid_of_the_run_are_measured(one_run, given):
    image = given.image('sub-01_seg-mine_desc-2_dseg.nii.gz', data=block(SHAPE, 1, 4, 9))
    table = image.with_name('sub-01_seg-mine_desc-2_dseg.tsv')
    table.write_text('index\tname\n0\tbackground\n1\tleft putamen\n4\tred nucleus R\n')
    run = first(one_run, given)
    (made,) = run.segmentations
    assert run.labels == image == made.path
    assert (made.name, made.space) == ('mine2', 'orig')
    rows = [(label.index, label.hemisphere, label.structure) for label in made.labels]
    assert rows == [(1, 'L', 'putamen'), (4, 'R', 'red_nucleus')]
    (said,) = run.warnings
    assert said.endswith(
        'values without a name in sub-01_seg-mine_desc-2_dseg.tsv (9): they are not measured.'
    )


def test_ventricles_are_the_fluid_else_any_csf(one_run, given):
    image = given.image('sub-01_dseg.nii.gz', data=block(SHAPE, 1, 2, 5))
    table = image.with_name('sub-01_dseg.tsv')
    table.write_text('index\tname\n1\tputamen\n2\tLateral ventricle L\n5\tCSF\n')
    assert first(one_run, given).fluid == (2,)
    table.write_text('index\tname\n1\tputamen\n2\tcaudate\n5\tCSF\n')
    assert first(one_run, given).fluid == (5,)
    table.write_text('index\tname\n1\tputamen\n2\tcaudate\n')
    assert first(one_run, given).fluid == ()


def test_labels_without_names_serve_the_reference_alone(one_run, given):
    given.image('sub-01_dseg.nii.gz', data=block(SHAPE, 1))
    run = first(one_run, given)
    assert run.labels is not None
    assert run.fluid is None
    assert run.segmentations == ()


def test_deep_gray_matter_ventricles_and_brain_stem_are_measured():
    rows = {label.index: (label.structure, label.hemisphere) for label in MEASURED_LABELS}
    assert rows[10] == ('thalamus', 'L')
    assert rows[50] == ('caudate', 'R')
    assert rows[12] == ('putamen', 'L')
    assert rows[52] == ('pallidum', 'R')
    assert rows[26] == ('accumbens', 'L')
    assert rows[43] == ('ventricle', 'R')
    assert rows[15] == ('ventricle', '')
    assert rows[16] == ('brain_stem', '')
    assert not {2, 3, 7, 8, 24, 41, 42, 46, 47, 1022}.intersection(rows)
    assert {2, 3, 7, 8, 24, 41, 42, 46, 47, 1022} < KNOWN_VALUES


def test_values_that_freesurfer_does_not_know_are_named(with_t1w, given):
    freesurfer_file(given.root / 'sub-01/mri/aseg.mgz', block(CONFORMED_SHAPE, 10, 900, 1022))
    run = first(with_t1w, given)
    assert 10 in {label.index for label in run.segmentations[0].labels}
    assert run.warnings == (
        "aseg.mgz has values without a name in FreeSurfer's table (900): they are not measured.",
    )


@pytest.mark.parametrize(
    ('data', 'affine', 'sentence'),
    [
        (block(SHAPE), TILTED, 'is empty, expected labels'),
        (block(SHAPE, 10) * 0.25, TILTED, 'holds values that are no whole numbers'),
        (block(SHAPE, 10) * np.nan, TILTED, 'holds values that are no whole numbers'),
        (block(SHAPE, 900), TILTED, 'holds the values 900, expected those of structures'),
        (block(SHAPE, 10), np.diag([1, 1, 1, 1.0]) + 90 * np.eye(4, k=3), 'has its labels around'),
        (np.ones((*SHAPE, 2), np.int16), TILTED, 'expected one volume'),
    ],
)
def test_a_segmentation_of_no_use_is_left_out_with_a_sentence(
    one_run, given, data, affine, sentence
):
    given.image('sub-01_space-orig_desc-synthseg_dseg.nii.gz', affine=affine, data=data)
    run = first(one_run, given)
    assert run.segmentations == ()
    (said,) = (w for w in run.warnings if w.startswith('Segmentation not used'))
    assert 'sub-01_space-orig_desc-synthseg_dseg.nii.gz' in said
    assert sentence in said


def test_a_damaged_freesurfer_file_is_left_out_with_a_sentence(with_t1w, given):
    path = freesurfer_file(given.root / 'sub-01/mri/aseg.mgz', block(CONFORMED_SHAPE, 10))
    path.write_bytes(path.read_bytes()[:90])
    run = first(with_t1w, given)
    assert run.segmentations == ()
    assert 'Segmentation not used' in run.warnings[0]
    assert 'aseg.mgz cannot be read' in run.warnings[0]


def test_what_lies_where_no_t1w_is_known_is_left_out(one_run, given):
    mri = given.root / 'sub-01/mri'
    for name in ('aseg', 'mask'):
        freesurfer_file(mri / f'{name}.mgz', block(SHAPE, 10), TILTED)
    transform(given, f'sub-01_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    run = first(one_run, given)
    assert (run.t1w_mask, run.transforms, run.segmentations) == (None, {}, ())
    for what in ('Transform', 'Segmentation', 'Brain mask of the T1w'):
        assert sum(said.startswith(f'{what} not used: ') for said in run.warnings) == 1
    assert 'lies in the space of a T1w, and the run has none' in run.warnings[0]
    transform(given, 'sub-01_from-orig_to-T1w_mode-image_xfm.txt')
    run = first(one_run, given)
    assert (run.t1w_mask, len(run.transforms)) == (mri / 'mask.mgz', 2)
    assert len(run.segmentations) == 1
    assert run.warnings == ()


def test_files_that_were_not_fetched_are_named(with_t1w, given):
    mri = given.root / 'sub-01/mri'
    mri.mkdir(parents=True)
    (mri / 'aseg.mgz').symlink_to('annex/aseg.mgz')
    whole = transform(given, 'sub-01_from-orig_to-T1w_mode-image_xfm.txt')
    whole.unlink()
    whole.symlink_to('annex/xfm.txt')
    said = '\n'.join(first(with_t1w, given).warnings)
    assert 'aseg.mgz is a link to nothing' in said
    assert 'xfm.txt is a link to nothing' in said


def test_an_empty_mask_of_the_t1w_is_left_out(with_t1w, given):
    freesurfer_file(given.root / 'sub-01/mri/mask.mgz', block(CONFORMED_SHAPE))
    run = first(with_t1w, given)
    assert run.t1w_mask is None
    assert 'Brain mask of the T1w not used: mask.mgz is empty' in run.warnings[0]


def test_transforms_that_cannot_be_read_are_left_out(with_t1w, given):
    whole = transform(given, f'sub-01_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5')
    content = whole.read_bytes()
    other = given.find('sub-01_from-orig_to-T1w_mode-image_xfm.txt')
    for broken, sentence in ((content[:-9], 'is truncated'), (b'none', 'is no HDF5 file')):
        whole.write_bytes(broken)
        other.write_text('nothing')
        run = first(with_t1w, given)
        assert run.transforms == {}
        said = '\n'.join(run.warnings)
        assert f'Transform not used: {whole.name} {sentence}' in said
        assert f'Transform not used: {other.name} cannot be read by ITK' in said


def test_a_transform_of_the_plane_is_refused(given):
    path = transform(given, 'sub-01_from-orig_to-T1w_mode-image_xfm.txt', dimension=2)
    with pytest.raises(DatasetError, match='has 2 dimensions, expected 3'):
        check_transform(path)


def test_the_t1w_of_another_session_is_said(skeleton):
    skeleton.megre('sub-01_ses-a', echo_times=(0.02,))
    skeleton.image('sub-01_ses-b_T1w.nii.gz')
    run = first(skeleton)
    assert run.t1w is not None
    assert run.warnings[0].startswith('sub-01_ses-b_T1w.nii.gz is of another session than the run')


def test_a_set_of_orientations_keeps_what_was_found_for_each_run(skeleton, given):
    for acq in ('x', 'y', 'z'):
        skeleton.megre(f'sub-01_acq-{acq}', echo_times=(0.02,))
        image = given.image(f'sub-01_acq-{acq}_dseg.nii.gz', data=block(SHAPE, 1))
        image.with_name(f'sub-01_acq-{acq}_dseg.tsv').write_text('index\tname\n1\tputamen\n')
        transform(given, f'sub-01_acq-{acq}_from-orig_to-T1w_mode-image_xfm.txt')
    (joint,) = orientation_sets(runs_of(skeleton, given), 'acq')
    assert run_from_json(joint.to_json()) == joint
    found = [path for path in sources(joint, {'g': given.root}) if path.startswith('bids:g:')]
    assert len(found) == len(set(found)) == 6


def test_all_that_was_found_is_kept_listed_and_shown(with_t1w, given):
    run = first(with_t1w, fmriprep(given))
    assert GreRun.from_json(run.to_json()) == run
    addresses = sources(run, {'raw': with_t1w.root, 'fp': given.root})
    stem = 'bids:fp:sub-01/anat/sub-01'
    assert f'{stem}_from-T1w_to-{TEMPLATE}_mode-image_xfm.h5' in addresses
    assert f'{stem}_desc-brain_mask.nii.gz' in addresses
    assert f'{stem}_desc-aseg_dseg.nii.gz' in addresses
    shown = f'T1w, mask of the T1w, transforms T1w to {TEMPLATE}, segmentations aseg'
    assert f'process ({shown})' in run_table([run])

"""Steps of the registration: what cannot be registered is told and stops nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from bidsqsm.atlases.structures import make_label
from bidsqsm.facts.region_facts import RefinementFacts
from bidsqsm.files.nifti import load_volume, save_volume
from bidsqsm.interfaces.anatomy.derivative_lists import CollectTransforms
from bidsqsm.interfaces.anatomy.refinement import RefineRois
from bidsqsm.interfaces.anatomy.registration import RegisterT1w, RegisterTemplate, TakeTransform
from bidsqsm.interfaces.anatomy.resampling import ResampleImages, ResampleLabels, ResampleMask
from bidsqsm.interfaces.anatomy.rois import MeasureRois
from bidsqsm.qsm.registration.itk import affine_transform, points_through
from helpers.template_atlases import AFFINE, MASSP20, SHAPE, brain, labels


@pytest.fixture
def files(tmp_path):
    """A head and its brain, a constant image and noise; labels; nothing."""
    t1w, mask = brain()
    random = np.random.default_rng(1)
    volumes = {
        'head': t1w.astype(np.float32),
        'mask': mask.astype(np.uint8),
        'flat': np.full(SHAPE, 100, np.float32),
        'noise': random.uniform(0, 1000, SHAPE).astype(np.float32),
        'labels': labels(MASSP20)[0],
        'nothing': np.zeros(SHAPE, np.int16),
        'chi': random.normal(0, 0.02, SHAPE).astype(np.float32),
    }
    return {k: str(save_volume(v, AFFINE, tmp_path / f'{k}.nii')) for k, v in volumes.items()}


def points_of(path, points):
    return points_through(SimpleITK.ReadTransform(path), points)


def assert_lost(result, word):
    """The step ended, says why, and has transforms that lead nowhere else."""
    facts = result.outputs.facts
    assert word in facts['failed']
    assert 'no region of an atlas is measured' in facts['warnings'][0]
    for name in ('forward', 'backward'):
        assert Path(getattr(result.outputs, name)).is_file()
    return facts


def test_a_constant_t1w_is_told(files, tmp_path):
    step = RegisterT1w(in_file=files['head'], in_mask=files['mask'], t1w=files['flat'])
    assert_lost(step.run(cwd=tmp_path), 'the run and its T1w')


def test_a_template_of_noise_is_told(files, tmp_path):
    step = RegisterTemplate(
        in_file=files['head'],
        in_mask=files['mask'],
        template=files['noise'],
        template_name='Noise',
        method='affine',
    )
    assert_lost(step.run(cwd=tmp_path), 'Noise')


def test_a_head_without_a_brain_is_told(files, tmp_path):
    step = RegisterTemplate(
        in_file=files['head'],
        in_mask=files['nothing'],
        template=files['head'],
        template_mask=files['mask'],
        template_name='T',
        method='greedy',
    )
    assert 'no brain' in assert_lost(step.run(cwd=tmp_path), 'broke off')['failed']


def test_a_failure_on_the_way_leaves_masks_out_and_labels_empty(files, tmp_path):
    way = {'reference': files['chi'], 'registrations': [{}, {'failed': 'it folds'}]}
    labelled = (
        ResampleLabels(in_file=files['labels'], keep=[1, 2], **way).run(cwd=tmp_path).outputs
    )
    assert not load_volume(labelled.labels)[0].any()
    assert labelled.facts == {'registration_failed': 'it folds'}
    masked = ResampleMask(template=files['head'], mask=files['mask'], **way).run(cwd=tmp_path)
    assert not isinstance(masked.outputs.mask, str)


def test_heads_are_carried_to_where_they_lie_and_a_lost_one_is_left_out(files, tmp_path):
    step = np.eye(4)
    step[0, 3] = 2 * AFFINE[0, 0]  # the run lies two voxels to the left of the T1w
    SimpleITK.WriteTransform(affine_transform(step), str(tmp_path / 'there.txt'))
    way = {'own_t1w_transforms': [str(tmp_path / 'there.txt')], 'own_t1w_registrations': [{}]}
    way['template_t1w_transforms'] = way['own_t1w_transforms']
    heads = (
        ResampleImages(
            reference=files['chi'],
            own_t1w=files['head'],
            template_t1w=files['head'],
            template_t1w_registrations=[{}, {'failed': 'it folds'}],
            **way,
        )
        .run(cwd=tmp_path)
        .outputs
    )
    carried, there = load_volume(heads.own_t1w)[0], load_volume(files['head'])[0]
    np.testing.assert_allclose(carried[:-2], there[2:], atol=1e-3)
    assert not isinstance(heads.template_t1w, str)


@pytest.mark.parametrize('method', ['border', 'trim:erode=2'])
def test_labels_without_a_voxel_are_refined_and_measured_to_nothing(files, tmp_path, method):
    maps = {'chi': files['chi'], 'in_mask': files['mask'], 'labels': files['nothing']}
    refined = RefineRois(method=method, **maps).run(cwd=tmp_path).outputs
    assert not load_volume(refined.labels)[0].any()
    assert not RefinementFacts.of(refined.facts).warnings
    names = [asdict(make_label(1, 'left putamen')), asdict(make_label(2, 'right putamen'))]
    step = MeasureRois(names=names, imaging_frequency=123.2, **(maps | {'labels': refined.labels}))
    table = Path(step.run(cwd=tmp_path).outputs.table).read_text().splitlines()
    header, *rows = [line.split('\t') for line in table]
    assert [row[header.index('name')] for row in rows] == [
        'left putamen',
        'right putamen',
        'putamen',
    ]
    assert {row[header.index('n_voxels')] for row in rows} == {'0'}
    assert {row[header.index('mean')] for row in rows} == {'n/a'}


def test_transforms_go_with_their_own_facts_where_one_before_failed(tmp_path):
    paths = []
    for name in ('a', 'b', 'c', 'd'):
        paths.append(str(tmp_path / f'{name}.txt'))
        SimpleITK.WriteTransform(affine_transform(np.eye(4)), paths[-1])
    fine = {'overlap': 0.9}
    facts = [{'given': 'x.txt'}, {'failed': 'it folds', 'warnings': ['no']}, fine, fine]
    # the last goes on by more contrasts, and what comes of that is written
    about = [
        {'moving': 'orig', 'fixed': fixed, 'written': fixed != 'C'}
        for fixed in ('T1w', 'A', 'B', 'C')
    ]
    step = CollectTransforms(about=about, all_facts=facts, forward=paths, backward=paths)
    outputs = step.run(cwd=tmp_path).outputs
    assert [extra['entities'] for extra in outputs.extras] == [
        {'from': 'orig', 'to': 'B', 'mode': 'image'},
        {'from': 'B', 'to': 'orig', 'mode': 'image'},
    ]
    assert {extra['source'] for extra in outputs.extras} == {paths[2]}
    assert outputs.summary['orig to A'] == {'failed': 'it folds'}


def test_a_given_matrix_is_turned_round(files, tmp_path):
    matrix = np.array([[0, -1.1, 0, 4], [0.9, 0, 0, -2], [0, 0, 1, 7], [0, 0, 0, 1]])
    path = tmp_path / 'given.txt'
    SimpleITK.WriteTransform(affine_transform(matrix), str(path))
    step = TakeTransform(in_file=str(path), fixed=files['head'], moving=files['head'])
    found = step.run(cwd=tmp_path).outputs
    points = np.array([[1.0, 20, -30], [5, -6, 7]])
    there = points_of(found.forward, points)
    np.testing.assert_allclose(there, points @ matrix[:3, :3].T + matrix[:3, 3])
    np.testing.assert_allclose(points_of(found.backward, there), points, atol=1e-9)

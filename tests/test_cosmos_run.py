"""Several orientations of a head from end to end: graph, maps, sidecar, report."""

from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nb
import numpy as np
import pytest
from app import App
from scipy import ndimage
from skeleton import Skeleton

from bidsqsm.config import Config, settled_methods
from bidsqsm.interfaces.orientations import overlap, turned
from bidsqsm.io.demo import head_pose
from bidsqsm.io.demo_dataset import DemoOptions, write_demo
from bidsqsm.io.groups import DEFAULT_GROUPS, idle_steps
from bidsqsm.io.inputs import find_runs
from bidsqsm.io.metrics import read_metrics
from bidsqsm.io.orientations import orientation_sets
from bidsqsm.qsm.phantom.signal import Sequence
from bidsqsm.workflows.base import init_bidsqsm_wf
from bidsqsm.workflows.choices import used_choices
from bidsqsm.workflows.orientations import TAKEN

NAMES = ['acq-1', 'acq-2', 'acq-3']


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    skeleton = Skeleton(tmp_path_factory.mktemp('ds'))
    for name in NAMES:
        skeleton.megre(f'sub-01_{name}')
    return find_runs(skeleton.root)


@pytest.fixture(scope='module')
def sets(runs):
    return orientation_sets(runs, 'acq')


@pytest.fixture
def build(runs, sets, tmp_path):
    def build(sets=sets, **options):
        paths = {'bids_dir': tmp_path, 'output_dir': tmp_path / 'out', 'work_dir': tmp_path / 'w'}
        options = {'orientations': 'acq', **options, **paths}
        return init_bidsqsm_wf(Config.from_settings(options), runs, sets=sets)

    return build


def test_every_run_hands_what_it_made_to_the_set(build):
    workflow = build()
    subject = workflow.get_node('subject_01_wf')
    graph = subject._graph  # noqa: SLF001
    joint = subject.get_node('sub_01_desc_cosmos_wf')
    wired = {
        (run.name, target)
        for run, taker, data in graph.edges(data=True)
        if taker is joint
        for _, target in data['connect']
    }
    for number in (1, 2, 3):
        for what in TAKEN:
            assert (f'sub_01_acq_{number}_wf', f'inputnode.{what}_{number}') in wired
    assert ('sub_01_acq_1_wf', 'inputnode.r2star') in wired
    assert len(wired) == 3 * len(TAKEN) + 1
    assert 'COSMOS' in joint.describe()


def test_the_runs_themselves_do_not_change_with_a_set(build):
    def hashes(workflow):
        return {
            name: workflow.get_node(name).inputs.get_hashval()[1]
            for name in workflow.list_node_names()
            if 'desc_cosmos' not in name
        }

    assert hashes(build()) == hashes(build(sets=()))


def test_a_set_goes_through_no_single_inversion(runs, sets):
    idle = idle_steps(DEFAULT_GROUPS)
    choices = {k: v for k, v in settled_methods(separate=True).items() if k not in idle}
    joint = Config.from_settings({'bids_dir': runs[0].files[0], 'output_dir': runs[0].files[0],
                                  'orientations': 'acq'}).methods  # fmt: skip
    assert 'joint' in used_choices(sets[0], joint)
    assert not {'dipole', 'relaxometry'} & set(used_choices(sets[0], joint))
    assert used_choices(runs[0], joint) == used_choices(runs[0], choices)


def test_similar_orientations_are_warned_of():
    motions = [head_pose([]), head_pose([('x', 6)]), head_pose([('y', 20)])]
    directions = [tuple(motion[:3, :3].T @ [0, 0, 1]) for motion in motions]
    found = turned(NAMES, directions, motions)
    assert found['rotations'] == pytest.approx([0, 6, 20], abs=0.01)
    assert found['angles'] == pytest.approx([6, 20, 20.9], abs=0.1)
    assert 'acq-1 and acq-2 differs by 6 degrees only' in found['warnings'][0]
    assert 'condition number' in found['warnings'][1]
    good = [head_pose([]), head_pose([('x', 25)]), head_pose([('y', 25)])]
    assert not turned(NAMES, [tuple(m[:3, :3].T @ [0, 0, 1]) for m in good], good)['warnings']


def test_masks_that_do_not_meet_tell_of_a_failed_registration():
    masks = [np.zeros((10, 4, 4), bool) for _ in NAMES]
    masks[0][2:8], masks[1][3:9], masks[2][4:9] = True, True, True
    found = overlap(NAMES, masks)
    assert found['overlap'] == pytest.approx([1, 5 / 6, 2 / 3], abs=1e-3)
    assert len(found['warnings']) == 2
    masks[2] = np.roll(masks[2], 4, axis=0)
    with pytest.raises(ValueError, match=r'acq-3 covers .* the registration failed'):
        overlap(NAMES, masks)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A head of 4 mm in three orientations through the app, with its true masks."""
    room = tmp_path_factory.mktemp('turned')
    sequence = Sequence(echo_times=(0.004, 0.010, 0.016), snr=300)
    options = DemoOptions(
        voxel_size=(4, 4, 4), shape=(48, 54, 48), orientations=3, t1w=False, sequence=sequence
    )
    write_demo(room / 'ds', options)
    (room / 'app').mkdir()
    call = App(room / 'app')(
        room / 'ds', 'out', '--orientations', 'acq', '--nprocs', '2', '--skip-bids-validation',
        '-d', f'truth={room / "ds/derivatives/truth"}',
    )  # fmt: skip
    assert call.code == 0, call.printed
    return room / 'ds', call


def read(path):
    return nb.load(path).get_fdata(dtype=np.float32)


def test_three_orientations_make_a_map_that_fits_the_truth_better_than_one(made):
    data, call = made
    anat, truth = call.out / 'sub-01/anat', data / 'derivatives/truth/sub-01/anat'
    true = read(truth / 'sub-01_acq-1_Chimap.nii.gz')
    mask = read(anat / 'sub-01_desc-cosmos_mask.nii.gz') > 0
    deep = ndimage.binary_erosion(mask, iterations=3)
    assert deep.sum() > 8000

    def fit(name):
        chi = read(anat / f'{name}_Chimap.nii.gz')
        assert not chi[
            ~(read(anat / f'{name.replace("_desc-cosmos", "_acq-1")}_desc-qsm_mask.nii.gz') > 0)
        ].any()
        # without what is smooth, which comes of the removal of the background
        a, b = (v - ndimage.gaussian_filter(v, 3) for v in (chi, true))
        return a[deep] @ b[deep] / (b[deep] @ b[deep]), np.corrcoef(a[deep], b[deep])[0, 1]

    (slope, correlation), single = fit('sub-01_desc-cosmos'), fit('sub-01_acq-1')
    assert slope == pytest.approx(1, abs=0.15)
    assert correlation > 0.93
    assert correlation > single[1]


def test_the_sidecar_names_all_runs_and_how_the_head_was_turned(made):
    _, call = made
    path = call.out / 'sub-01/anat/sub-01_desc-cosmos_Chimap.json'
    content = json.loads(path.read_text())
    assert len(content['Sources']) == 3 * (6 + 2), 'with masks and labels'
    assert all(any(f'acq-{n}' in source for source in content['Sources']) for n in (1, 2, 3))
    joint = content['Decisions']['joint']
    assert joint['rotations'] == pytest.approx([0, 25, 25], abs=0.5)
    assert joint['angles'] == pytest.approx([25, 25, 34.8], abs=0.6)
    assert joint['condition_number'] == pytest.approx(5, abs=0.5)
    assert joint['convergence'][0]['converged']
    assert content['EstimationAlgorithm'].endswith('(COSMOS)')
    assert 'dipole' not in content['Processing']


def test_report_and_methods_tell_of_the_orientations(made):
    _, call = made
    page = (call.out / 'sub-01.html').read_text()
    assert 'Orientations on one grid' in page
    assert 'apart, condition number' in page
    figures = [path.name for path in (call.out / 'sub-01/figures').glob('*cosmos*')]
    assert 'sub-01_desc-cosmosregistered_T2starw.png' in figures
    text = (call.out / 'logs/CITATION.md').read_text()
    assert '[@liu2009]' in text
    assert 'measured in 3 orientations' in text
    assert call.status('sub-01_desc-cosmos')['status'] == 'ok'


def test_the_joint_map_has_its_metrics_and_a_map_without_a_cone_streaks_less(made):
    _, call = made
    joint, single = (
        read_metrics(call.out / f'sub-01/anat/{name}_metrics.json')['Metrics']
        for name in ('sub-01_desc-cosmos', 'sub-01_acq-1')
    )
    assert (
        {'chi_noise', 'streaking', 'mask_volume', 'chi_r2star_correlation'}
        <= joint.keys()
        < single.keys()
    )
    assert joint['chi_r2star_correlation'] > 0.3
    assert joint['streaking'] == pytest.approx(1, abs=0.35)


def test_the_demo_turns_the_head_and_not_the_volume(made):
    data, _ = made
    affines = [
        nb.load(p).affine for p in sorted(data.glob('sub-01/anat/*echo-1_part-mag*.nii.gz'))
    ]
    assert len(affines) == 3
    assert all(np.array_equal(affine, affines[0]) for affine in affines)
    truth = data / 'derivatives/truth/sub-01/anat'
    masks = [read(truth / f'sub-01_{name}_desc-brain_mask.nii.gz') > 0 for name in NAMES]
    assert (masks[0] & masks[1]).sum() < 0.95 * masks[0].sum()
    assert masks[1].sum() == pytest.approx(masks[0].sum(), rel=0.01)


@pytest.mark.parametrize('orientations', [0, 9])
def test_the_demo_refuses_what_it_cannot_turn(orientations):
    with pytest.raises(ValueError, match='1 to 6 orientations'):
        replace(DemoOptions(), orientations=orientations)

"""Several orientations of a head: what their runs hand to the graph of the set."""

from __future__ import annotations

import pytest

from bidsqsm.config import Config, settled_methods
from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS, idle_steps
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.orientation_set import orientation_sets
from bidsqsm.workflows.base import init_bidsqsm_wf
from bidsqsm.workflows.method_selection import used_choices
from bidsqsm.workflows.multi_orientation import JOINT_INPUTS
from helpers.bids_skeleton import Skeleton

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
        for what in JOINT_INPUTS:
            assert (f'sub_01_acq_{number}_wf', f'inputnode.{what}_{number}') in wired
    assert ('sub_01_acq_1_wf', 'inputnode.r2star') in wired
    assert len(wired) == 3 * len(JOINT_INPUTS) + 1
    written = joint.get_node('outputs_wf.write_derivatives')
    assert written.inputs.methods['joint'] == 'cosmos'


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
    joint = Config.from_settings(
        {'bids_dir': runs[0].files[0], 'output_dir': runs[0].files[0], 'orientations': 'acq'}
    ).methods
    assert 'joint' in used_choices(sets[0], joint)
    assert not {'dipole', 'relaxometry'} & set(used_choices(sets[0], joint))
    assert used_choices(runs[0], joint) == used_choices(runs[0], choices)

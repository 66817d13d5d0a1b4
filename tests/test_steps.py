"""The one table of the steps agrees with the graphs that are built and with the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from nipype.pipeline import engine as pe

from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.selection import AtlasesAndSpaces
from bidsqsm.catalog import STEPS
from bidsqsm.config import settled_methods
from bidsqsm.derivatives.product_groups import CONDITIONS, GROUPS
from bidsqsm.facts.run_facts import TYPES
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.orientation_set import orientation_sets
from bidsqsm.steps import RUN_STEPS, in_run_order, step_of_workflows, upstream, words_of_node
from bidsqsm.workflows.connections import outputs_of
from bidsqsm.workflows.multi_orientation import init_orientations_wf
from bidsqsm.workflows.run import init_run_wf
from helpers.bids_skeleton import Skeleton
from helpers.template_atlases import make_atlas

#: Between them, graphs that go through every step, by one way of inverting or another.
INVERSIONS = ({}, {'two_pass': True}, {'rounds': 2})


@pytest.fixture(scope='module')
def graphs(tmp_path_factory) -> list[pe.Workflow]:
    """Runs by every way of inverting, one without phase, and a set of orientations."""
    root = tmp_path_factory.mktemp('ds')
    skeleton = Skeleton(root / 'raw')
    for number in (1, 2, 3):
        skeleton.megre(f'sub-01_acq-{number}', echo_times=(0.004, 0.012, 0.020, 0.028))
    for echo in (1, 2, 3):
        skeleton.image(f'sub-01_echo-{echo}_MESE.nii.gz', sidecar={'EchoTime': 0.01 * echo})
    runs = find_runs(skeleton.root)
    (root / 'atlas').mkdir()
    folder = make_atlas(root / 'atlas', about={'Name': 'A', 'Template': 'TA'})
    anatomy = AtlasesAndSpaces(resolve_atlases([str(folder)]), (resolve_template(str(folder)),))
    made = []
    for options in INVERSIONS:
        choices = settled_methods(separate='rounds' in options)
        settings = {'output_dir': root / 'out', 'choices': choices, 'groups': tuple(GROUPS)}
        made.append(init_run_wf(run=runs[0], anatomy=anatomy, **settings, **options))
    without = replace(runs[0], phase=())
    made.append(init_run_wf(run=without, output_dir=root / 'out', choices=settled_methods()))
    joint = {**settled_methods(separate=True), 'joint': STEPS['joint'].choose('cosmos')}
    (several,) = orientation_sets(runs, 'acq')
    return [
        *made,
        init_orientations_wf(orientations=several, output_dir=root / 'out', choices=joint),
    ]


def paths(graphs: list[pe.Workflow]) -> Iterator[tuple[str, ...]]:
    """Path of every node from its run on."""
    for graph in graphs:
        for name in graph.list_node_names():
            yield (*name.split('.'),)


def workflows(graphs: list[pe.Workflow], path: tuple[str, ...]) -> list[pe.Workflow]:
    """The workflow at a path, in each graph that has it."""
    found = (graph.get_node('.'.join(path)) for graph in graphs)
    return [one for one in found if one is not None]


@pytest.mark.parametrize('step', RUN_STEPS.values(), ids=[*RUN_STEPS])
def test_every_workflow_of_the_table_is_built_where_it_says(graphs, step):
    places = {path[:-1] for path in paths(graphs)}
    assert any(
        place[0] == step.outer_workflow and place[-1] == step.workflow for place in places if place
    )


@pytest.mark.parametrize('step', RUN_STEPS.values(), ids=[*RUN_STEPS])
def test_every_node_that_has_words_is_one_of_its_step(graphs, step):
    own = {path[-1] for path in paths(graphs) if step.workflow in path}
    assert {*step.nodes} <= own


@pytest.mark.parametrize('step', RUN_STEPS.values(), ids=[*RUN_STEPS])
def test_facts_and_further_files_of_a_step_are_outputs_of_its_workflow(graphs, step):
    outer = workflows(graphs, (step.outer_workflow,))
    assert any(step.facts_output in outputs_of(one) for one in outer) == bool(step.facts)
    sharing = [row for row in RUN_STEPS.values() if row.outer_workflow == step.outer_workflow]
    extras = any('extras' in outputs_of(one) for one in outer)
    assert extras == any(row.writes_files for row in sharing)


def test_every_step_with_methods_has_a_row_and_a_lead():
    assert {*STEPS} <= {*RUN_STEPS}
    assert {name for name, row in RUN_STEPS.items() if row.lead} == {*STEPS}


def test_what_a_step_needs_runs_before_it():
    order = [*RUN_STEPS]
    for name, row in RUN_STEPS.items():
        assert upstream(name)[-1] == name
        assert all(order.index(other) < order.index(name) for other in row.needs)
    assert in_run_order(['dipole', 'of tomorrow', 'coil', 'dipole']) == [
        'coil',
        'dipole',
        'of tomorrow',
    ]


def test_conditions_and_methods_that_the_table_names_are_there():
    for name, row in RUN_STEPS.items():
        assert {*row.run_needs} <= {*CONDITIONS}
        if row.without_phase:
            assert STEPS[name][row.without_phase]
    assert {need for row in RUN_STEPS.values() for need in row.run_needs} == {*CONDITIONS}


def test_every_step_that_tells_facts_has_a_type_for_them():
    assert {name for name, row in RUN_STEPS.items() if row.facts} == {*TYPES}


def test_a_node_belongs_to_the_innermost_step_that_is_known():
    assert step_of_workflows(['inversion_wf', 'whole_wf', 'onestep_wf']).name == 'onestep'
    assert step_of_workflows(['inversion_wf', 'passes_wf']).name == 'two_pass'
    assert step_of_workflows(['of_tomorrow_wf']) is None
    # several steps share a workflow: the first of them stands for it
    assert step_of_workflows(['fieldmap_wf']).name == 'unwrap'


def test_a_node_without_words_is_called_by_its_name():
    assert words_of_node('invert_dipole') == 'dipole inversion'
    assert words_of_node('carry_heads') == 'carry heads'

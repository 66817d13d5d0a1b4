"""Links between the workflows of a run, and what is read off them."""

from __future__ import annotations

import pytest
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.workflows.connections import between, keep_makers, makers, outputs_of, steps_in

#: Nodes that every workflow has.
ENDS = ('inputnode', 'outputnode')
#: Where the node comes from that stands alone in each run, and the keys of all inputs.
ALONE = {('alone',): {'x': ['c']}}
KEYS = {'a': 'a', 'b': 'b', 'c': 'c'}


def chain(*links):
    """A workflow of workflows, joined as told: each takes one input of each of the others."""
    names = sorted({name for link in links for name in link})
    made = {name: pe.Workflow(name=name) for name in names}
    for one in made.values():
        one.add_nodes(
            [
                pe.Node(niu.IdentityInterface(fields=['x', *names]), name=n)
                for n in ('inputnode', 'outputnode')
            ]
        )
    whole = pe.Workflow(name='whole')
    whole.connect(between(*((made[a], made[b], [('x', a)]) for a, b in links)))
    return whole


@pytest.mark.parametrize(
    ('names', 'kept'), [('b', 'abd'), ('d', 'ad'), ('c', 'abcd'), ('bd', 'abd'), ('', '')]
)
def test_a_step_is_kept_where_something_wanted_needs_it(names, kept):
    whole = chain('ab', 'bc', 'ad', 'db')
    keep_makers(whole, names)
    assert {*steps_in(whole)} == {*kept}


def test_a_link_to_what_was_not_made_is_left_out():
    whole = chain('ab')
    made = steps_in(whole)
    assert between((made['a'], None, ['x']), (None, made['b'], ['x'])) == []
    assert between((made['a'], made['b'], [('x', 'y')])) == [
        (made['a'], made['b'], [('outputnode.x', 'inputnode.y')])
    ]


def workflow_of(name, *nodes, fields=('x', 'y')):
    """A workflow with the nodes that every one has."""
    made = pe.Workflow(name=name)
    ends = [pe.Node(niu.IdentityInterface(fields=[*fields]), name=n) for n in ENDS]
    made.add_nodes([*ends, *nodes])
    return made, *ends


def run_of(*links):
    """A run whose box holds a workflow that makes x and passes y on, joined as told to its outputs."""
    make = pe.Node(niu.IdentityInterface(fields=['x']), name='make')
    inner, given, passed = workflow_of('inner_wf', make)
    inner.connect([(make, passed, [('x', 'x')]), (given, passed, [('y', 'y')])])
    box, _, out = workflow_of('box_wf', inner)
    box.connect(between((inner, out, ['x', 'y'])))
    outputs, _, _ = workflow_of('outputs_wf', fields=('a', 'b', 'c'))
    alone = pe.Node(niu.IdentityInterface(fields=['x']), name='alone')
    run = pe.Workflow(name='run_wf')
    run.connect(
        between(*((box, outputs, [link]) for link in links), (alone, outputs, [('x', 'c')]))
    )
    return run


def test_what_is_taken_is_traced_through_workflows_to_the_node_that_makes_it():
    made = {('box_wf', 'inner_wf', 'make'): {'x': ['a']}}
    assert makers(run_of(('x', 'a')), 'outputs_wf', KEYS) == made | ALONE


def test_an_output_that_two_take_is_known_by_both_keys():
    made = {('box_wf', 'inner_wf', 'make'): {'x': ['a', 'b']}}
    assert makers(run_of(('x', 'a'), ('x', 'b')), 'outputs_wf', KEYS) == made | ALONE


def test_what_is_only_passed_on_and_what_no_one_looks_for_has_no_maker():
    assert makers(run_of(('y', 'a')), 'outputs_wf', KEYS) == ALONE
    assert makers(run_of(('x', 'a')), 'outputs_wf', {'c': 'of c'}) == {('alone',): {'x': ['of c']}}
    assert makers(run_of(('x', 'a')), 'other_wf', KEYS) == {}


def test_outputs_are_the_fields_of_the_node_of_that_name():
    assert outputs_of(steps_in(run_of(('x', 'a')))['box_wf']) == {'x', 'y'}

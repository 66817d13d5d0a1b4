"""Links between the workflows of a run, and what is read off them."""

from __future__ import annotations

import pytest
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.workflows.connections import between, keep_makers, steps_in


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

"""What ``--products`` chooses, and what it needs."""

from __future__ import annotations

import pytest

from bidsqsm.cli.parser import parse_arguments
from bidsqsm.io.groups import DEFAULT_GROUPS, GROUPS, Group, idle_steps
from bidsqsm.workflows import others
from bidsqsm.workflows.others import OTHERS, needed, unwanted

ARGS = ['in', 'out', 'participant']


def test_every_group_is_chosen_by_its_name_and_told_in_the_summary():
    assert parse_arguments(ARGS).products == DEFAULT_GROUPS
    for name in GROUPS:
        config = parse_arguments([*ARGS, '--products', name])
        assert config.products == (name,)
        assert config.summary()['products'] == [name]
    assert {*OTHERS} == {*GROUPS} - {'qsm'}


def test_an_unknown_product_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        parse_arguments([*ARGS, '--products', 'qsmm'])
    assert 'qsmm' in (said := capsys.readouterr().err)
    assert 'r2star' in said


def test_methods_of_what_is_not_made_have_no_say(capsys):
    owners = {group.step: name for name, group in GROUPS.items() if group.step}
    assert idle_steps(DEFAULT_GROUPS) == {*owners}
    for name in owners.values():
        config = parse_arguments([*ARGS, '--products', 'qsm', name])
        assert GROUPS[name].step in config.methods
        assert not {*owners} - {GROUPS[name].step} & {*config.methods}


def test_orientations_need_the_map(capsys):
    with pytest.raises(SystemExit):
        parse_arguments([*ARGS, '--products', 'r2star', '--orientations', 'ses'])
    assert 'add qsm to --products' in capsys.readouterr().err


LINKS = (('a_wf.x', 'b_wf.x'), ('b_wf.y', 'c_wf.y'), ('a_wf.x', 'd_wf.x'), ('d_wf.z', 'b_wf.z'))


def test_a_step_is_kept_where_something_wanted_needs_it(monkeypatch):
    groups = {
        'one': Group('', ('b_wf',)),
        'two': Group('', ('c_wf',)),
        'three': Group('', ('d_wf',)),
    }
    monkeypatch.setattr(others, 'GROUPS', groups)
    steps = {'a_wf', 'b_wf', 'c_wf', 'd_wf'}
    assert needed(steps, LINKS, ['one']) == {'a_wf', 'b_wf', 'd_wf'}
    assert needed(steps, LINKS, ['three']) == {'a_wf', 'd_wf'}
    assert needed(steps - {'d_wf'}, LINKS, ['two']) == {'a_wf', 'b_wf', 'c_wf'}
    assert unwanted(['one']) == {'c_wf', 'd_wf'}

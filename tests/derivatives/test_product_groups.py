"""What ``--products`` chooses, and what it needs."""

from __future__ import annotations

import pytest

from bidsqsm.cli.parser import parse_arguments
from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS, GROUPS, idle_steps
from bidsqsm.steps import RUN_STEPS, workflows_of
from bidsqsm.workflows.contrasts.contrast_steps import BUILDERS, excluded

ARGS = ['in', 'out', 'participant']


def test_every_group_is_chosen_by_its_name_and_told_in_the_summary():
    assert parse_arguments(ARGS).products == DEFAULT_GROUPS
    for name in GROUPS:
        config = parse_arguments([*ARGS, '--products', name])
        assert config.products == (name,)
        assert config.summary()['products'] == [name]
    assert {*BUILDERS} == {*GROUPS} - {'qsm'}


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


def test_every_group_consists_of_steps_of_the_table():
    assert {step.group for step in RUN_STEPS.values()} - {''} == {*GROUPS}
    for name, group in GROUPS.items():
        assert group.step in (
            '',
            *(step.name for step in RUN_STEPS.values() if step.group == name),
        )
    assert workflows_of(['r2star']) == {'relaxometry_wf'}
    assert excluded(['qsm', 'swi']) == {*GROUPS} - {'qsm', 'swi'}

"""Runs are brought together by an entity of their names, or the reason is told."""

from __future__ import annotations

import pytest

from bidsqsm.cli.parser import parse_arguments
from bidsqsm.derivatives.products import image_path, products_of
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.orientation_set import (
    OrientationSet,
    orientation_sets,
    read_orientations,
    run_from_json,
)
from bidsqsm.inputs.run import Skipped
from bidsqsm.inputs.run_table import run_table

CALL = ['in', 'out', 'participant']


@pytest.fixture
def found(skeleton):
    def found(*names):
        for name in names:
            skeleton.megre(name)
        return find_runs(skeleton.root)

    return found


def stopped(arguments, capsys):
    with pytest.raises(SystemExit):
        parse_arguments([*CALL, *arguments])
    return capsys.readouterr().err


def test_runs_that_differ_in_one_entity_only_make_a_set(found):
    runs = found(*(f'sub-01_acq-{a}_run-{r}' for r in (1, 2) for a in ('c', 'b', 'a')))
    one, two = orientation_sets(runs, 'acq')
    assert (one.name, two.name) == ('sub-01_run-1_desc-cosmos', 'sub-01_run-2_desc-cosmos')
    assert [run.name for run in two.runs] == [f'sub-01_acq-{a}_run-2' for a in 'abc']
    assert one.files == tuple(path for run in one.runs for path in run.files)
    chi = image_path(one.entities, products_of(one)['chi'])
    assert f'{chi}' == 'sub-01/anat/sub-01_run-1_desc-cosmos_Chimap.nii.gz'
    mask, region = (
        image_path(one.entities, products_of(one)[k]) for k in ('qsm_mask', 'reference_mask')
    )
    assert len({chi, mask, region}) == 3


def test_sessions_make_a_set_at_the_level_of_the_subject(found):
    runs = found(*(f'sub-01_ses-{n}' for n in (1, 2, 10)))
    (together,) = orientation_sets(runs, 'ses')
    assert [run.entities['ses'] for run in together.runs] == ['1', '2', '10']
    chi = image_path(together.entities, products_of(together)['chi'])
    assert f'{chi}' == 'sub-01/anat/sub-01_desc-cosmos_Chimap.nii.gz'


def test_labels_choose_and_order_the_orientations(found):
    runs = found(*(f'sub-01_acq-{a}' for a in 'abcde'))
    (together,) = orientation_sets(runs, *read_orientations('acq=d,acq-a,b'))
    assert [run.entities['acq'] for run in together.runs] == ['d', 'a', 'b']
    assert together.affine == runs[3].affine


def test_too_few_orientations_are_told_and_the_runs_go_on(found):
    runs = found('sub-01_acq-a', 'sub-01_acq-b', 'sub-02')
    one, two = orientation_sets(runs, 'acq')
    assert isinstance(one, Skipped)
    assert 'found the orientations acq-a, acq-b, expected 3 or more' in one.reason
    assert one.name == 'sub-01_desc-cosmos'
    assert 'sub-02 has no run with acq, expected 3 or more' in two.reason
    assert all(not isinstance(run, Skipped) for run in runs)
    (lost,) = orientation_sets(runs[:2], 'acq', ('a', 'b', 'c'))
    assert 'without acq-c' in lost.reason


def test_a_run_in_trouble_is_left_out_with_a_warning(found):
    runs = found(*(f'sub-01_acq-{a}' for a in 'abcd'))
    runs[1] = Skipped(runs[1].entities, 'no phase', 'MEGRE')
    (together,) = orientation_sets(runs, 'acq')
    assert [run.entities['acq'] for run in together.runs] == ['a', 'c', 'd']
    assert together.warnings == ('acq-b could not be used and was left out.',)
    runs[2] = Skipped(runs[2].entities, 'no phase', 'MEGRE')
    (lost,) = orientation_sets(runs, 'acq')
    assert 'acq-a, acq-d, without acq-b, acq-c' in lost.reason


def test_a_run_without_phase_is_no_orientation(skeleton, found):
    for label in 'abcd':
        skeleton.megre(f'sub-01_acq-{label}', parts=('mag',) if label == 'c' else ('mag', 'phase'))
    runs = found()
    (together,) = orientation_sets(runs, 'acq')
    assert [run.entities['acq'] for run in together.runs] == ['a', 'b', 'd']
    assert together.warnings == ('acq-c (no phase) could not be used and was left out.',)
    (lost,) = orientation_sets(runs, 'acq', ('c', 'a', 'b'))
    assert 'found the orientations acq-a, acq-b, without acq-c (no phase)' in lost.reason
    (none,) = orientation_sets([run for run in runs if run.entities['acq'] == 'c'], 'acq')
    assert 'found the orientations none, without acq-c (no phase)' in none.reason


def test_a_set_goes_through_json(found):
    runs = found(*(f'sub-01_acq-{a}' for a in 'abc'))
    (together,) = orientation_sets(runs, 'acq')
    again = run_from_json(together.to_json())
    assert isinstance(again, OrientationSet)
    assert again == together
    assert run_from_json(runs[0].to_json()) == runs[0]


def test_the_table_says_what_is_brought_together(found):
    runs = found(*(f'sub-01_acq-{a}' for a in 'abc'))
    text = run_table([*runs, *orientation_sets(runs, 'acq')])
    assert 'one map of acq-a, acq-b, acq-c' in text
    assert '4 to process, 0 to skip' in text


def test_the_command_line_checks_entity_and_labels(capsys):
    assert "no entity 'acquisition'; there are: ses" in stopped(
        ['--orientations', 'acquisition'], capsys
    )
    assert 'expected 3 different labels' in stopped(['--orientations', 'acq=a,b'], capsys)
    assert 'expected 3 different labels' in stopped(['--orientations', 'acq=a,b,b'], capsys)
    assert '--joint needs --orientations' in stopped(['--joint', 'cosmos'], capsys)
    both = ['--orientations', 'ses', '--onestep', 'sstv']
    assert 'which --onestep does not make' in stopped(both, capsys)


def test_the_step_is_there_where_it_was_asked_for(tmp_path):
    assert 'joint' not in parse_arguments(CALL).methods
    config = parse_arguments([*CALL, '--orientations', 'ses', '--joint', 'cosmos:weight=0.02'])
    assert config.methods['joint'].settings()['weight'] == 0.02
    assert config.summary()['orientations'] == 'ses'
    (tmp_path / 'again.toml').write_text(config.to_toml())
    again = parse_arguments([*CALL, '--config-file', str(tmp_path / 'again.toml')])
    assert again.summary() == config.summary()


def test_a_set_says_of_itself_what_it_consists_of_and_what_is_idle(found):
    runs = found(*(f'sub-01_acq-{a}' for a in 'abc'))
    (together,) = orientation_sets(runs, 'acq')
    assert together.runs == tuple(runs)
    assert runs[0].runs == (runs[0],)
    assert together.own_parts == ()
    assert runs[0].own_parts == ('magnitude', 'phase')
    assert {'dipole', 'relaxometry', 'gradient_correction'} <= together.idle_steps
    assert 'joint' not in together.idle_steps
    assert 'joint' in runs[0].idle_steps
    assert 'dipole' not in runs[0].idle_steps
    assert runs[0].plan == 'process'

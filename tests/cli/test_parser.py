"""The command line reads like the catalogue, explains mistakes and ends with the right code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from bidsqsm.__main__ import main
from bidsqsm.catalog import STEPS
from bidsqsm.cli.outcome import FAILED, OK, SKIPPED, Status, outcome
from bidsqsm.cli.parser import build_parser, parse_arguments
from bidsqsm.cli.paths import check_paths, make_writable
from bidsqsm.cli.validation import Issue, find_validator, refuse, validation_errors
from bidsqsm.io.errors import DatasetError
from helpers.bids_skeleton import Skeleton

ARGS = ['in', 'out', 'participant']


@pytest.fixture
def dataset(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for subject in ('sub-01', 'sub-02'):
        skeleton.megre(subject)
    return skeleton


def stopped(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_arguments(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_help_names_every_method_and_parameter():
    text = build_parser().format_help()
    for step in STEPS.values():
        for method in step.methods:
            assert method.name in text
            assert all(parameter in text for parameter in method.parameters)


def test_the_parser_does_not_load_the_graph_engine():
    code = (
        'import sys; import bidsqsm.cli.run; bad = {"nipype", "bids", "matplotlib"} & '
        '{*sys.modules}; sys.exit(f"{bad}" if bad else 0)'
    )
    done = subprocess.run([sys.executable, '-c', code], check=False)  # noqa: S603
    assert done.returncode == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--dipol', 'tv'], 'unknown option --dipol; did you mean --dipole?'),
        (['--participant-lable=01'], 'did you mean --participant-label?'),
        (['--dipole', 'tdk'], "no dipole method 'tdk'"),
        (['--dipole', 'tkd:treshold=1'], "tkd has no parameter 'treshold'"),
        (['--dipole', 'tkd:threshold=2'], 'expected a value between 0 and 0.666667, got 2'),
        (['--nprocs', '0'], 'expected a whole number from 1 up'),
        (['--mem', 'much'], 'expected an amount of memory such as 8G'),
        (['--force', 'all'], 'filtered-phase'),
        (['--bids-filter-file', 'none.json'], 'none.json: no such file'),
        (['-d', 'masks'], 'expected NAME=PATH'),
    ],
)
def test_a_wrong_option_stops_before_anything_runs(arguments, message, capsys):
    error = stopped([*ARGS, *arguments], capsys)
    assert message in error
    assert error.startswith('bidsqsm failed: ')
    assert error.count('\n') == 1


def test_labels_lose_their_prefix_and_nothing_else():
    config = parse_arguments(
        [*ARGS, '--participant_label', 'sub-sub1', 'bus', '--session-label', 'ses-s']
    )
    assert config.participant_label == ('sub1', 'bus')
    assert config.session_label == ('s',)


def test_both_spellings_of_the_sign_are_read():
    assert parse_arguments([*ARGS, '--phase-sign', '-1']).phase_sign == '-1'
    assert parse_arguments([*ARGS, '--phase-sign=+1']).phase_sign == '+1'


def test_a_dry_run_prints_the_runs_and_writes_nothing(dataset, tmp_path, capsys):
    dataset.find('sub-02_echo-2_part-phase_MEGRE.nii.gz').unlink()
    before = sorted(tmp_path.rglob('*'))
    assert main([str(dataset.root), str(tmp_path / 'out'), 'participant', '--dry-run']) == 0
    text = capsys.readouterr().out
    assert re.search(r'^01 .* process', text, re.MULTILINE)
    assert 'sub-02_echo-2_part-phase_MEGRE.nii.gz is missing' in text
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['missing', 'out', 'participant'], 'is not a folder'),
        (['ds', 'ds', 'participant'], 'is inside the input'),
        (['ds', 'ds/out', 'participant'], 'is inside the input'),
        (['ds', 'out', 'participant', '-w', 'ds/work'], 'work folder .* is inside the input'),
        (['ds', 'out', 'participant', '-w', 'out/work'], 'work folder .* is inside the output'),
        (['ds', '.', 'participant'], 'the input .* is inside'),
        (['ds', 'out', 'participant', '--participant-label', '99'], '99'),
        (['ds', 'out', 'participant', '--session-label', 'z'], 'z'),
        (['empty', 'out', 'participant'], 'empty'),
        (['ds', 'out', 'participant', '--bids-filter-file', 'bad.json'], 'expected JSON'),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_code_2(
    arguments, message, dataset, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Skeleton(tmp_path / 'empty')
    (tmp_path / 'bad.json').write_text('{')
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.startswith('bidsqsm failed: ')
    assert error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_output_among_the_derivatives_of_the_dataset_is_allowed(dataset):
    out = dataset.root / 'derivatives' / 'bidsqsm'
    check_paths(parse_arguments([str(dataset.root), str(out), 'participant']))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_read_only_output_is_told_before_computing(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match='cannot be written'):
        make_writable(tmp_path / 'out', 'output')


def test_an_output_that_is_a_file_is_told_before_computing(tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(DatasetError, match=r'the output folder .* cannot be written'):
        make_writable(tmp_path / 'out', 'output')


def test_an_interrupt_ends_with_130_and_a_request_of_the_scheduler_with_143(
    dataset, tmp_path, monkeypatch, capsys, request
):
    # a shell that starts its job in the background has it ignore SIGINT
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    arguments = [str(dataset.root), str(tmp_path / 'out'), 'participant', '--skip-bids-validation']
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        monkeypatch.setattr(
            'bidsqsm.cli.run.check_paths', lambda _, n=number: os.kill(os.getpid(), n)
        )
        assert main(arguments) == code
        assert 'bidsqsm failed: interrupted' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('error', 'code', 'line'),
    [
        (OSError(28, 'No space left', '/out/x'), 1, '/out/x: No space left; free space, mend'),
        (KeyError('oops'), 1, "a fault of the program (KeyError: 'oops'): please report it"),
    ],
)
def test_whatever_happens_the_last_line_says_that_the_call_failed(
    error, code, line, dataset, tmp_path, monkeypatch, capsys
):
    def fail(_):
        raise error

    monkeypatch.setattr('bidsqsm.cli.run.check_paths', fail)
    assert main([str(dataset.root), str(tmp_path / 'out'), 'participant']) == code
    assert capsys.readouterr().err.startswith(f'bidsqsm failed: {line}')


def test_the_last_line_and_the_code_follow_from_the_runs():
    ok, failed = Status('sub-01'), Status('sub-02', FAILED, 'memory ran out')
    skipped = Status('sub-03', SKIPPED, 'no phase')
    assert outcome([ok], 5) == ('bidsqsm finished: 1 run ok (5 s)', 0)
    line, code = outcome([ok, skipped, failed])
    assert code == 1
    assert line == 'bidsqsm failed: 1 run ok, 1 failed, 1 skipped; sub-02: memory ran out'
    assert outcome([skipped])[1] == 1
    assert outcome([])[1] == 1


def test_a_status_file_has_all_its_entries(tmp_path):
    path = Status('sub-01_run-1', OK, warnings=['look']).write(tmp_path, 'bidsqsm a b participant')
    content = json.loads(path.read_text())
    assert path.name == 'sub-01_run-1_status.json'
    told = {'name', 'status', 'reason', 'warnings', 'warned_by', 'seconds', 'crash'}
    assert {*content} == {*told, 'versions', 'command'}
    assert content['versions']['bidsqsm']
    assert content['reason'] is None


@pytest.mark.skipif(find_validator() is None, reason='needs bids-validator-deno')
def test_the_validator_finds_a_wrong_name_and_its_subject_can_be_left_out(dataset):
    for path in dataset.root.rglob('*part-phase*.json'):
        path.write_text(json.dumps({**json.loads(path.read_text()), 'Units': 'arbitrary'}))
    (dataset.root / 'sub-02' / 'anat' / 'sub-02_nonsense.nii.gz').write_bytes(b'')
    errors = validation_errors(dataset.root, find_validator())
    assert any('nonsense' in error.location for error in errors)
    assert refuse(errors, ['01'], []) == errors
    with pytest.raises(DatasetError, match='nonsense'):
        refuse(errors, ['01', '02'], [])


def test_a_validator_that_breaks_is_told(dataset, tmp_path):
    broken = tmp_path / 'validator'
    broken.write_text('#!/bin/sh\necho no schema >&2\nexit 3\n')
    broken.chmod(0o755)
    with pytest.raises(DatasetError, match=r'without a result .no schema.*--skip-bids-validation'):
        validation_errors(dataset.root, broken)


def test_errors_of_other_subjects_and_of_skipped_runs_do_not_stop_the_rest():
    errors = [
        Issue('EMPTY_FILE', '/sub-02/anat/sub-02_echo-1_part-mag_MEGRE.nii.gz'),
        Issue('NOT_INCLUDED', '/sub-03/anat/sub-03_nonsense.nii.gz'),
    ]
    assert refuse(errors, ['01', '02'], ['sub-02']) == errors
    with pytest.raises(DatasetError, match=r'1 error: NOT_INCLUDED .*sub-03.*--skip-bids-validat'):
        refuse(errors, ['02', '03'], ['sub-02'])
    with pytest.raises(DatasetError, match='2 errors'):
        refuse([*errors, Issue('MISSING', 'dataset')], ['01', '02'], [])


def test_a_dataset_may_be_called_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['demo', 'out', 'participant']) == 2
    assert f'{tmp_path / "demo"} is not a folder' in capsys.readouterr().err

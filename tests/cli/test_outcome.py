"""Whatever becomes of a call, it ends with one line that says so, and with the right code."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from bidsqsm.__main__ import main
from bidsqsm.cli.outcome import Status, outcome
from bidsqsm.cohort.run_files import FAILED, OK, SKIPPED
from helpers.bids_skeleton import Skeleton


@pytest.fixture
def dataset(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for subject in ('sub-01', 'sub-02'):
        skeleton.megre(subject)
    return skeleton


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['missing', 'out', 'participant'], 'does not exist'),
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

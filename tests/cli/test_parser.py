"""The command line reads like the catalogue, explains mistakes and ends with the right code."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bidsqsm.__main__ import main
from bidsqsm.catalog import STEPS
from bidsqsm.cli.parser import build_parser, parse_arguments
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
        (['--bids-filter-file', 'none.json'], 'none.json does not exist'),
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


def test_a_dataset_may_be_called_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['demo', 'out', 'participant']) == 2
    assert f'{tmp_path / "demo"} does not exist' in capsys.readouterr().err

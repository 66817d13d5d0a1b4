"""What a dataset calls its files does nothing to the terminal and forges no line of the log."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import bidsqsm
from bidsqsm.cli.logs import start_logging
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.progress import Progress
from bidsqsm.cli.terminal import say
from bidsqsm.inputs.run import Skipped
from bidsqsm.inputs.run_table import run_table
from bidsqsm.reports.html import environment, safe

EVIL = 'sub-\x1b[31m01\x07\u202e\udcff\r'


def is_harmless(text):
    return all(part.isprintable() for part in text.replace('\t', ' ').split('\n'))


def test_what_is_printed_is_harmless(capsys):
    say(EVIL)
    say(EVIL, error=True)
    with Progress({}) as progress:
        progress.tell(f'{EVIL}\nbidsqsm finished')
    out, err = capsys.readouterr()
    assert is_harmless(out + err)
    assert len(out.splitlines()) == 2


def test_the_table_of_a_dry_run_is_harmless():
    skipped = Skipped({'sub': '\x1b[2J1', 'acq': 'a\nb'}, f'{EVIL} is wrong')
    text = run_table([skipped])
    assert is_harmless(text)
    assert len(text.splitlines()) == 5


def test_a_wrong_argument_is_told_harmlessly(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(['in', 'out', 'participant', '--dipole', EVIL])
    assert is_harmless(capsys.readouterr().err)


@pytest.fixture
def log(tmp_path):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    start_logging(tmp_path / 'a.log')
    yield tmp_path / 'a.log'
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)


def test_a_log_has_no_control_characters_and_no_line_begins_like_a_record_that_is_none(
    log, monkeypatch
):
    # what pytest captures it sends on as UTF-8, which this is not
    root = logging.getLogger()
    own = [h for h in root.handlers if not type(h).__module__.startswith('_pytest')]
    monkeypatch.setattr(root, 'handlers', own)
    logging.getLogger('bidsqsm').warning('%s\n2026-01-01 00:00:00,000 INFO bidsqsm: ok', EVIL)
    text = log.read_text()
    assert is_harmless(text)
    assert [line[0] for line in text.splitlines()] == ['2', ' ']


def test_pages_show_control_characters_and_leave_markup_alone():
    page = environment().from_string('<p>{{ name }}</p>{{ script }}')
    text = page.render(name=f'{EVIL}<b>', script=safe('<i>\u200e</i>'))
    assert is_harmless(text.partition('</p>')[0])
    assert '&lt;b&gt;' in text
    assert text.endswith('<i>\u200e</i>')


def test_all_that_is_printed_goes_one_way():
    folder = Path(bidsqsm.__file__).parent / 'cli'
    for path in folder.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and path.stem != 'terminal':
                called = ast.unparse(node.func)
                assert called not in ('print', 'sys.stdout.write', 'sys.stderr.write'), path

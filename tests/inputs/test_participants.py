"""Tables of participants: what is wrong with them is told, and takes nothing else with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bidsqsm.inputs.participants import Participants, ages_of, read_participants


def _told(path: Path) -> None:
    troubles: list[str] = []
    assert read_participants(path.parent, [], troubles) == Participants()
    assert ages_of(path.parent, troubles) == {}
    assert len(troubles) == 2
    assert all(str(path) in said for said in troubles)


@pytest.mark.parametrize(
    'content',
    [
        'participant_id\tname\nsub-01\tJosé\n'.encode('latin-1'),
        'participant_id\nsub-01\n'.encode('utf-16'),
        'participant_id\nsub-01\n'.encode('utf-16-le'),
        bytes(range(256)),
        b'participant_id\tnote\nsub-01\t"open\nsub-02\tx\n',
        b'participant_id\nsub-01' + b'1' * 200_000 + b'\n',
    ],
    ids=['latin-1', 'utf-16', 'utf-16-le', 'binary', 'open quote', 'long field'],
)
def test_a_table_that_is_none_is_told(tmp_path, content):
    path = tmp_path / 'participants.tsv'
    path.write_bytes(content)
    _told(path)


@pytest.mark.parametrize('kind', ['pipe', '/dev/zero', 'gone', 'participants.tsv', 'folder'])
def test_what_is_no_file_is_told(tmp_path, kind):
    path = tmp_path / 'participants.tsv'
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to(kind)
    _told(path)


def test_the_others_of_a_table_with_an_odd_age_are_read(tmp_path):
    text = 'participant_id\tage\nsub-01\t' + '9' * 500 + '\nsub-02\t40\nsub-03\n'
    (tmp_path / 'participants.tsv').write_text(text)
    assert ages_of(tmp_path, []) == {'02': 40.0}

"""A part of a folder has one process at a time, and no claim outlives its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from bidsqsm.files import folder_lock
from bidsqsm.files.folder_lock import Holder, InUseError, exclusive

HOLD = """
import sys, time
from pathlib import Path
from bidsqsm.files.folder_lock import exclusive
with exclusive(Path(sys.argv[1]), sys.argv[2:]):
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'work' / 'claims'


@pytest.fixture
def other(folder):
    """Another process that holds sub-01 and sub-02."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, '-c', HOLD, str(folder), 'sub-01', 'sub-02'], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b'held\n'
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def no_locks(monkeypatch):
    """A disk that has no locks of the kernel."""

    def refuse(*_):
        raise OSError(38, 'Function not implemented')

    monkeypatch.setattr(folder_lock.fcntl, 'flock', refuse)


def leave(folder, age=0.0, **changes):
    """Leave the claim of a process that may be gone."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'left.json'
    path.write_text(json.dumps({**asdict(replace(Holder.me(), **changes)), 'names': ['sub-01']}))
    os.utime(path, (time.time() - age,) * 2)
    return path


def is_free(folder, *names):
    try:
        with exclusive(folder, names or ['sub-01']):
            return True
    except InUseError:
        return False


def claims(folder):
    return [*folder.glob('*.json')]


@pytest.mark.parametrize('locks', [True, False])
def test_a_second_process_is_told_who_is_there(folder, other, locks, request):
    if not locks:
        request.getfixturevalue('no_locks')
    with (
        pytest.raises(InUseError, match=rf'work is in use for sub-02 by process {other.pid} on '),
        exclusive(folder, ['sub-02', 'sub-03']),
    ):
        pass
    assert len(claims(folder)) == 1


def test_other_names_are_free_meanwhile(folder, other):
    assert other.poll() is None
    assert is_free(folder, 'sub-03', 'sub-04')


@pytest.mark.parametrize('locks', [True, False])
def test_the_claim_of_a_process_that_was_killed_is_taken_over(folder, other, locks, request):
    if not locks:
        request.getfixturevalue('no_locks')
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert is_free(folder)
    assert not claims(folder)


def test_the_claim_of_a_process_that_is_stopped_stands(folder, other):
    other.send_signal(signal.SIGSTOP)
    assert not is_free(folder)


def test_who_waits_comes_in_when_the_other_has_ended(folder, other):
    told = []
    threading.Timer(1.0, other.kill).start()
    with exclusive(folder, ['sub-01'], told.append):
        assert len(told) == 1
        assert f'process {other.pid} ' in told[0]


@pytest.mark.parametrize(
    ('changes', 'age', 'free'),
    [
        ({'boot': 'an earlier one'}, 0, True),  # the machine has started anew
        ({'process_start': '1'}, 0, True),  # its number belongs to a later process
        ({'host': 'node7', 'boot': 'its own'}, 10, False),
        ({'host': 'node7', 'boot': 'its own'}, 400, True),
        ({'host': 'container', 'namespace': 'pid:[1]'}, 10, False),
        ({'host': 'container', 'namespace': 'pid:[1]'}, 400, True),
        ({}, 400, False),  # this very process, which is alive
    ],
)
def test_a_claim_on_a_disk_without_locks_stands_while_its_process_may_live(
    folder, no_locks, changes, age, free
):
    path = leave(folder, age, **changes)
    assert is_free(folder) is free
    assert path.exists() is not free


@pytest.mark.parametrize(
    ('changes', 'age', 'free'),
    [
        ({'host': 'container', 'namespace': 'pid:[1]'}, 0, True),  # one kernel: its lock tells
        ({'boot': 'an earlier one'}, 0, True),
        ({'host': 'node7', 'boot': 'its own'}, 10, False),  # its lock may not be seen here
        ({'host': 'node7', 'boot': 'its own'}, 400, True),
    ],
)
def test_a_claim_without_its_lock_is_of_a_process_that_has_ended_on_this_machine(
    folder, changes, age, free
):
    leave(folder, age, **changes)
    assert is_free(folder) is free


@pytest.mark.parametrize('content', ['', '{"host": "a"', '[]', 'null', '{"names": 3}', '\0'])
def test_a_damaged_claim_without_its_lock_is_removed(folder, content):
    path = leave(folder)
    path.write_text(content)
    assert is_free(folder)
    assert not path.exists()


def test_a_damaged_claim_stands_for_all_names_while_it_shows_life(folder, no_locks):
    leave(folder).write_text('{')
    assert not is_free(folder, 'sub-09')
    leave(folder, 400).write_text('{')
    os.utime(folder / 'left.json', (time.time() - 400,) * 2)
    assert is_free(folder, 'sub-09')


def test_signs_of_life_are_given(folder, monkeypatch):
    monkeypatch.setattr(folder_lock, 'BEAT_S', 0.02)
    with exclusive(folder, ['sub-01']):
        (path,) = claims(folder)
        os.utime(path, (0, 0))
        time.sleep(0.3)
        assert path.stat().st_mtime > 1e9
    assert not claims(folder)


@pytest.mark.parametrize('locks', [True, False])
def test_of_many_at_once_one_is_in_at_a_time_and_all_come_in(folder, locks, request, monkeypatch):
    if not locks:
        request.getfixturevalue('no_locks')
    monkeypatch.setattr(folder_lock, '_POLL_S', 0.01)
    inside, most = [], []

    def enter(number):
        with exclusive(folder, ['sub-01'], lambda _: None):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.005)
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(enter, range(24))]
    assert len(most) == 24
    assert max(most) == 1


def test_an_error_inside_leaves_no_claim(folder):
    with pytest.raises(KeyError), exclusive(folder, ['sub-01']):
        raise KeyError
    assert not claims(folder)

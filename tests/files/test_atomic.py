"""Text files are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bidsqsm.files import atomic


def test_text_is_written_whole_and_readable_by_others(tmp_path):
    path = atomic.write_text(tmp_path / 'a' / 'b.txt', 'µ')
    assert path.read_text(encoding='utf-8') == 'µ'
    assert path.stat().st_mode & 0o044
    assert [p.name for p in path.parent.iterdir()] == ['b.txt']


def test_a_full_disk_is_told_with_its_file(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'replace', full)
    with pytest.raises(OSError, match=r'No space left on device: .*page.html'):
        atomic.write_text(tmp_path / 'page.html', 'text')
    assert not [*tmp_path.iterdir()]


def write_set(target: Path, number: int) -> None:
    """Write a map and its sidecar, which tell by whom."""
    with atomic.staged(target, 'sub-01') as room:
        for name in ('chi.nii', 'chi.json', 'mask.nii'):
            (room / 'sub-01' / 'anat').mkdir(parents=True, exist_ok=True)
            (room / 'sub-01' / 'anat' / name).write_text(f'{number}' * 1000)


def test_many_writers_of_one_output_all_succeed_and_their_sets_do_not_mix(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(partial(write_set, tmp_path), range(300))]
    texts = {path.read_text() for path in tmp_path.rglob('*.*') if path.is_file()}
    assert len(texts) == 1
    assert [path.name for path in tmp_path.iterdir()] == ['sub-01']


def test_a_file_is_never_missing_while_it_is_written_anew(tmp_path):
    write_set(tmp_path, 0)
    path, missing = tmp_path / 'sub-01' / 'anat' / 'chi.json', 0
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write_set, tmp_path, number) for number in range(100)]
        while not all(writer.done() for writer in writers):
            missing += not path.exists()
    assert missing == 0


def test_where_a_move_fails_all_that_was_there_is_put_back(tmp_path, monkeypatch):
    write_set(tmp_path, 1)
    (tmp_path / 'sub-01' / 'anat' / 'mask.nii').unlink()
    replace = Path.replace

    def fail(self, target):
        if self.name == 'mask.nii':
            raise OSError(28, 'No space left on device', str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, 'replace', fail)
    with pytest.raises(OSError, match='No space'):
        write_set(tmp_path, 2)
    found = {path.name: path.read_text()[0] for path in (tmp_path / 'sub-01' / 'anat').iterdir()}
    assert found == {'chi.nii': '1', 'chi.json': '1'}


def test_a_disk_without_links_or_locks_serves_as_well(tmp_path, monkeypatch):
    def no(*_):
        raise OSError(95, 'Operation not supported')

    monkeypatch.setattr('bidsqsm.files.atomic.os.link', no)
    monkeypatch.setattr('bidsqsm.files.atomic.fcntl.flock', no)
    for number in (1, 2):
        write_set(tmp_path, number)
    assert (tmp_path / 'sub-01' / 'anat' / 'chi.nii').read_text()[0] == '2'


def test_writers_of_one_file_in_threads_all_succeed_with_the_rights_of_the_user(tmp_path):
    path = tmp_path / 'a.txt'
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda n: atomic.write_text(path, f'{n}'), range(500))]
    assert [one.name for one in tmp_path.iterdir()] == ['a.txt']
    (tmp_path / 'plain').touch()
    assert path.stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_folders_that_a_killed_process_left_are_swept_and_those_in_use_stay(tmp_path):
    """A process of its own is killed while it writes; this one writes on."""
    code = (
        'import os, signal\nfrom pathlib import Path\nfrom bidsqsm.files.atomic import staged\n'
        f'with staged(Path({str(tmp_path)!r}), "sub-01") as room:\n'
        '    (room / "half.txt").write_text("half")\n'
        '    os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    subprocess.run([sys.executable, '-c', code], check=False)  # noqa: S603 - written above
    (killed,) = tmp_path.glob('.sub-01-*')
    (tmp_path / '.git-own').mkdir()
    (tmp_path / '.git-own' / 'file').touch()
    with atomic.staged(tmp_path, 'sub-02') as room:
        for folder in (killed, room.parent):
            os.utime(folder, (0, 0))
        atomic.sweep_staged(tmp_path)
        assert not killed.exists()
        assert room.exists()
    assert [path.name for path in tmp_path.iterdir()] == ['.git-own']

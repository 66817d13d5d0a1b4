"""Compiled loops that were damaged are made anew, and those that were not are kept."""

from __future__ import annotations

import os
import pickle

import pytest

from bidsqsm.files.compiled_code import list_compiled, remove_damaged
from bidsqsm.files.inventory import INVENTORY


@pytest.fixture
def folder(tmp_path):
    """What numba leaves: an index of two pickles, and code; what says that all is there."""
    (tmp_path / 'qsm_1').mkdir()
    index = pickle.dumps('0.61', -1) + pickle.dumps((('stamp', 3.5), {'key': 'f.1.nbc'}))
    (tmp_path / 'qsm_1' / 'f.nbi').write_bytes(index)
    (tmp_path / 'qsm_1' / 'f.1.nbc').write_bytes(pickle.dumps((b'code' * 1000, {'a': [1, 2.0]})))
    (tmp_path / 'compiled-0123.txt').touch()
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_what_is_sound_is_kept_listed_or_not(folder):
    assert remove_damaged(folder) == []
    list_compiled(folder)
    assert remove_damaged(folder) == []
    assert (folder / 'compiled-0123.txt').exists()


@pytest.mark.parametrize('listed', [True, False])
@pytest.mark.parametrize('name', ['f.nbi', 'f.1.nbc'])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.5, 0.99])
def test_what_is_cut_is_removed(folder, name, share, listed):
    if listed:
        list_compiled(folder)
    path = folder / 'qsm_1' / name
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert names(remove_damaged(folder)) == [name]
    assert not path.exists()
    assert not (folder / 'compiled-0123.txt').exists()
    assert remove_damaged(folder) == []


def test_a_bit_that_turned_on_the_disk_is_noticed(folder):
    list_compiled(folder)
    path = folder / 'qsm_1' / 'f.1.nbc'
    content, before = bytearray(path.read_bytes()), path.stat()
    content[2000] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(remove_damaged(folder)) == ['f.1.nbc']


def test_what_lies_in_the_place_of_code_gives_way(folder):
    list_compiled(folder)
    (folder / 'qsm_1' / 'f.nbi').unlink()
    (folder / 'qsm_1' / 'f.nbi').symlink_to('nowhere')
    (folder / 'qsm_1' / 'f.1.nbc').unlink()
    (folder / 'qsm_1' / 'f.1.nbc' / 'deep').mkdir(parents=True)
    assert names(remove_damaged(folder)) == ['f.1.nbc', 'f.nbi']
    assert [*(folder / 'qsm_1').iterdir()] == []


def test_what_another_call_compiled_anew_is_kept(folder):
    list_compiled(folder)
    (folder / 'qsm_1' / 'f.1.nbc').write_bytes(pickle.dumps(b'other code'))
    assert remove_damaged(folder) == []


@pytest.mark.parametrize('content', ['', '[]', '{', '{"qsm_1/f.nbi": 3}', '{"qsm_1/f.nbi": {}}'])
def test_a_damaged_list_is_as_none(folder, content):
    (folder / INVENTORY).write_text(content)
    assert remove_damaged(folder) == []


def test_a_folder_that_is_not_there_has_nothing_damaged(tmp_path):
    assert remove_damaged(tmp_path / 'none') == []

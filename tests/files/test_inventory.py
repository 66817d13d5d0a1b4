"""Damage to what a finished step left is noticed, whatever it is."""

from __future__ import annotations

import os

import pytest

from bidsqsm.files.inventory import INVENTORY, damage, write_inventory


@pytest.fixture
def step(tmp_path):
    """A finished step, and a file that it read."""
    folder = tmp_path / 'step'
    (folder / 'deep').mkdir(parents=True)
    (folder / 'chi.nii').write_bytes(bytes(1000))
    (folder / 'deep' / 'table.tsv').write_text('a\n1\n')
    (folder / 'empty.txt').touch()
    (folder / '_node.pklz').write_bytes(b'1')
    (tmp_path / 'echo.nii').write_bytes(b'abc')
    write_inventory(folder, [tmp_path / 'echo.nii', tmp_path / 'none.nii'])
    return folder


def rewrite(path, content):
    """Change a file but not its size and time."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize('contents', [True, False])
def test_an_untouched_step_is_sound(step, contents):
    assert damage(step, contents=contents) is None


def test_new_times_and_files_that_are_no_results_are_no_damage(step):
    os.utime(step / 'chi.nii', (1, 1))
    (step / '_node.pklz').unlink()
    (step / 'more.txt').touch()
    assert damage(step) is None


@pytest.mark.parametrize(
    ('name', 'content', 'said'),
    [
        ('chi.nii', None, 'chi.nii is missing'),
        ('deep/table.tsv', None, 'table.tsv is missing'),
        ('chi.nii', bytes(999), 'chi.nii has 999 bytes, expected 1000'),
        ('chi.nii', b'', 'chi.nii has 0 bytes, expected 1000'),
        ('chi.nii', b'1' + bytes(999), 'chi.nii no longer holds what it held'),
        ('empty.txt', b'1', 'empty.txt has 1 bytes, expected 0'),
        (INVENTORY, None, 'has no inventory'),
        (INVENTORY, b'', 'cannot be read'),
        (INVENTORY, b'{"made": {"chi.nii": ', 'cannot be read'),
        (INVENTORY, b'[1]', 'cannot be read'),
        (INVENTORY, b'{"made": {"chi.nii": {}}, "read": {}}', 'cannot be read'),
        (INVENTORY, b'\xff\xfe', 'cannot be read'),
    ],
)
def test_damage_is_told_with_its_file(step, name, content, said):
    if content is None:
        (step / name).unlink()
    else:
        (step / name).write_bytes(content)
    assert said in damage(step)


def test_a_folder_in_the_place_of_a_file_is_damage(step):
    (step / 'chi.nii').unlink()
    (step / 'chi.nii').mkdir()
    assert 'chi.nii is missing' in damage(step)


def test_a_change_that_keeps_size_and_time_is_seen_only_by_reading(step, tmp_path):
    for path, content in ((step / 'chi.nii', bytes(999) + b'1'), (tmp_path / 'echo.nii', b'abd')):
        sound = path.read_bytes()
        rewrite(path, content)
        assert damage(step) is None
        assert f'{path} no longer holds' in damage(step, contents=True)
        rewrite(path, sound)
    (tmp_path / 'echo.nii').unlink()
    assert damage(step) is None
    assert 'echo.nii is missing' in damage(step, contents=True)

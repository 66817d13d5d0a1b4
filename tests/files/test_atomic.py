"""Text files are whole or not there."""

from __future__ import annotations

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

    monkeypatch.setattr('bidsqsm.files.atomic.os.fdopen', full)
    with pytest.raises(OSError, match=r'No space left on device: .*page.html'):
        atomic.write_text(tmp_path / 'page.html', 'text')
    assert not [*tmp_path.iterdir()]

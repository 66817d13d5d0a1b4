"""Compressed files: any reader reads them, and their bytes depend on the content alone."""

import gzip
import time

import numpy as np
import pytest

from bidsqsm.files.gzip_files import GZIP_ERRORS, compressed, created, decompressed

CONTENT = np.random.default_rng(0).normal(0, 0.05, 100_000).astype(np.float32).tobytes()


def write(path):
    with created(path) as stream:
        stream.write(CONTENT[:1000])
        stream.write(CONTENT[1000:])
    return path


def test_other_readers_read_what_is_written_and_it_is_smaller(tmp_path):
    path = write(tmp_path / 'a.nii.gz')
    assert gzip.decompress(path.read_bytes()) == CONTENT
    assert gzip.decompress(compressed(CONTENT)) == CONTENT
    assert decompressed(path) == CONTENT
    assert path.stat().st_size < 1.02 * len(gzip.compress(CONTENT, 4))


def test_no_date_and_no_name_are_in_the_stream(tmp_path, monkeypatch):
    first = write(tmp_path / 'a.nii.gz').read_bytes(), compressed(CONTENT)
    monkeypatch.setattr(time, 'time', lambda: 2e9)
    assert (write(tmp_path / 'b.nii.gz').read_bytes(), compressed(CONTENT)) == first
    for stream in first:
        assert stream[3] == 0  # no flag: no name
        assert stream[4:8] == bytes(4)  # no date


def test_a_file_without_gz_is_written_as_it_is(tmp_path):
    assert write(tmp_path / 'a.nii').read_bytes() == CONTENT


@pytest.mark.parametrize('spoil', [lambda raw: raw[:-9], lambda raw: raw[:-6] + b'x' + raw[-5:]])
def test_a_stream_cut_short_or_with_a_wrong_checksum_is_not_read(tmp_path, spoil):
    path = write(tmp_path / 'a.nii.gz')
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(GZIP_ERRORS):
        decompressed(path)

"""JSON files: written in one way, and what is wrong with one is said in a sentence that names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.files.json_files import as_json, load_json, read_json, write_json


def test_what_is_written_is_read_back(tmp_path):
    content = {'Name': 'Größe', 'EchoTime': [0.004, 0.012], 'Deep': {'a': None}}
    path = write_json(tmp_path / 'new' / 'x.json', content)
    assert read_json(path) == content


def test_numbers_of_numpy_are_plain_and_paths_are_text():
    content = {'n': np.int16(3), 'mean': np.float64(0.5), 'all': np.arange(2), 'file': Path('a')}
    assert as_json(content) == (
        '{\n  "n": 3,\n  "mean": 0.5,\n  "all": [\n    0,\n    1\n  ],\n  "file": "a"\n}\n'
    )


def test_letters_stay_letters_in_utf_8(tmp_path):
    assert '"Größe"'.encode() in write_json(tmp_path / 'x.json', {'Name': 'Größe'}).read_bytes()


def test_the_mark_that_editors_put_first_is_passed_over(tmp_path):
    path = tmp_path / 'x.json'
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {'a': 1}
    assert load_json(path) == {'a': 1}


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('{"a": ', 'is not valid JSON'),
        ('[1, 2]', 'holds a list, expected an object'),
        ('', 'JSON'),
    ],
)
def test_what_is_no_object_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / 'broken.json'
    path.write_text(text)
    with pytest.raises(DatasetError, match=said) as caught:
        read_json(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(DatasetError, match=r'none\.json does not exist'):
        read_json(tmp_path / 'none.json')
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / 'none.json')

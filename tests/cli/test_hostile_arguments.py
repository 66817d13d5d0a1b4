"""Whatever is given for a path or a file of settings: exit code 2 and one line, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bidsqsm.__main__ import main
from helpers.bids_skeleton import Skeleton
from helpers.rights import as_plain_user, open_folder


@pytest.fixture
def dataset(tmp_path) -> Skeleton:
    made = Skeleton(tmp_path / 'ds')
    made.megre()
    return made


def said(capsys, *words: object) -> str:
    """Run the app with these words; the one line that it prints."""
    try:
        code = main([*map(str, words)])
    except SystemExit as error:
        code = error.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ''
    assert err.startswith('bidsqsm failed: ')
    assert err.count('\n') == 1
    assert len(err) < 5000
    return err


def dry(dataset: Skeleton, *more: object) -> list[object]:
    out = dataset.root.parent / 'out'
    return [dataset.root, out, 'participant', '--dry-run', '--skip-bids-validation', *more]


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to('/dev/zero')


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def in_utf_16(path: Path) -> None:
    path.write_text('{}', encoding='utf-16')


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 10**11)


MAKERS = [a_pipe, endless, a_loop, binary, in_utf_16, huge, Path.mkdir]


@pytest.mark.parametrize('make', MAKERS)
def test_a_filter_file(capsys, dataset, tmp_path, make):
    make(tmp_path / 'filter.json')
    words = dry(dataset, '--bids-filter-file', tmp_path / 'filter.json')
    assert 'filter.json' in said(capsys, *words)


@pytest.mark.parametrize(
    'text',
    [
        '[' * 20000 + ']' * 20000,
        '{"megre": ' * 20000 + '1' + '}' * 20000,
        '{"megre": {"run": ' + '9' * 401 + '}}',
        '{"megre": {"run": ' + '9' * 5000 + '}}',
        '{"megre": {"' + 'a' * 10**6 + '": 1}}',
        '{"megre": {"run": {"a": 1}}}',
        '{"megre": "' + 'a' * 10**6 + '"}',
        '',
    ],
    ids=range(8),
)
def test_content_of_a_filter_file(capsys, dataset, tmp_path, text):
    (tmp_path / 'filter.json').write_text(text)
    assert 'filter' in said(capsys, *dry(dataset, '--bids-filter-file', tmp_path / 'filter.json'))


@pytest.mark.parametrize('make', MAKERS)
def test_a_config_file(capsys, dataset, tmp_path, make):
    make(tmp_path / 'settings.toml')
    words = dry(dataset, '--config-file', tmp_path / 'settings.toml')
    assert 'settings.toml' in said(capsys, *words)


@pytest.mark.parametrize(
    'text',
    [
        'nprocs = ' + '[' * 20000 + ']' * 20000,
        'nprocs = ' + '9' * 401,
        'nprocs = ' + '9' * 5000,
        'nprocs = 0x' + 'f' * 5000,
        'derivatives.' + '.'.join('a' * 5000) + ' = 1',
        'work-dir = "a\\u0000b"',
        'work-dir = "' + 'a' * 5000 + '"',
        'work-dir = "~nobody-of-this-name/work"',
        'bids-filter-file = "a\\u0000b"',
        'derivatives = {masks = "a\\u0000b"}',
        'atlases = "a\\u0000b"',
        'a' * 10**6 + ' = 1',
        'mem = inf',
        'dry-run = 1979-05-27',
    ],
    ids=range(14),
)
def test_content_of_a_config_file(capsys, dataset, tmp_path, text):
    (tmp_path / 'settings.toml').write_text(text)
    words = [word for word in dry(dataset) if word != '--dry-run']
    assert said(capsys, *words, '--config-file', tmp_path / 'settings.toml')


@pytest.mark.parametrize('place', [0, 1])
@pytest.mark.parametrize(
    'text', ['a' * 5000, 'a/' * 3000, 'a\0b', '~nobody-of-this-name/x', 'loop', 'loop/x']
)
@pytest.mark.parametrize('level', ['participant', 'group'])
def test_a_path_of_the_call(capsys, dataset, tmp_path, monkeypatch, place, text, level):
    monkeypatch.chdir(tmp_path)
    Path('loop').symlink_to('loop')
    words = [dataset.root, tmp_path / 'out', level]
    words[place] = text
    assert said(capsys, *words)


@pytest.mark.parametrize('place', [0, 1])
@pytest.mark.parametrize('kind', ['a_pipe', 'a_file', 'below'])
def test_a_path_of_the_call_that_is_no_folder(capsys, dataset, tmp_path, place, kind):
    path = tmp_path / 'x'
    os.mkfifo(path) if kind == 'a_pipe' else path.touch()
    words = [*dry(dataset)]
    words[place] = path / 'y' if kind == 'below' else path
    if place == 1:
        words[words.index('--dry-run')] = '--atlases=none'
    assert str(path) in said(capsys, *words)


@pytest.mark.parametrize('place', ['', 'ds', 'ds/dataset_description.json', 'filter.json'])
def test_what_may_not_be_read(capsys, place):
    with open_folder() as folder:
        inner = folder / 'in'
        dataset = Skeleton(inner / 'ds')
        dataset.megre()
        (inner / 'filter.json').write_text('{}')
        (inner / place).chmod(0)
        more = ['--bids-filter-file', inner / 'filter.json'] if 'filter' in place else []
        words = [dataset.root, folder / 'out', 'participant', '--dry-run', *more]
        try:
            with as_plain_user():
                assert 'may not be read by this user' in said(capsys, *words)
        finally:
            (inner / place).chmod(0o755)


@pytest.mark.parametrize('make', MAKERS)
def test_the_description_of_a_dataset(capsys, dataset, make):
    path = dataset.root / 'dataset_description.json'
    path.unlink()
    make(path)
    assert str(path) in said(capsys, *dry(dataset))


@pytest.mark.parametrize('text', ['{"a":' * 20000, '[]', '{"Name": 1}', '\x00'])
def test_content_of_the_description(capsys, dataset, text):
    path = dataset.root / 'dataset_description.json'
    path.write_text(text)
    assert str(path) in said(capsys, *dry(dataset))


def test_a_damaged_database(capsys, dataset, tmp_path):
    (tmp_path / 'db').mkdir()
    (tmp_path / 'db' / 'layout_index.sqlite').write_text('none')
    words = dry(dataset, '--bids-database-dir', tmp_path / 'db')
    assert 'layout_index.sqlite cannot be read' in said(capsys, *words)

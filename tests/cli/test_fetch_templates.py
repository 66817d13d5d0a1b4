"""``bidsqsm fetch-templates`` brings what runs need, says where, and fails in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from templateflow.conf.cache import TemplateFlowCache

from bidsqsm.__main__ import main
from bidsqsm.atlases import checksums
from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.templateflow import MissingTemplate, files_of
from helpers.template_atlases import make_placeholders, make_templateflow

MNI = 'tpl-MNI152NLin2009cAsym/tpl-MNI152NLin2009cAsym_res-01'


class Answer:
    """What a server sends."""

    def __init__(self, content, status=200):
        self.content, self.status_code = content, status
        self.headers = {'content-length': str(len(content))}

    def iter_content(self, size):
        for start in range(0, len(self.content), size):
            yield self.content[start : start + size]


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    """The folder behind the made-up server."""
    root = tmp_path_factory.mktemp('server')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TEMPLATEFLOW_HOME', str(root))
        return make_templateflow(root)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path / 'flow'))
    return make_placeholders(tmp_path / 'flow')


@pytest.fixture
def asked(server, monkeypatch):
    """Every address that was asked for, answered with the server's files."""
    addresses = []

    def get(url, **_):
        addresses.append(url)
        return Answer((server / url.partition('.com/')[2]).read_bytes())

    monkeypatch.setattr(requests, 'get', get)
    return addresses


def test_all_that_a_run_needs_is_fetched_once(home, asked, capsys):
    with pytest.raises(MissingTemplate):
        resolve_atlases(['MASSP20'])
    assert main(['fetch-templates']) == 0
    told = capsys.readouterr().out
    assert [f'fetched: {file}' in told for file in files_of(['MASSP20'], [])] == [True] * 4
    assert told.endswith(f'fetched 4 files into {home}\n')
    assert resolve_atlases(['MASSP20'])[0].template.t1w == home / f'{MNI}_T1w.nii.gz'
    count = len(asked)
    assert count == 4
    assert main(['fetch-templates', '--atlases', 'MASSP20']) == 0
    assert len(asked) == count
    assert 'was there: ' in capsys.readouterr().out


def test_the_command_of_the_error_mends_it(home, asked, capsys):
    with pytest.raises(MissingTemplate) as raised:
        resolve_atlases(['MASSP20', 'SUIT'])
    words = f'{raised.value}'.partition("'bidsqsm ")[2].partition("'")[0].split()
    assert main(words) == 0
    assert len(resolve_atlases(['MASSP20', 'SUIT'])) == 2
    assert 'SUIT: doi:' in (told := capsys.readouterr().out)
    assert 'CC BY-NC' in told


def test_output_spaces_alone_fetch_no_atlas(home, asked, tmp_path):
    space = 'MNI152NLin2009cAsym:res-2'
    assert main(['fetch-templates', '--output-spaces', space, str(tmp_path)]) == 0
    assert len(asked) == 2
    assert resolve_template(space).mask is not None
    with pytest.raises(MissingTemplate):
        resolve_atlases(['MASSP20'])


def test_a_file_that_was_cut_short_is_fetched_anew(home, asked, server):
    assert main(['fetch-templates']) == 0
    t1w = home / f'{MNI}_T1w.nii.gz'
    t1w.write_bytes(t1w.read_bytes()[:-20])
    asked.clear()
    assert main(['fetch-templates']) == 0
    assert [Path(url).name for url in asked] == [t1w.name]
    assert t1w.read_bytes() == (server / f'{MNI}_T1w.nii.gz').read_bytes()


def test_a_file_that_changed_since_it_was_fetched_is_fetched_anew(home, asked, server):
    assert main(['fetch-templates']) == 0
    table = home / f'{MNI}_atlas-MASSP20_dseg.tsv'
    table.write_text(table.read_text().replace('putamen', 'caudate'))
    asked.clear()
    assert main(['fetch-templates']) == 0
    assert [Path(url).name for url in asked] == [table.name]
    assert table.read_bytes() == (server / table.relative_to(home)).read_bytes()


def test_a_file_that_is_not_as_it_was_published_is_told_and_kept(home, asked, capsys, monkeypatch):
    t1w = home / f'{MNI}_T1w.nii.gz'
    monkeypatch.setattr(checksums, 'PUBLISHED_MD5', {t1w.name: '0' * 32})
    assert main(['fetch-templates']) == 0
    told = f'not what was published before, which may be a newer version: {t1w}\n'
    assert told in capsys.readouterr().out
    assert main(['fetch-templates']) == 0
    assert f'was there: {t1w}' in capsys.readouterr().out


def test_without_a_network_one_line_says_so_and_nothing_half_stays(home, monkeypatch, capsys):
    def get(url, **_):
        raise requests.ConnectionError(f"HTTPSConnectionPool(host='far.org', port=443): {url}")

    monkeypatch.setattr(requests, 'get', get)
    assert main(['fetch-templates']) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        'bidsqsm fetch-templates failed: tpl-MNI152NLin2009cAsym_res-01_T1w.nii'
    )
    assert 'no network to far.org' in told
    assert told.count('\n') == 1
    assert not any(file.stat().st_size for file in home.rglob('*.*'))


def test_a_connection_that_breaks_leaves_a_placeholder(home, server, monkeypatch, capsys):
    class Broken(Answer):
        def iter_content(self, _size):
            yield self.content[:100]
            raise requests.exceptions.ChunkedEncodingError('broken')

    whole = (server / f'{MNI}_T1w.nii.gz').read_bytes()
    monkeypatch.setattr(requests, 'get', lambda *_, **__: Broken(whole))
    assert main(['fetch-templates']) == 1
    assert 'ChunkedEncodingError' in capsys.readouterr().err
    assert (home / f'{MNI}_T1w.nii.gz').stat().st_size == 0
    monkeypatch.setattr(requests, 'get', lambda *_, **__: Answer(whole[:500]))
    assert main(['fetch-templates']) == 1
    assert 'came incomplete' in capsys.readouterr().err
    assert (home / f'{MNI}_T1w.nii.gz').stat().st_size == 0


def test_what_the_server_refuses_is_told(home, monkeypatch, capsys):
    monkeypatch.setattr(requests, 'get', lambda *_, **__: Answer(b'<Error>', 403))
    assert main(['fetch-templates']) == 1
    assert 'the server answered 403' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        ('--atlases massp', 'did you mean MASSP20?'),
        ('--output-spaces MNI152:2mm', 'neither a folder nor a template'),
        ('--output-spaces Nobody', 'TemplateFlow has no tpl-Nobody_res-01_T1w.nii.gz'),
    ],
)
def test_what_templateflow_does_not_have_is_a_wrong_command(
    home, words, says, asked, capsys, monkeypatch
):
    monkeypatch.setattr(TemplateFlowCache, 'update', lambda *_, **__: False)
    assert main(['fetch-templates', *words.split()]) == 2
    assert says in capsys.readouterr().err
    assert asked == []


def test_an_old_home_learns_the_names_of_newer_files(home, asked, monkeypatch):
    for file in files_of(['MASSP20'], []):
        file.unlink()

    def update(cache, *, local, overwrite, silent):
        assert (local, overwrite, silent) == (True, False, True), 'the network is for files'
        make_placeholders(cache.config.root)

    monkeypatch.setattr(TemplateFlowCache, 'update', update)
    assert main(['fetch-templates']) == 0
    assert len(asked) == 4


def test_a_home_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path / 'file' / 'flow'))
    assert main(['fetch-templates']) == 1
    told = capsys.readouterr().err
    assert 'cannot be written' in told
    assert 'set TEMPLATEFLOW_HOME' in told

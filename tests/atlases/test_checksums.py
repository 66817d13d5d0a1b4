"""Files of TemplateFlow that hold something else than was published or fetched are told."""

from __future__ import annotations

import pytest

from bidsqsm.atlases import checksums
from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.checksums import changed_files, is_as_known, record_fetched
from bidsqsm.atlases.selection import AtlasesAndSpaces
from bidsqsm.atlases.templateflow import files_of, home
from bidsqsm.files.json_files import write_json
from helpers.template_atlases import make_templateflow


@pytest.fixture
def flow(tmp_path, monkeypatch):
    """A home whose files nothing is published of."""
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path / 'flow'))
    monkeypatch.setattr(checksums, 'PUBLISHED_MD5', {})
    return make_templateflow(tmp_path / 'flow')


@pytest.mark.usefixtures('flow')
def test_every_file_that_changed_since_it_was_fetched_is_told():
    files = files_of(['MASSP20', 'SUIT'], ['MNI152NLin2009cAsym:res-2'])
    assert changed_files(files) == []
    record_fetched(files)
    assert changed_files(files) == []
    for file in files:
        content = bytearray(file.read_bytes())
        content[-5] ^= 1
        file.write_bytes(content)
    told = changed_files([*files, *files])
    assert [said.partition(' ')[0] for said in told] == [f'{file}' for file in files]
    assert all('fetch-templates' in said for said in told)


@pytest.mark.usefixtures('flow')
@pytest.mark.parametrize('name', ['_T1w.nii.gz', '_dseg.nii.gz', '_dseg.tsv', '_mask.nii.gz'])
def test_a_call_is_warned_of_its_atlases_and_spaces(name):
    files = files_of(['MASSP20'], ['MNI152NLin2009cAsym:res-2'])
    record_fetched(files)
    anatomy = AtlasesAndSpaces(
        resolve_atlases(['MASSP20']), (resolve_template('MNI152NLin2009cAsym:res-2'),)
    )
    assert not [said for said in anatomy.warnings if 'MD5' in said]
    record = {file.name: '0' for file in files if file.name.endswith(name)}
    write_json(home() / 'bidsqsm_checksums.json', record)
    assert len([said for said in anatomy.warnings if 'MD5' in said]) == len(record) > 0


def test_what_is_published_counts_where_nothing_was_fetched(flow, monkeypatch):
    file = flow / 'tpl-SUIT' / 'tpl-SUIT_T1w.nii.gz'
    assert is_as_known(file)
    monkeypatch.setattr(checksums, 'PUBLISHED_MD5', {file.name: '0' * 32})
    assert not is_as_known(file)
    record_fetched([file])
    assert is_as_known(file)


@pytest.mark.parametrize('content', ['', '[]', '{'])
def test_a_damaged_record_is_as_none(flow, content):
    (flow / 'bidsqsm_checksums.json').write_text(content)
    assert changed_files(files_of(['SUIT'], [])) == []

"""Where a call may write: never into its input, and where it may not, it says so before computing."""

from __future__ import annotations

import os

import pytest

from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.paths import (
    check_paths,
    keep_others_out,
    make_writable,
    mend_parts,
    write_for_no_others,
)
from bidsqsm.errors import DatasetError
from helpers.bids_skeleton import Skeleton


@pytest.fixture
def dataset(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for subject in ('sub-01', 'sub-02'):
        skeleton.megre(subject)
    return skeleton


def test_output_among_the_derivatives_of_the_dataset_is_allowed(dataset):
    out = dataset.root / 'derivatives' / 'bidsqsm'
    check_paths(parse_arguments([str(dataset.root), str(out), 'participant']))


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_read_only_output_is_told_before_computing(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match='cannot be written'):
        make_writable(tmp_path / 'out', 'output')


def test_an_output_that_is_a_file_is_told_before_computing(tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(DatasetError, match=r'the output folder .* cannot be written'):
        make_writable(tmp_path / 'out', 'output')


@pytest.fixture
def work(tmp_path):
    """A work folder with parts, and the mask of rights as it was."""
    before = os.umask(0o022)
    for part in ('bidsqsm_wf', 'numba', 'claims'):
        (tmp_path / 'work' / part).mkdir(parents=True)
    yield tmp_path / 'work'
    os.umask(before)


@pytest.mark.parametrize('mode', [0o700, 0o755, 0o775, 0o2770])
def test_a_work_folder_of_a_user_and_a_group_is_taken(work, mode):
    work.chmod(mode)
    keep_others_out(work)


@pytest.mark.parametrize('part', ['', 'bidsqsm_wf', 'numba'])
@pytest.mark.parametrize('mode', [0o777, 0o757, 0o702])
def test_a_work_folder_that_all_may_write_to_is_refused(work, part, mode):
    (work / part).chmod(mode)
    with pytest.raises(DatasetError, match=rf'all may write to {work / part} \(mode 0{mode:o}\)'):
        keep_others_out(work)


def test_in_a_shared_folder_for_temporary_files_the_parts_must_be_of_the_user(work, monkeypatch):
    work.chmod(0o1777)
    keep_others_out(work)
    monkeypatch.setattr(os, 'geteuid', lambda: 12345)
    with pytest.raises(DatasetError, match='bidsqsm_wf belongs to another user'):
        keep_others_out(work)


@pytest.mark.parametrize('name', ['bidsqsm_wf', 'numba', 'claims', 'records', 'matplotlib'])
def test_a_file_in_the_place_of_a_part_of_the_work_folder_gives_way(tmp_path, name):
    (tmp_path / name).write_text('x')
    (tmp_path / 'own.txt').write_text('x')
    mend_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['own.txt']
    (tmp_path / name).symlink_to('nowhere')
    mend_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['own.txt']


def test_what_is_made_from_then_on_is_not_for_others_to_write(work):
    os.umask(0)
    write_for_no_others()
    (work / 'new').mkdir()
    assert (work / 'new').stat().st_mode & 0o777 == 0o775

"""Where a call may write: never into its input, and where it may not, it says so before computing."""

from __future__ import annotations

import os

import pytest

from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.paths import check_paths, make_writable
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

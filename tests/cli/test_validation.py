"""Errors of the BIDS validator stop a call where they concern what it maps."""

from __future__ import annotations

import json

import pytest

from bidsqsm.cli.validation import Issue, find_validator, refuse, validation_errors
from bidsqsm.errors import DatasetError
from helpers.bids_skeleton import Skeleton


@pytest.fixture
def dataset(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for subject in ('sub-01', 'sub-02'):
        skeleton.megre(subject)
    return skeleton


@pytest.mark.skipif(find_validator() is None, reason='needs bids-validator-deno')
def test_the_validator_finds_a_wrong_name_and_its_subject_can_be_left_out(dataset):
    for path in dataset.root.rglob('*part-phase*.json'):
        path.write_text(json.dumps({**json.loads(path.read_text()), 'Units': 'arbitrary'}))
    (dataset.root / 'sub-02' / 'anat' / 'sub-02_nonsense.nii.gz').write_bytes(b'')
    errors = validation_errors(dataset.root, find_validator())
    assert any('nonsense' in error.location for error in errors)
    assert refuse(errors, ['01'], []) == errors
    with pytest.raises(DatasetError, match='nonsense'):
        refuse(errors, ['01', '02'], [])


def test_a_validator_that_breaks_is_told(dataset, tmp_path):
    broken = tmp_path / 'validator'
    broken.write_text('#!/bin/sh\necho no schema >&2\nexit 3\n')
    broken.chmod(0o755)
    with pytest.raises(DatasetError, match=r'without a result .no schema.*--skip-bids-validation'):
        validation_errors(dataset.root, broken)


def test_errors_of_other_subjects_and_of_skipped_runs_do_not_stop_the_rest():
    errors = [
        Issue('EMPTY_FILE', '/sub-02/anat/sub-02_echo-1_part-mag_MEGRE.nii.gz'),
        Issue('NOT_INCLUDED', '/sub-03/anat/sub-03_nonsense.nii.gz'),
    ]
    assert refuse(errors, ['01', '02'], ['sub-02']) == errors
    with pytest.raises(DatasetError, match=r'1 error: NOT_INCLUDED .*sub-03.*--skip-bids-validat'):
        refuse(errors, ['02', '03'], ['sub-02'])
    with pytest.raises(DatasetError, match='2 errors'):
        refuse([*errors, Issue('MISSING', 'dataset')], ['01', '02'], [])

"""Names that are nearly those of BIDS end in a sentence that says what to rename."""

from __future__ import annotations

import pytest

from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from helpers.bids_skeleton import SCANNER


@pytest.mark.parametrize(
    'phase',
    [
        'sub-01_echo-1_part-pha_MEGRE.nii.gz',
        'sub-01_echo-1_part-ph_MEGRE.nii.gz',
        'sub-01_echo-1_MEGRE_ph.nii.gz',
        'sub-01_echo-1_MEGRE_phase.nii.gz',
        'sub-01_echo-1_acq-phase_GRE.nii.gz',
        'sub-01_echo-1_phase.nii.gz',
        'sub-01_rec-unwrapped_echo-1_T2star.nii',
        '../swi/sub-01_echo-1_part-phase_GRE.nii.gz',
    ],
)
def test_magnitudes_are_not_taken_alone_where_a_phase_lies_beside(skeleton, phase):
    skeleton.megre(parts=('mag',))
    path = skeleton.root / 'sub-01' / 'anat' / phase
    path.parent.mkdir(exist_ok=True)
    path.touch()
    runs = find_runs(skeleton.root)
    assert runs
    reasons = [run.reason for run in runs if isinstance(run, Skipped)]
    assert len(reasons) == len(runs)
    assert any(path.name in reason and 'rename' in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    'name',
    [
        'swi/sub-01_part-phase_GRE.nii.gz',
        'swi/sub-01_swi.nii.gz',
        'anat/sub-01_echo-1_part-mag_GRE.nii.gz',
        'anat/sub-01_part-mag_T2star.nii.gz',
        'anat/sub-01_MEGRE1.nii.gz',
        'anat/sub-01_MEGRE_ph.nii.gz',
        'anat/sub-01_gre.nii',
    ],
)
def test_a_dataset_of_nothing_but_such_names_is_told_what_to_rename(skeleton, name):
    path = skeleton.root / 'sub-01' / name
    path.parent.mkdir(parents=True)
    path.touch()
    (run,) = find_runs(skeleton.root)
    assert isinstance(run, Skipped)
    assert name in run.reason
    assert 'anat/sub-01_echo-1_part-phase_MEGRE.nii.gz' in run.reason


def test_an_unwrapped_phase_without_part_leaves_the_run_beside_it_alone(skeleton):
    skeleton.megre()
    skeleton.megre('sub-01_rec-ROMEO', parts=('',))
    good, none = find_runs(skeleton.root)
    assert isinstance(good, GreRun)
    assert good.has_phase
    assert 'rec-ROMEO_echo-1_MEGRE.nii.gz' in none.reason


def test_other_images_and_asked_magnitudes_are_left_alone(skeleton):
    skeleton.megre('sub-01')
    skeleton.image('sub-02_T1w.nii.gz', sidecar={})
    skeleton.image('sub-02_T2starmap.nii.gz', sidecar={})
    skeleton.megre('sub-03', parts=('mag',))
    first, third = find_runs(skeleton.root)
    assert isinstance(first, GreRun)
    assert isinstance(third, GreRun)
    skeleton.image('sub-03_echo-1_MEGRE_ph.nii.gz', sidecar=SCANNER)
    (asked,) = find_runs(
        skeleton.root, participant_label=['03'], filters={'megre': {'part': 'mag'}}
    )
    assert isinstance(asked, GreRun)

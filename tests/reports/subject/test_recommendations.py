"""An acquisition against the recommendations: every verdict of every item, and none for silence."""

from __future__ import annotations

import pytest

from bidsqsm.facts.field_facts import PhaseFacts
from bidsqsm.facts.inversion_facts import JointFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.qsm.phase.terms import PhaseFilter, ReadoutPhase
from bidsqsm.reports.subject.echo_recommendations import last_echo_window
from bidsqsm.reports.subject.recommendations import advise, count

#: As it should be: everything is recorded and as recommended.
GOOD = {
    'MRAcquisitionType': '3D',
    'MagneticFieldStrength': 2.895,
    'ImagingFrequency': 123.25,
    'EchoTime': [0.005, 0.013, 0.021, 0.029, 0.037],
    'VoxelSize': [1.0, 1.0, 1.0],
    'MatrixSize': [192, 224, 160],
    'B0Direction': [0.0, 0.0, 1.0],
    'TiltAngle': 0.0,
    'NumberOfReceiveChannels': 1,
    'CoilCombinationMethod': 'Adaptive combine',
    'ReadoutPolarity': 'monopolar',
    'FlowCompensation': True,
    'PartialFourier': 1,
}
SEEN = RunFacts(
    phase=PhaseFacts(
        filtered=PhaseFilter(found=False, sentence='Phase is not filtered.'),
        bipolar=ReadoutPhase(removed=False, across_head_rad=(0.0, 0.0, 0.0)),
    )
)
ALWAYS = ('MagneticFieldStrength', 'ImagingFrequency', 'EchoTime', 'VoxelSize')


def verdict(item: str, decisions=SEEN, **changes):
    known = {**GOOD, **changes}
    (row,) = [row for row in advise(known, decisions, known) if row.item == item]
    return row.verdict


def test_an_acquisition_as_recommended_is_met_in_all():
    assert count(advise(GOOD, SEEN, GOOD)) == {'met': 15, 'partly': 0, 'missed': 0, 'unknown': 0}


def test_what_is_not_recorded_is_never_met():
    known = {key: GOOD[key] for key in ALWAYS}
    rows = {row.item: row for row in advise(known, RunFacts(), {})}
    silent = ('Excitation', 'Readout', 'Partial Fourier', 'Flow compensation', 'Phase images')
    assert {rows[item].verdict for item in (*silent, 'Coil combination')} == {'unknown'}
    assert all('not recorded' in rows[item].found for item in silent[:-1])
    assert rows['Field strength'].verdict == 'partly'
    assert 'MHz' not in rows['Field strength'].found
    assert 'Coverage' not in rows
    assert 'Orientation' not in rows


@pytest.mark.parametrize(
    ('item', 'changes', 'expected'),
    [
        ('Excitation', {'MRAcquisitionType': '2D'}, 'missed'),
        ('Echoes', {'EchoTime': [0.01, 0.02]}, 'partly'),
        ('Echoes', {'EchoTime': [0.02]}, 'missed'),
        ('Echo spacing', {'EchoTime': [0.005, 0.013, 0.025]}, 'partly'),
        ('First echo', {'EchoTime': [0.013, 0.021, 0.029]}, 'partly'),
        ('Last echo', {'EchoTime': [0.005, 0.013, 0.021]}, 'partly'),
        ('Last echo', {'EchoTime': [0.004, 0.008, 0.012]}, 'missed'),
        ('Last echo', {'EchoTime': [0.04, 0.08, 0.12]}, 'missed'),
        ('Last echo', {'MagneticFieldStrength': 7.0}, 'partly'),
        ('Last echo', {'MagneticFieldStrength': 7.0, 'EchoTime': [0.005, 0.014, 0.023]}, 'met'),
        ('Last echo', {'MagneticFieldStrength': 0.06}, 'unknown'),
        ('Readout', {'ReadoutPolarity': 'bipolar'}, 'missed'),
        ('Readout', {'ReadoutPolarity': None}, 'unknown'),
        ('Voxel size', {'VoxelSize': [0.8, 0.8, 2.0]}, 'partly'),
        ('Voxel size', {'VoxelSize': [2.0, 2.0, 2.0]}, 'missed'),
        ('Voxel size', {'AcquisitionVoxelSize': [2.0, 2.0, 2.0]}, 'missed'),
        ('Voxel size', {'AcquisitionVoxelSize': 'n/a'}, 'met'),
        ('Shape of the voxels', {'VoxelSize': [1.0, 1.0, 1.6]}, 'partly'),
        ('Shape of the voxels', {'VoxelSize': [0.8, 0.8, 2.0]}, 'missed'),
        ('Coverage', {'MatrixSize': [192, 224, 80]}, 'partly'),
        ('Coverage', {'MatrixSize': [192, 224, 40]}, 'missed'),
        ('Coverage', {'MatrixSize': [160, 224, 40], 'B0Direction': [-0.98, 0, 0.2]}, 'met'),
        ('Orientation', {'TiltAngle': 20.0}, 'partly'),
        ('Partial Fourier', {'PartialFourier': 0.875}, 'partly'),
        ('Partial Fourier', {'PartialFourier': 0.6}, 'missed'),
        ('Partial Fourier', {'PartialFourier': [1, 0.8]}, 'unknown'),
        ('Partial Fourier', {'PartialFourier': None, 'ScanOptions': 'PFP\\FC'}, 'partly'),
        ('Flow compensation', {'FlowCompensation': False}, 'partly'),
        ('Flow compensation', {'FlowCompensation': None, 'ScanOptions': ['PFP', 'FC']}, 'met'),
        ('Coil combination', {'CoilCombinationMethod': 'rSOS'}, 'partly'),
        ('Coil combination', {'CoilCombinationMethod': None}, 'unknown'),
        ('Coil combination', {'NumberOfReceiveChannels': 32}, 'met'),
    ],
)
def test_what_departs_is_told(item, changes, expected):
    assert verdict(item) == 'met'
    assert verdict(item, **changes) == expected


@pytest.mark.parametrize(
    ('stated', 'removed', 'expected'),
    [
        ('monopolar', True, 'partly'),  # the data are believed
        ('bipolar', True, 'partly'),
        (None, True, 'partly'),
    ],
)
def test_a_readout_that_the_data_show_to_be_bipolar_is_not_met(stated, removed, expected):
    found = ReadoutPhase(removed=removed, across_head_rad=(1.0, 0, 0))
    seen = RunFacts(phase=PhaseFacts(bipolar=found))
    assert verdict('Readout', seen, ReadoutPolarity=stated) == expected


@pytest.mark.parametrize(
    ('filtered', 'expected'),
    [
        (PhaseFilter(found=True, sentence='Phase looks high-pass filtered.'), 'missed'),
        (
            PhaseFilter(found=False, sentence='Whether phase was filtered cannot be told.'),
            'unknown',
        ),
    ],
)
def test_filtered_phase_is_told_as_far_as_it_can_be(filtered, expected):
    seen = RunFacts(phase=PhaseFacts(filtered=filtered))
    assert verdict('Phase images', seen) == expected


def test_a_single_echo_has_neither_spacing_nor_readout_polarity():
    known = {**GOOD, 'EchoTime': [0.02]}
    items = {row.item for row in advise(known, SEEN, known)}
    assert not items & {'Echo spacing', 'First echo', 'Readout'}


def test_heads_that_are_turned_on_purpose_are_not_blamed():
    known = {**GOOD, 'TiltAngle': 30.0}
    rows = advise(known, RunFacts(SEEN, joint=JointFacts(orientations=('a', 'b', 'c'))), known)
    assert 'Orientation' not in [row.item for row in rows]


def test_the_last_echo_comes_earlier_in_a_stronger_field():
    assert last_echo_window(3.0) == pytest.approx((30, 45))
    assert last_echo_window(7.0) == pytest.approx((20, 25))
    assert last_echo_window(1.5)[0] > 35
    assert last_echo_window(9.4)[1] < 20.5

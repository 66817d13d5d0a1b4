"""Where R2 of a run comes from: spin echoes of its session, or a map that others made."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun
from helpers.bids_skeleton import SHAPE, Skeleton

TIMES = (0.010, 0.020, 0.030)


@pytest.fixture
def given(tmp_path) -> Skeleton:
    """An empty derivative dataset."""
    return Skeleton(tmp_path / 'deriv')


def spin_echoes(skeleton, who='sub-01', times=TIMES):
    for echo, te in enumerate(times, start=1):
        skeleton.image(f'{who}_echo-{echo}_MESE.nii.gz', sidecar={'EchoTime': te})


def first(dataset, *derivatives):
    named = {f'd{n}': d.root for n, d in enumerate(derivatives)}
    return find_runs(dataset.root, derivatives=named)[0]


def test_spin_echoes_of_the_session_are_taken_in_their_order(skeleton):
    skeleton.megre('sub-01_ses-a')
    spin_echoes(skeleton, 'sub-01_ses-a')
    spin_echoes(skeleton, 'sub-01_ses-b')
    spin_echoes(skeleton, 'sub-02_ses-a')
    found = first(skeleton).r2_source
    assert found.kind == 'MESE'
    assert found.echo_times == TIMES
    names = [f'sub-01_ses-a_echo-{n}_MESE.nii.gz' for n in (1, 2, 3)]
    assert [path.name for path in found.files] == names


def test_spin_echoes_of_two_other_sessions_are_no_ones(skeleton):
    skeleton.megre('sub-01_ses-a')
    spin_echoes(skeleton, 'sub-01_ses-b')
    assert first(skeleton).r2_source is not None  # the subject's only ones
    spin_echoes(skeleton, 'sub-01_ses-c')
    assert first(skeleton).r2_source is None


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (lambda s: s.find('sub-01_echo-3_MESE.nii.gz').unlink(), 'expected 3 or more, one file'),
        (lambda s: s.change('sub-01_echo-2_MESE.nii.gz', EchoTime=20), 'looks like milliseconds'),
        (lambda s: s.change('sub-01_echo-2_MESE.nii.gz', EchoTime=None), 'EchoTime is absent'),
        (lambda s: s.image('sub-01_echo-2_MESE.nii.gz', shape=(*SHAPE, 2)), 'split the file'),
        (lambda s: s.image('sub-01_echo-2_MESE.nii.gz', shape=(9, 9, 10)), 'expected one grid'),
    ],
)
def test_bad_spin_echoes_are_told_and_the_run_goes_on(one_run, spoil, said):
    spin_echoes(one_run)
    spoil(one_run)
    run = first(one_run)
    assert isinstance(run, GreRun)
    assert run.r2_source is None
    (warning,) = [text for text in run.warnings if 'Spin echoes not used' in text]
    assert said in warning


@pytest.mark.parametrize(
    ('there', 'units', 'kind', 'scale'),
    [
        (['sub-01_T2map'], 's', 'T2map', 1),
        (['sub-01_T2map'], 'ms', 'T2map', 1e-3),
        (['sub-01_T2map', 'sub-01_R2map'], None, 'R2map', 1),
        (['sub-01_acq-mese_R2map'], 'Hz', 'R2map', 1),
        (['sub-01_R2map'], '1/ms', 'R2map', 1000),
        (['sub-01_desc-prime_R2map'], '1/s', 'MESE', 1),
        (['sub-01_space-MNI_T2map'], 's', 'MESE', 1),
        (['sub-02_T2map'], 's', 'MESE', 1),
    ],
)
def test_a_given_map_goes_before_spin_echoes(one_run, given, there, units, kind, scale):
    spin_echoes(one_run)
    for name in there:
        given.image(f'{name}.nii.gz', sidecar={'Units': units} if units else None)
    found = first(one_run, given).r2_source
    assert (found.kind, found.scale) == (kind, pytest.approx(scale))


def test_a_map_with_the_entities_of_the_run_goes_first(one_run, given):
    given.image('sub-01_acq-other_R2map.nii.gz')
    given.image('sub-01_T2map.nii.gz')
    assert first(one_run, given).r2_source.files[0].name == 'sub-01_T2map.nii.gz'


def test_an_unknown_unit_is_told(one_run, given):
    given.image('sub-01_T2map.nii.gz', sidecar={'Units': 'fortnights'})
    run = first(one_run, given)
    assert run.r2_source is None
    (said,) = [text for text in run.warnings if text.startswith('R2 not used')]
    assert "sub-01_T2map.nii.gz has Units 'fortnights', expected one of s, ms" in said


def test_where_r2_comes_from_survives_a_round_trip(one_run):
    spin_echoes(one_run)
    run = first(one_run)
    assert GreRun.from_json(run.to_json()) == run
    assert np.isclose(run.r2_source.echo_times, TIMES).all()

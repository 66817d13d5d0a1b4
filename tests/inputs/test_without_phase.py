"""Magnitudes without phase: several echoes are a run, told as such, and one is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bidsqsm.config import settled_methods
from bidsqsm.derivatives.product_groups import skip_without_products
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, R2Source, Skipped
from bidsqsm.inputs.run_table import run_table
from helpers.bids_skeleton import ECHO_TIMES, SCANNER, SHAPE


@pytest.mark.parametrize('part', ['mag', ''])
@pytest.mark.parametrize('suffix', ['MEGRE', 'T2starw'])
def test_several_echoes_are_a_run_and_it_is_told_before_compute(skeleton, part, suffix):
    skeleton.megre(suffix=suffix, parts=(part,))
    (run,) = find_runs(skeleton.root)
    assert isinstance(run, GreRun)
    assert not run.has_phase
    assert run.files == run.magnitude
    assert (run.echo_times, run.phase, run.real) == (ECHO_TIMES, (), ())
    (said,) = run.warnings
    assert said.startswith(run.magnitude[0].name + ' has no phase, expected part-phase')
    assert 'R2* is not corrected' in said
    table = run_table([run])
    assert 'process (magnitude alone)' in table
    assert said in table
    assert GreRun.from_json(run.to_json()) == run


def test_echoes_along_the_fourth_axis_count(skeleton):
    sidecar = {**SCANNER, 'EchoTime': list(ECHO_TIMES)}
    skeleton.image('sub-01_MEGRE.nii.gz', shape=(*SHAPE, 3), sidecar=sidecar)
    skeleton.image('sub-02_MEGRE.nii.gz', shape=(*SHAPE, 1), sidecar={**SCANNER, 'EchoTime': 0.02})
    several, one = find_runs(skeleton.root)
    assert (several.n_echoes, several.has_phase) == (3, False)
    assert isinstance(one, Skipped)
    assert 'sub-02_MEGRE.nii.gz has no phase, expected part-phase' in one.reason


def test_half_a_phase_is_an_error_and_not_taken_for_none(skeleton):
    skeleton.megre('sub-01')
    skeleton.find('sub-01_echo-2_part-phase_MEGRE.nii.gz').unlink()
    skeleton.megre('sub-02', parts=('mag', 'real'))
    skeleton.megre('sub-03', parts=('mag',))
    skeleton.find('sub-03_echo-2_part-mag_MEGRE.nii.gz').unlink()
    phase, imaginary, gap = find_runs(skeleton.root)
    assert 'sub-01_echo-2_part-phase_MEGRE.nii.gz is missing' in phase.reason
    assert 'part-real only, expected part-imag' in imaginary.reason
    assert gap.n_echoes == 2
    assert 'echoes 1, 3 found, the others are missing' in gap.warnings[0]
    aside = {'megre': {'part': 'mag'}}
    (asked,) = find_runs(skeleton.root, participant_label=['01'], filters=aside)
    assert (asked.n_echoes, asked.has_phase) == (3, False)


def test_a_structural_image_is_no_run(skeleton):
    skeleton.megre(suffix='T1w', parts=('mag',))
    skeleton.megre(suffix='MEGRE', parts=('mag',))
    (run,) = find_runs(skeleton.root)
    assert run.suffix == 'MEGRE'


def test_of_two_runs_of_one_name_the_one_with_phase_is_taken(skeleton):
    skeleton.megre(suffix='MEGRE', parts=('mag',))
    skeleton.megre(suffix='T2starw')
    lost, taken = find_runs(skeleton.root)
    assert isinstance(lost, Skipped)
    assert (type(taken), taken.suffix) == (GreRun, 'T2starw')


@pytest.fixture
def run(skeleton):
    skeleton.megre(parts=('mag',))
    (run,) = find_runs(skeleton.root)
    return run


def kept(run, *wanted):
    (one,) = skip_without_products([run], settled_methods(), wanted)
    return one


def test_a_run_is_skipped_where_none_of_the_wanted_products_can_be_made(run):
    lost = kept(run, 'qsm', 'swi')
    assert isinstance(lost, Skipped)
    assert lost.name == run.name
    assert (
        'can have none of the products that were asked for: qsm, swi (sub-01 has no' in lost.reason
    )
    assert 'choose others with --products' in lost.reason
    both = kept(run, 'qsm', 'r2prime').reason
    assert 'qsm (sub-01 has no phase); r2prime (sub-01 has no R2, expected an R2map' in both
    assert kept(run, 'qsm', 'r2star') is run
    assert kept(lost, 'qsm') is lost


def test_a_run_with_phase_is_skipped_by_the_same_rule(skeleton):
    skeleton.megre('sub-01', echo_times=(0.02,))
    (single,) = find_runs(skeleton.root)
    assert kept(single, 'qsm', 'r2star') is single
    assert 'r2star (sub-01 has one echo, which shows no decay)' in kept(single, 'r2star').reason


def test_r2prime_needs_no_phase(run):
    spin = R2Source('R2map', (run.magnitude[0],))
    given = replace(run, r2_source=spin)
    assert kept(given, 'r2prime') is given

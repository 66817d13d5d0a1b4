"""Of 200 runs on two scanners, the six bad ones come first, each with its reason in words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bidsqsm.cohort.columns import columns_of
from bidsqsm.cohort.flags import judge, shown
from bidsqsm.cohort.run_files import FAILED, CohortRun
from bidsqsm.qsm.quality.metric_table import METRICS, metric_of
from helpers.participant_outputs import INGENIA, PRISMA

NUCLEI = {
    'caudate': 0.045,
    'putamen': 0.055,
    'pallidum': 0.12,
    'thalamus': 0.005,
    'red_nucleus': 0.09,
}
#: By how many spreads six runs are off, each in its own way
BAD = {
    20: {'field_noise': 8, 'snr': -8},
    51: {'echo_shift': 10, 'sharpness': -5},
    92: {'streaking': 9},
    113: {'mask_volume': -9, 'mask_missed': 9},
    154: {'nuclei': -2.0},
    185: {'background_leakage': 10, 'edge_excess': 6},
}


def usual(metric, random, off, factor):
    """A value that a metric may have, ``off`` spreads from what is usual on a scanner."""
    z = random.normal() + off
    if metric.low != 0:
        return float(np.clip(0.6 + 0.03 * z, metric.low, metric.high))
    if metric.better == 'lower' and metric.alarm < math.inf:
        return float(0.1 * metric.alarm * np.exp(0.2 * z))
    if math.isinf(metric.high):
        return float(10 * factor * np.exp(0.1 * z))
    middle = -3.0 if metric.better == 'lower' else 3.5
    return float(metric.high / (1 + np.exp(-(middle + factor + 0.2 * z))))


def made(place, random, off):
    scanner, factor, shift = (PRISMA, 1.0, 0.0) if place % 2 else (INGENIA, 1.8, 0.02)
    metrics = {}
    for name, metric in METRICS.items():
        keys = [f'{name}_echo{n}' for n in (1, 2, 3)] if metric.per_echo else [name]
        metrics |= {key: usual(metric, random, off.get(name, 0), factor) for key in keys}
    rows = []
    for structure, chi in NUCLEI.items():
        for side, called in (('L', 'left_'), ('R', 'right_'), ('B', '')):
            value = (chi + shift) * (1 + off.get('nuclei', 0)) + random.normal(0, 0.006)
            rows.append(
                {
                    'atlas': 'Made',
                    'refined': 'no',
                    'name': f'{called}{structure}',
                    'hemisphere': side,
                    'structure': structure,
                    'chi': f'{value}',
                    'r2star': f'{random.normal(25, 2)}',
                }
            )
    name = f'sub-{place:03d}'
    return CohortRun(
        name, {'sub': f'{place:03d}'}, acquisition=scanner, metrics=metrics, regions=tuple(rows)
    )


@pytest.fixture
def runs():
    random = np.random.default_rng(6)
    return [made(place, random, BAD.get(place, {})) for place in range(200)]


def test_the_six_bad_runs_of_200_are_the_first_and_few_others_are_flagged(runs):
    judged = judge(runs)
    order = judged.order()
    assert {*order[:6]} == {*BAD}
    assert len(order) < 6 + 25
    assert (
        max(judged.score(run) for run in order[6:]) < min(judged.score(run) for run in BAD) / 1.4
    )


def test_without_regard_to_the_scanner_they_would_not_be(runs):
    for run in runs:
        run.acquisition = PRISMA
    assert not {*BAD} <= {*judge(runs).order()[:6]}


def test_the_reason_is_told_in_words(runs):
    flags = judge(runs).flags
    first = flags[92][0].text
    assert first.startswith('Streaking: ')
    assert 'robust SD above the 100 runs of the same protocol (median ' in first
    noise = next(flag.text for flag in flags[20] if flag.text.startswith('Signal to noise'))
    assert 'SD below the 100 runs' in noise
    assert noise.endswith('; likewise in 2 other echoes')
    nucleus = next(flag.text for flag in flags[154] if 'pallidum' in flag.text)
    assert ' ppb, ' in nucleus
    assert nucleus.endswith('; likewise on 2 other sides')


def test_echoes_of_a_metric_and_sides_of_a_nucleus_are_one_flag(runs):
    families = [flag.family for flag in judge(runs).flags[154]]
    assert len(families) == len({*families})
    assert sum(family.startswith('chi ') for family in families) == 5 - (
        'chi Made thalamus' not in families
    )


def test_runs_that_failed_are_not_judged_and_have_no_say(runs):
    for run in runs[:60]:
        run.status, run.metrics = FAILED, {'field_noise': 1e6}
    judged = judge(runs)
    assert not any(judged.flags[place] for place in range(60))
    assert {*judged.order()[:5]} == {place for place in BAD if place >= 60} | {judged.order()[4]}


def test_values_that_all_others_have_are_missed(runs):
    runs[7].regions = ()
    (flag,) = [flag for flag in judge(runs).flags[7] if 'Lacks' in flag.text]
    assert flag.text.startswith(
        'Lacks values that nearly all runs like it have: Susceptibility of '
    )
    assert flag.text.endswith(' and 27 more')
    assert 7 in judge(runs).order()[:12]


def test_a_value_that_is_amiss_in_any_run_is_flagged_whatever_the_others_are(runs):
    for run in runs[:3]:
        run.metrics = {**run.metrics, 'chi_r2star_correlation': -0.4}
    judged = judge(runs)
    for place in range(3):
        assert any('wrong sign' in flag.text for flag in judged.flags[place])
    assert not judged.notes


def test_what_is_amiss_in_most_runs_is_told_once(runs):
    for run in runs:
        run.metrics = {**run.metrics, 'registration_overlap': 0.7}
    judged = judge(runs)
    (note,) = judged.notes
    assert 'differ in 200 of 200 runs: overlap with the template beyond 0.85' in note
    assert len(judged.order()) < 40


def test_of_a_few_runs_each_is_flagged_even_if_all_are_amiss(runs):
    few = runs[:2]
    for run in few:
        run.metrics = {**run.metrics, 'chi_r2star_correlation': -0.4}
    judged = judge(few)
    assert judged.order() == [0, 1]
    assert 'susceptibility against R2* \N{MINUS SIGN}0.4' in judged.flags[0][0].text
    assert not judged.notes


def test_a_run_that_was_acquired_unlike_all_others_is_told(runs):
    runs[3].acquisition = {**PRISMA, 'EchoTime': [0.004, 0.012]}
    (flag,) = [flag for flag in judge(runs).flags[3] if flag.family == 'protocol']
    assert flag.text.startswith(
        'Acquired unlike the others: MEGRE, 3 T, 1 \u00d7 1 \u00d7 1 mm, 2 echoes to 12 ms'
    )
    for place, run in enumerate(runs):
        run.acquisition = {**PRISMA, 'ManufacturersModelName': f'{place}'}
    assert not any(flag.family == 'protocol' for own in judge(runs).flags for flag in own)


@pytest.mark.parametrize('number', [0, 1, 2, 5])
def test_few_runs_are_no_trouble(runs, number):
    judged = judge(runs[:number])
    assert len(judged.flags) == number
    assert judged.order() == []


def test_columns_stand_in_the_order_of_the_processing(runs):
    for run in runs:
        run.metrics = dict(reversed(run.metrics.items()))
    columns = columns_of(runs)
    keys = [column.key for column in columns if column.metric]
    assert keys[:3] == ['snr_echo1', 'snr_echo2', 'snr_echo3']
    names = [*dict.fromkeys(metric_of(key).name for key in keys)]
    assert names == [name for name in METRICS if name in names]
    regions = [column for column in columns if not column.metric]
    assert regions[0].title == 'Susceptibility of caudate, both sides'
    assert regions[0].unit == 'ppb'
    assert regions[0].published == (20, 80)
    assert regions[0].values[1] == pytest.approx(1000 * float(runs[1].regions[2]['chi']))


@pytest.mark.parametrize(
    ('value', 'text'), [(0.0, '0'), (12345.6, '12346'), (-0.01234, '\u22120.0123')]
)
def test_numbers_are_shown_with_three_digits(value, text):
    assert shown(value) == text

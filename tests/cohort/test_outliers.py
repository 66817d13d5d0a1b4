"""Outliers are told by median and spread of like runs, whatever the outliers do to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.cohort.outliers import Measure, PeerGroups, compare
from bidsqsm.cohort.protocols import Protocol, protocol_of
from bidsqsm.cohort.robust import OUTLIER_Z, limit, spread

ONE = Protocol('MEGRE', 3.0, (1.0, 1.0, 1.0), 5, 20, 'A')
TWO = replace(ONE, scanner='B')
PLAIN = Measure('plain')


def judged(values, measure=PLAIN, protocols=None, counted=None):
    values = np.asarray(values, float)
    everyone = np.ones(values.size, bool)
    return compare(
        values,
        measure,
        PeerGroups.of(protocols or [ONE] * values.size),
        everyone if counted is None else counted,
    )


@pytest.fixture
def normal():
    return np.random.default_rng(3).normal(50, 4, 120)


def test_the_spread_of_normal_values_is_their_standard_deviation_and_outliers_do_not_move_it():
    values = np.random.default_rng(0).normal(0, 2, 20_000)
    assert spread(values) == pytest.approx(2, rel=0.03)
    values[:4000] = 1000
    assert spread(values) == pytest.approx(2, rel=0.4)


def test_the_limit_is_that_of_the_literature_for_many_values_and_wider_for_few():
    assert limit(1e9) == pytest.approx(OUTLIER_Z, rel=1e-4)
    assert limit(3) > limit(10) > limit(100) > OUTLIER_Z
    assert limit(0) == np.inf


def test_z_is_the_distance_from_the_median_in_robust_standard_deviations(normal):
    normal[7] = 90
    result = judged(normal)
    median = np.median(normal)
    mad = np.median(np.abs(normal - median))
    assert result.z[7] == pytest.approx((90 - median) / (1.4826 * mad))
    assert result.centre[7] == pytest.approx(median)
    assert (result.n == 120).all()
    assert result.alike.all()
    assert np.flatnonzero(result.outliers('')).tolist() == [7]


def test_units_do_not_matter(normal):
    normal[3] = 5
    assert judged(1e-3 * normal + 7).z == pytest.approx(judged(normal).z, rel=1e-6)


@pytest.mark.parametrize(('better', 'found'), [('higher', [0]), ('lower', [1]), ('', [0, 1])])
def test_only_the_worse_side_is_flagged(normal, better, found):
    normal[:2] = 10, 90
    assert np.flatnonzero(judged(normal).outliers(better)).tolist() == found


def test_normal_values_are_flagged_as_seldom_for_few_runs_as_for_many():
    random = np.random.default_rng(1)
    for n in (8, 20, 200):
        flagged = [judged(random.normal(size=n)).outliers('').mean() for _ in range(4_000 // n)]
        assert np.mean(flagged) < 0.003


def test_runs_of_two_scanners_are_judged_among_their_own(normal):
    values = np.concatenate([normal, 3 * normal])
    protocols = [ONE] * 120 + [TWO] * 120
    values[200] = 50  # usual for the one scanner, impossible for the other
    result = judged(values, protocols=protocols)
    assert np.flatnonzero(result.outliers('')).tolist() == [200]
    assert result.z[200] < -5
    assert not judged(values).outliers('')[200]


def test_a_small_group_borrows_the_spread_of_a_large_one(normal):
    few = np.array([100.0, 104, 97, 101, 160])
    result = judged(np.concatenate([normal, few]), protocols=[ONE] * 120 + [TWO] * 5)
    assert np.flatnonzero(result.outliers('')).tolist() == [124]
    assert result.alike[124]
    assert not judged(few).outliers('')[4], 'five values alone tell no spread'


def test_a_lone_run_is_compared_with_those_of_its_field_strength(normal):
    seven = replace(ONE, field_strength=7.0)
    values = np.concatenate([normal, 10 * normal, [50.0]])
    protocols = [ONE] * 120 + [seven] * 120 + [TWO]
    result = judged(values, protocols=protocols)
    assert not result.alike[-1]
    assert result.n[-1] == 121
    assert abs(result.z[-1]) < 1


def test_runs_that_do_not_count_are_judged_and_have_no_say(normal):
    counted = np.ones(120, bool)
    counted[:50] = False
    values = normal.copy()
    values[:50] = 1000
    result = judged(values, counted=counted)
    assert result.outliers('')[:50].all()
    assert result.n[0] == 70


def test_missing_values_are_neither_judged_nor_counted(normal):
    normal[:20] = np.nan
    result = judged(normal)
    assert np.isnan(result.z[:20]).all()
    assert not result.outliers('')[:20].any()
    assert result.n[50] == 100


@pytest.mark.parametrize('rest', [0.0, 0.3])
def test_ties_neither_hide_what_differs_nor_flag_what_does_not(rest):
    values = np.full(60, rest)
    assert not judged(values).outliers('').any()
    values[5] = 4
    result = judged(values)
    assert np.flatnonzero(result.outliers('')).tolist() == [5]
    assert np.isfinite(result.z).all()


def test_digits_of_the_computer_are_no_difference():
    values = np.full(50, 0.1)
    values[::2] += 1e-17
    values[3] += 1e-12
    assert not judged(values).outliers('').any()


def test_what_grows_by_factors_is_compared_by_factors():
    values = np.exp(np.random.default_rng(2).normal(2, 0.8, 300))
    measure = Measure('noise', 'lower', 'log')
    assert judged(values, measure).outliers('').sum() <= 1
    assert judged(values).outliers('').sum() > 10, 'as if the values were symmetric'
    values[0] = 0
    assert np.isfinite(judged(values, measure).z).all()


def test_shares_are_compared_away_from_their_ends():
    random = np.random.default_rng(4)
    shares = 100 / (1 + np.exp(-random.normal(-3.5, 0.4, 300)))
    shares[0] = 60
    measure = Measure('share', 'lower', 'logit', whole=100.0)
    assert np.flatnonzero(judged(shares, measure).outliers('lower')).tolist() == [0]
    shares[1], shares[2] = 0, 100
    assert np.flatnonzero(judged(shares, measure).outliers('lower')).tolist() == [0, 2]


def test_a_difference_that_does_not_matter_is_none(normal):
    values = 100 + 0.01 * (normal - 50)
    values[0] += 1
    assert judged(values).outliers('')[0]
    assert not judged(values, Measure('chi', least=2.0)).outliers('').any()


def test_runs_are_alike_by_what_makes_numbers_comparable():
    found = {
        'Suffix': 'MEGRE',
        'MagneticFieldStrength': 2.893,
        'VoxelSize': [0.98, 1.02, 1.0],
        'EchoTime': [0.0041, 0.0203],
        'Manufacturer': 'Siemens',
        'ManufacturersModelName': 'Siemens  Prisma',
        'TiltAngle': 12.0,
    }
    same = {**found, 'MagneticFieldStrength': 3.0, 'EchoTime': [0.004, 0.02], 'TiltAngle': 0.0}
    assert protocol_of(found) == protocol_of(same)
    assert (
        f'{protocol_of(found)}'
        == 'MEGRE, 3 T, 1 \u00d7 1 \u00d7 1 mm, 2 echoes to 20 ms, Siemens Prisma'
    )
    for key, value in (
        ('Suffix', 'T2starw'),
        ('MagneticFieldStrength', 7.0),
        ('VoxelSize', [1.0, 1.0, 2.0]),
        ('EchoTime', [0.004, 0.03]),
        ('EchoTime', [0.004, 0.012, 0.02]),
        ('Manufacturer', 'GE'),
    ):
        assert protocol_of({**same, key: value}) != protocol_of(same)


@pytest.mark.parametrize(
    'odd', [{}, {'EchoTime': 'x', 'VoxelSize': None, 'Suffix': 3}, {'MagneticFieldStrength': True}]
)
def test_what_is_not_recorded_or_nonsense_makes_a_protocol_of_its_own(odd):
    assert f'{protocol_of(odd)}' == 'acquisition not recorded'
    assert protocol_of({'EchoTime': 0.02}).last_echo == 20
    assert protocol_of({'MagneticFieldStrength': 0.064}).field_strength == 0.06

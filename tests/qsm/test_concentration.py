"""Concentrations from susceptibilities of known ones, and lines through known points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.concentration.brain_iron import chi_of_iron
from bidsqsm.qsm.concentration.gadolinium import PPM_PER_GADOLINIUM, gadolinium
from bidsqsm.qsm.concentration.iron import iron
from bidsqsm.qsm.concentration.vial_line import core_of, line_through

SHAPE = (5, 4, 3)
MASK = np.ones(SHAPE, bool)


def test_iron_of_the_pallidum_comes_back_from_its_susceptibility():
    """Hallgren and Sourander at 60 years: 21.41 (1 - exp(-5.4)) + 0.37 mg in 100 g."""
    chi = np.full(SHAPE, chi_of_iron('pallidum', 60), np.float32)
    expected = 10 * (21.41 * (1 - math.exp(-0.09 * 60)) + 0.37)
    np.testing.assert_allclose(iron(chi, MASK), expected, rtol=1e-6)


def test_the_molar_susceptibility_of_gadolinium_is_that_of_seven_electrons():
    vacuum, avogadro, magneton, boltzmann = 4e-7 * math.pi, 6.022e23, 9.274e-24, 1.3806e-23
    moment = avogadro * (2 * magneton) ** 2 * 3.5 * 4.5  # one mmol/L is one mol/m^3
    curie = 1e6 * vacuum * moment / (3 * boltzmann * 310.15)
    assert pytest.approx(curie, rel=2e-3) == PPM_PER_GADOLINIUM


@pytest.mark.parametrize('method', STEPS['concentration'].methods, ids=lambda m: m.name)
def test_the_users_own_line_is_undone(method):
    truth = np.random.default_rng(0).normal(40, 30, SHAPE).astype(np.float32)
    assert (truth < 0).any()
    chi = (0.02 * truth - 0.05).astype(np.float32)
    found = method.function(chi, MASK, coefficient=0.02, baseline=-0.05)
    np.testing.assert_allclose(found, truth, atol=1e-4)


@pytest.mark.parametrize('method', STEPS['concentration'].methods, ids=lambda m: m.name)
def test_what_was_not_measured_has_no_concentration(method):
    chi = np.full(SHAPE, 0.2, np.float32)
    chi[0], chi[1] = np.nan, np.inf
    mask = MASK.copy()
    mask[2] = False
    found = method.function(chi, mask, baseline=0.1)
    assert not found[:3].any()
    assert (found[3:] > 0).all()
    with pytest.raises(ValueError, match=r'the mask has shape \(4, 4, 3\), but chi has'):
        gadolinium(chi, mask[1:])


def test_a_line_without_noise_is_found_as_it_is():
    x = np.array([0, 0.5, 1, 2, 5])
    line = line_through(x, 0.32 * x - 0.01)
    assert (line.slope, line.intercept) == (pytest.approx(0.32), pytest.approx(-0.01))
    assert line.r2 == pytest.approx(1)
    assert line.rmse == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(line.at([0, 10]), [-0.01, 3.19])


def test_the_line_is_the_one_of_the_textbook():
    """Anscombe's first quartet: y = 3.0 + 0.5 x, R2 0.67, s 1.237; t(9) = 2.262."""
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    line = line_through(x, y)
    assert (line.slope, line.intercept) == (
        pytest.approx(0.5001, abs=1e-4),
        pytest.approx(3.0001, abs=1e-4),
    )
    assert (line.r2, line.n) == (pytest.approx(0.6665, abs=1e-4), 11)
    assert line.rmse == pytest.approx(1.2366, abs=1e-4)
    wide = 2.2622 * 0.1179
    assert line.slope_interval == pytest.approx((0.5001 - wide, 0.5001 + wide), abs=1e-4)
    wide = 2.2622 * 1.1247
    assert line.intercept_interval == pytest.approx((3.0001 - wide, 3.0001 + wide), abs=1e-3)


def test_the_interval_holds_the_true_slope_in_95_of_100_experiments():
    random, x = np.random.default_rng(3), np.arange(6.0)
    lines = [line_through(x, 0.3 * x + random.normal(0, 0.05, 6)) for _ in range(600)]
    held = np.mean([low <= 0.3 <= high for low, high in (line.slope_interval for line in lines)])
    assert held == pytest.approx(0.95, abs=0.025)


def test_too_few_points_or_one_concentration_make_no_line():
    with pytest.raises(ValueError, match='found 2 concentrations and 2 values'):
        line_through([0, 1], [0, 1])
    with pytest.raises(ValueError, match='all concentrations are 2'):
        line_through([2, 2, 2], [0, 1, 2])


def test_the_rim_is_measured_in_mm_along_each_axis():
    labels = np.zeros((12, 12, 12), np.int32)
    labels[2:10, 2:10, 2:10] = 3
    labels[5, 5, 11] = 4
    core = core_of(labels, 3, (1.0, 2.0, 4.0), 2.5)
    expected = np.zeros(labels.shape, bool)
    expected[4:8, 3:9, 2:10] = True  # two, one and no voxels of the wall
    np.testing.assert_array_equal(core, expected)
    np.testing.assert_array_equal(core_of(labels, 3, (1.0, 2.0, 4.0), 0), labels == 3)
    assert not core_of(labels, 3, (1.0, 1.0, 1.0), 6).any()
    assert not core_of(labels, 9, (1.0, 1.0, 1.0), 1).any()


def test_the_border_of_the_image_is_no_wall():
    labels = np.ones((6, 6, 6), np.int32)
    labels[3:] = 0
    core = core_of(labels, 1, (1.0, 1.0, 1.0), 1)
    np.testing.assert_array_equal(core, np.arange(6)[:, None, None] < 2 + 0 * labels)
    assert core_of(np.ones((4, 4, 4), int), 1, (1, 1, 1), 2).all()

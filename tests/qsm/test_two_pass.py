"""Two passes: holes where the phase is unreliable, and one map of two."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.masking.morphology import fill_holes
from bidsqsm.qsm.two_pass import combine, holed_mask
from helpers.analytic_fields import make_scene

SIZE = (2.0, 2.0, 2.0)


@pytest.fixture
def ball():
    i, j, k = np.ogrid[-14:15, -14:15, -14:15]
    return i**2 + j**2 + k**2 <= 13**2


def maps(ball, poor):
    quality = np.where(ball, 0.8, 0).astype(np.float32)
    residual = np.full(ball.shape, 0.02, np.float32)
    quality[poor] = 0.05
    return quality, residual


def test_an_unreliable_shell_and_what_it_encloses_become_a_hole(ball):
    """The core of a bleed may look reliable, but nothing ties its field to that of the rest."""
    i, j, k = np.ogrid[-14:15, -14:15, -14:15]
    far = np.sqrt((i - 3.0) ** 2 + j**2 + k**2)
    quality, residual = maps(ball, (far > 1.5) & (far < 4))
    holed = holed_mask(ball, quality, residual, SIZE)
    assert not holed[17, 14, 14]
    assert not holed[far < 4].any()
    np.testing.assert_array_equal(fill_holes(holed), ball)
    assert (ball & ~holed).sum() < 5 * (far < 4).sum()


def test_echoes_that_disagree_make_a_hole_and_lone_voxels_do_not(ball):
    quality, residual = maps(ball, np.zeros_like(ball))
    residual[18:20, 14:16, 14:16] = 0.9
    quality[8, 14, 14] = quality[9, 15, 14] = 0.01
    holed = holed_mask(ball, quality, residual, SIZE)
    assert not holed[18, 14, 14]
    assert holed[8, 14, 14]
    whole = holed_mask(ball, quality, residual, SIZE, quality_limit=0.3, residual_limit=0.95)
    np.testing.assert_array_equal(whole, ball)


def test_the_filled_map_goes_into_the_holes_alone_at_the_level_around_them(ball):
    rng = np.random.default_rng(0)
    first = np.where(ball, rng.normal(0, 0.01, ball.shape), 0).astype(np.float32)
    holed = ball.copy()
    holed[12:15, 12:15, 12:15] = False
    second = np.where(ball, first + 0.2, 0).astype(np.float32)
    second[13, 13, 13] += 0.9
    second[ball & ~holed] += 0.05
    one, shift = combine(second, np.where(holed, first, 0).astype(np.float32), ball, holed)
    assert shift == pytest.approx(-0.2, abs=1e-5)
    np.testing.assert_array_equal(one[holed], first[holed])
    assert one[13, 13, 13] == pytest.approx(first[13, 13, 13] + 0.95, abs=1e-5)
    assert not one[~ball].any()
    assert one.dtype == np.float32


def test_without_a_hole_the_map_is_that_of_one_pass(ball):
    chi = np.where(ball, 0.1, 0).astype(np.float32)
    one, shift = combine(chi, chi, ball, ball)
    np.testing.assert_array_equal(one, chi)
    assert shift == 0


def test_a_field_that_is_wrong_in_a_hole_spoils_the_map_of_one_pass_only():
    """A phase error of a lesion spreads from the filled mask, and not from the holed one."""
    scene = make_scene(shape=(34, 36, 30))
    bad = np.zeros_like(scene.mask)
    bad[16:19, 17:20, 14:17] = True
    field = np.where(bad, -0.8, scene.local * scene.mask).astype(np.float32)
    around = scene.mask & ~bad
    tkd = STEPS['dipole']['tkd'].function
    filled = tkd(field, scene.mask, scene.grid)
    holed = tkd(field, around, scene.grid)
    one, _ = combine(filled, holed, scene.mask, around)
    errors = [(chi - scene.chi)[around].std() for chi in (filled, one)]
    assert errors[1] < 0.6 * errors[0]

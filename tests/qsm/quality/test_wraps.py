"""Wraps that unwrapping left are found where they are, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.quality.wraps import residual_wraps

SHAPE = (12, 10, 8)


def smooth() -> np.ndarray:
    """Phase in rad that rises by up to 2.5 rad from voxel to voxel, over many turns."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing='ij')
    return (2.5 * x - 1.5 * y + 0.7 * z).astype(np.float32)


def test_smooth_phase_has_none_however_many_turns_it_makes():
    assert np.ptp(smooth()) > 4 * np.pi
    assert not residual_wraps(smooth(), np.ones(SHAPE, bool)).any()


@pytest.mark.parametrize('axis', [0, 1, 2])
@pytest.mark.parametrize('turn', [-2 * np.pi, 2 * np.pi])
def test_both_sides_of_a_missed_turn_are_marked(axis, turn):
    phase = 0.1 * smooth()
    np.moveaxis(phase, axis, 0)[5:] += turn
    expected = np.zeros(SHAPE, bool)
    np.moveaxis(expected, axis, 0)[4:6] = True
    np.testing.assert_array_equal(residual_wraps(phase, np.ones(SHAPE, bool)), expected)


def test_a_lone_voxel_is_marked_with_its_six_neighbours():
    phase = np.zeros(SHAPE, np.float32)
    phase[4, 4, 4] = 2 * np.pi
    assert residual_wraps(phase, np.ones(SHAPE, bool)).sum() == 7


def test_steps_across_the_edge_of_the_mask_do_not_count():
    phase, mask = 0.1 * smooth(), np.ones(SHAPE, bool)
    phase[6:] += 2 * np.pi
    mask[6] = False
    assert not residual_wraps(phase, mask).any()


def test_a_steep_field_and_what_is_not_finite_are_no_wraps():
    phase = np.zeros(SHAPE)
    phase[6:] = 1.5 * np.pi
    phase[2] = np.nan
    assert not residual_wraps(phase, np.ones(SHAPE, bool)).any()


def test_the_phase_is_left_as_it_was():
    phase = smooth()
    before = phase.copy()
    residual_wraps(phase, np.ones(SHAPE, bool))
    np.testing.assert_array_equal(phase, before)

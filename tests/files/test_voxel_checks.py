"""Voxels that are not finite, and volumes that hold nothing."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.files.voxel_checks import check_volumes

SHAPE = (2, 16, 16, 16)
CENTRE = (1, 8, 8, 8)
CORNER = (1, 1, 1, 1)


@pytest.fixture
def head():
    """Phase and magnitude of a ball in noise, two echoes."""
    rng = np.random.default_rng(0)
    i, j, k = np.ogrid[-8:8, -8:8, -8:8]
    ball = i**2 + j**2 + k**2 < 36
    phase = rng.uniform(-3, 3, SHAPE).astype(np.float32)
    magnitude = (1000 * ball + rng.uniform(0, 5, SHAPE)).astype(np.float32)
    return phase, magnitude


def test_good_volumes_stay_as_they_are(head):
    phase, magnitude = head
    before = phase.copy(), magnitude.copy()
    assert check_volumes(phase, magnitude) == []
    np.testing.assert_array_equal(phase, before[0])
    np.testing.assert_array_equal(magnitude, before[1])


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('which', [0, 1])
def test_a_hole_in_the_head_is_an_error(head, value, which):
    head[which][CENTRE] = value
    said = r'(p|m) of echo 2 is NaN or infinite in 1 voxel within the object.*\(8, 8, 8\)'
    with pytest.raises(DatasetError, match=said.replace('(p|m)', 'pm'[which])):
        check_volumes(*head, phase_name='p', magnitude_name='m')


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('which', [0, 1])
def test_a_hole_in_the_air_is_filled_with_a_warning(head, value, which):
    head[which][CORNER] = value
    assert check_volumes(*head) == [
        '1 voxels outside the object were NaN or infinite and are now 0.'
    ]
    assert head[0][CORNER] == head[1][CORNER] == 0


def test_an_undefined_phase_where_there_is_no_signal_is_filled(head):
    phase, magnitude = head
    phase[CENTRE], magnitude[CENTRE] = np.nan, 0
    assert len(check_volumes(phase, magnitude)) == 1
    assert phase[CENTRE] == 0


def test_a_phase_that_was_cut_out_of_a_whole_head_is_filled_around_it(head):
    phase, magnitude = head
    i, j, k = np.ogrid[-8:8, -8:8, -8:8]
    phase[:, i**2 + j**2 + k**2 > 16] = np.nan
    inner = phase[CENTRE]
    assert check_volumes(phase, magnitude)
    assert np.isfinite(phase).all()
    assert phase[CENTRE] == inner


def test_a_constant_phase_is_named_with_its_echo(head):
    head[0][1] = 2048
    with pytest.raises(DatasetError, match=r'p of echo 2 is constant \(2048\), expected'):
        check_volumes(*head, phase_name='p')


@pytest.mark.parametrize('which', [0, 1])
def test_volumes_of_nothing_but_nan_are_named(head, which):
    head[which][0] = np.nan
    said = f'{"pm"[which]} of echo 1 has no finite value'
    with pytest.raises(DatasetError, match=said):
        check_volumes(*head, phase_name='p', magnitude_name='m')


def test_a_constant_phase_is_seen_beside_undefined_air(head):
    phase, magnitude = head
    phase[:], magnitude[magnitude < 10] = 2, 0
    phase[magnitude == 0] = np.nan
    with pytest.raises(DatasetError, match=r'phase of echo 1 is constant \(2\)'):
        check_volumes(phase, magnitude)


def test_the_file_of_the_echo_is_named_where_each_has_its_own(head):
    head[0][1] = 2048
    with pytest.raises(DatasetError, match=r'^two\.nii is constant'):
        check_volumes(*head, phase_name=['one.nii', 'two.nii'])


def test_a_magnitude_without_signal_is_named(head):
    head[1][0] = 0
    with pytest.raises(DatasetError, match=r'm of echo 1 has no voxel above 0'):
        check_volumes(*head, magnitude_name='m')


@pytest.mark.parametrize('share', [0.0003, 0.1, 0.4])
def test_a_magnitude_that_dips_below_zero_is_clipped_with_a_count(head, share):
    """As resampling, an offset or a filter of noise that is centred on zero leaves it: in air."""
    phase, magnitude = head
    air = np.argwhere(magnitude < 10)
    below = air[:: round(1 / share)] if share < 0.4 else air[::2]
    magnitude[tuple(below.T)] *= -1
    whole = magnitude.copy()
    (said,) = check_volumes(phase, magnitude)
    assert f'below zero in {len(below)} voxels' in said
    np.testing.assert_array_equal(magnitude, np.maximum(whole, 0))


@pytest.mark.parametrize('offset', [0.0, -3.0])
def test_an_unwrapped_phase_is_no_magnitude(head, offset):
    phase, _ = head
    with pytest.raises(DatasetError, match=r'm of echo 1 is below zero in \d+% of its voxels'):
        check_volumes(phase, 3 * phase + offset, magnitude_name='m')

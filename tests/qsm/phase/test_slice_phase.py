"""Patterns that all echoes share, of slices and of channels that cancel: found, removed, or told."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.phase.prepare import prepare
from bidsqsm.qsm.phase.slice_phase import find_slice_phase

GRID = Grid((40, 44, 36), (2.0, 2.0, 2.0))
TIMES = (0.004, 0.010, 0.016)
RATE = 2 * np.pi * 40.0  # rad/s of a field of one


@pytest.fixture(scope='module')
def head():
    """Phase and magnitude of a ball with a smooth receive phase, and the ball."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing='ij')
    ball = x**2 + y**2 + z**2 < 0.8
    field = x**2 - y * z + 0.2 * np.sin(7 * y) * np.cos(9 * x)
    receive = 1.5 * x - 1.2 * z + y**2
    random = np.random.default_rng(2)
    noise = 0.02 * random.standard_normal((3, *GRID.shape))
    phase = np.stack([RATE * field * t for t in TIMES]) + receive + noise
    magnitude = np.where(ball, 100.0, random.uniform(0, 3, (3, *GRID.shape)))
    return phase.astype(np.float32), magnitude.astype(np.float32), ball


def phases(kind, axis):
    """Phase of each slice along an axis, in a shape that broadcasts."""
    n = GRID.shape[axis]
    values = {
        'odd': 0.8 * (np.arange(n) % 2),
        'random': np.random.default_rng(4).uniform(-np.pi, np.pi, n),
        'multiband': np.repeat([0.0, 1.1, -0.7, 2.0], n // 4 + 1)[:n],
        'three shots': np.array([0.0, 0.4, -0.3])[np.arange(n) % 3],
    }[kind]
    return np.moveaxis(np.broadcast_to(values[:, None, None], (n, 1, 1)), 0, axis)


def prepared(phase, magnitude, count=3):
    wrapped = np.angle(np.exp(1j * phase[:count])).astype(np.float32)
    return prepare(wrapped, magnitude[:count], None, TIMES[:count], GRID)


@pytest.mark.parametrize('axis', [0, 1, 2])
@pytest.mark.parametrize('kind', ['odd', 'random', 'multiband', 'three shots'])
def test_what_remains_is_that_of_the_same_head_in_3d(head, kind, axis):
    phase, magnitude, ball = head
    plain = prepared(phase, magnitude)
    found = prepared(phase + phases(kind, axis), magnitude)
    off = np.angle(np.exp(1j * (found.phase - plain.phase)))[:, ball]
    assert np.sqrt(np.mean(np.angle(np.exp(1j * (off - np.median(off)))) ** 2)) < 0.03
    assert found.offset.slice_axis == axis
    assert any(f'Slices along {"xyz"[axis]} have phases' in said for said in found.warnings)


def test_a_smooth_receive_phase_is_not_taken_for_slices(head):
    phase, magnitude, _ = head
    found = prepared(phase, magnitude)
    assert found.offset.slice_axis is None
    assert found.offset.fringe_ends is None
    assert found.warnings == []


@pytest.mark.parametrize('distance', [0.4, 0.5, 5.0])
def test_fringes_that_end_in_the_head_are_followed_to_their_ends(head, distance):
    """Two lines about which the phase turns, opposite ways, or one (the other lies outside)."""
    phase, magnitude, ball = head
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing='ij')
    left, right = (x - 0.13) + 1j * (y - 0.1), (x - 0.13 - distance) + 1j * (y - 0.1)
    fringe = left * np.conj(right)
    hole = np.minimum(np.abs(left), 0.1) / 0.1 * np.minimum(np.abs(right), 0.1) / 0.1
    plain = prepared(phase, magnitude)
    found = prepared(phase + np.angle(fringe), np.where(ball, magnitude * hole, magnitude))
    (said,) = found.warnings
    assert 'open-ended fringes' in said
    seen = ball & (hole > 0.5)
    off = np.angle(np.exp(1j * (found.phase - plain.phase)))[:, seen]
    off = np.angle(np.exp(1j * (off - np.median(off))))
    assert np.percentile(np.abs(off), 99) < 0.3
    assert 0 < found.offset.fringe_ends < 0.6


def test_noise_is_not_taken_for_slices():
    random = np.random.default_rng(0)
    phase = random.uniform(-3, 3, (8, 8, 40)).astype(np.float32)
    assert find_slice_phase(phase, np.ones_like(phase)) is None


def test_one_echo_tells_of_slices_and_leaves_them(head):
    phase, magnitude, _ = head
    found = prepared(phase + phases('odd', 2), magnitude, count=1)
    (said,) = found.warnings
    assert 'one echo does not tell from the field' in said
    assert not found.offset.removed
    assert prepared(phase, magnitude, count=1).warnings == []


def test_values_are_those_that_were_planted():
    random = np.random.default_rng(1)
    planted = random.uniform(-1, 1, 30).astype(np.float32)
    phase = (0.3 * random.standard_normal((20, 20, 30)) + planted).astype(np.float32)
    found = find_slice_phase(phase, np.ones_like(phase))
    assert found.axis == 2
    assert found.values - found.values.mean() == pytest.approx(planted - planted.mean(), abs=0.15)

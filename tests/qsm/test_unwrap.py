"""Unwrapping gives back the phase that was wrapped."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.unwrap.grow import grow
from bidsqsm.qsm.unwrap.laplacian import laplacian
from bidsqsm.qsm.unwrap.romeo import romeo

SHAPE = (41, 46, 37)
ECHO_TIMES = (0.004, 0.009, 0.014)


@pytest.fixture(scope='module')
def train():
    """Three echoes of a field with many wraps (rad/s), in a ball."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing='ij')
    rate = 2400 * np.exp(-3 * ((x - 0.2) ** 2 + y**2 + (z + 0.6) ** 2)) - 300 + 60 * np.sin(9 * y)
    mask = x**2 + y**2 + z**2 < 0.9
    phase = np.array([rate * t for t in ECHO_TIMES], np.float32)
    magnitude = np.array([np.exp(-t * 30) * (1 + 0.3 * x) for t in ECHO_TIMES], np.float32)
    return phase, magnitude, mask


def wrap(phase):
    return np.angle(np.exp(1j * phase)).astype(np.float32)


def test_path_following_is_exact(train):
    phase, magnitude, mask = train
    assert np.abs(phase[0][mask]).max() > 2 * np.pi
    found, quality = romeo(wrap(phase), magnitude, mask, ECHO_TIMES)
    np.testing.assert_allclose(found[:, mask], phase[:, mask], atol=1e-3)
    assert not found[:, ~mask].any()
    assert quality[mask].max() <= 1
    assert not quality[~mask].any()


def test_noise_does_not_make_new_turns(train):
    phase, magnitude, mask = train
    rng = np.random.default_rng(3)
    noisy = phase + rng.normal(0, 0.25, phase.shape).astype(np.float32)
    found = romeo(wrap(noisy), magnitude, mask, ECHO_TIMES).phase
    assert np.mean(np.abs(found - noisy)[:, mask] > 1) < 1e-3


def test_every_component_is_unwrapped_and_placed(train):
    """Two halves without a bridge come out on one level, since the echoes tell."""
    phase, magnitude, mask = train
    cut = mask.copy()
    cut[20:22] = False
    found = romeo(wrap(phase), magnitude, cut, ECHO_TIMES).phase
    np.testing.assert_allclose(found[:, cut], phase[:, cut], atol=1e-3)


@pytest.mark.parametrize('template', [1, 2, 3])
def test_any_template_echo_gives_the_same_train(train, template):
    phase, magnitude, mask = train
    gentle = phase / 3
    found = romeo(wrap(gentle), magnitude, mask, ECHO_TIMES, template=template).phase
    np.testing.assert_allclose(found[:, mask], gentle[:, mask], atol=1e-3)


def test_single_echo_is_exact_up_to_whole_turns(train):
    phase, magnitude, mask = train
    found = romeo(wrap(phase[:1]), magnitude[:1], mask, ECHO_TIMES[:1]).phase
    turns = (found[0] - phase[0])[mask] / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns[0]), atol=1e-3)


def test_phase_of_exactly_zero_or_pi_is_phase(train):
    phase, magnitude, mask = train
    flat = np.full_like(phase, np.pi)
    flat[:, 20] = 0
    found = romeo(flat, magnitude, mask, ECHO_TIMES).phase
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.abs(wrap(found - flat))[:, mask], 0, atol=1e-5)


def test_threads_do_not_change_a_bit(train):
    phase, magnitude, mask = train
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(romeo(wrap(phase), magnitude, mask, ECHO_TIMES).phase)
    np.testing.assert_array_equal(*results)


def test_growth_takes_the_reliable_way_round():
    """A turn across a bad edge is not believed when a good way round exists."""
    phase = np.zeros((2, 2, 1), np.float32)
    phase[1, 1, 0] = 6.2
    edges = np.zeros((3, 2, 2, 1), np.uint8)
    edges[0] = edges[1] = 200
    component = np.zeros((2, 2, 1), np.int32)
    assert grow(phase.reshape(-1), edges.reshape(3, -1), np.arange(4), component) == 1
    np.testing.assert_allclose(phase[1, 1, 0], 6.2 - 2 * np.pi, atol=1e-5)


def test_laplacian_follows_a_smooth_field(train):
    _, magnitude, mask = train
    x, y, z = np.meshgrid(
        *[np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in SHAPE], indexing='ij'
    )
    smooth = np.array([9 * x * z + 4 * y], np.float32)
    found = laplacian(wrap(smooth), magnitude[:1], np.ones_like(mask), ECHO_TIMES[:1]).phase
    turns = np.rint(np.median(found - smooth) / (2 * np.pi))
    np.testing.assert_allclose(found - 2 * np.pi * turns, smooth, atol=0.05)


def test_equally_spaced_echoes_leave_the_field_near_zero(train):
    """Where every multiple fits alike, weak voxels with many turns do not pull the rest away."""
    phase, magnitude, mask = train
    times = (0.004, 0.008, 0.012)
    rng = np.random.default_rng(7)
    even = np.array([phase[0] * t / times[0] for t in times], np.float32)
    weak = mask & (np.indices(SHAPE)[1] > 26)
    even[:, weak] += 30 * np.arange(1, 4)[:, None]
    even += rng.normal(0, 0.05, even.shape).astype(np.float32)
    faint = np.where(weak, magnitude * 0.3, magnitude)
    found = romeo(wrap(even), faint, mask, times).phase
    strong = mask & ~weak
    assert abs(np.median(found[0][strong])) <= np.pi
    turns = (found - even)[:, strong] / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=0.01)

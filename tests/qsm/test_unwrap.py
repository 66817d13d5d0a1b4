"""Unwrapping gives back the phase that was wrapped."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.unwrap.bends import bends
from bidsqsm.qsm.unwrap.best_path import best_path
from bidsqsm.qsm.unwrap.grow import grow
from bidsqsm.qsm.unwrap.laplacian import laplacian
from bidsqsm.qsm.unwrap.romeo import romeo
from bidsqsm.qsm.unwrap.temporal import temporal

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


@pytest.mark.parametrize('method', [romeo, best_path])
def test_path_following_is_exact(train, method):
    phase, magnitude, mask = train
    assert np.abs(phase[0][mask]).max() > 2 * np.pi
    found, quality = method(wrap(phase), magnitude, mask, ECHO_TIMES)
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


@pytest.mark.parametrize('method', [romeo, best_path])
def test_every_component_is_unwrapped_and_placed(train, method):
    """Two halves without a bridge come out on one level, since the echoes tell."""
    phase, magnitude, mask = train
    cut = mask.copy()
    cut[20:22] = False
    found = method(wrap(phase), magnitude, cut, ECHO_TIMES).phase
    np.testing.assert_allclose(found[:, cut], phase[:, cut], atol=1e-3)


@pytest.mark.parametrize('template', [1, 2, 3])
def test_any_template_echo_gives_the_same_train(train, template):
    phase, magnitude, mask = train
    gentle = phase / 3
    found = romeo(wrap(gentle), magnitude, mask, ECHO_TIMES, template=template).phase
    np.testing.assert_allclose(found[:, mask], gentle[:, mask], atol=1e-3)


@pytest.mark.parametrize('method', [romeo, best_path])
def test_single_echo_is_exact_up_to_whole_turns(train, method):
    phase, magnitude, mask = train
    found = method(wrap(phase[:1]), magnitude[:1], mask, ECHO_TIMES[:1]).phase
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
    phase = np.array([[[0], [0]], [[2.1], [4.2 - 2 * np.pi]]], np.float32)
    edges = np.zeros((3, 2, 2, 1), np.uint8)
    edges[0, 0] = edges[1, :, 0] = 200
    edges[0, 0, 1] = 1
    component = np.zeros((2, 2, 1), np.int32)
    everywhere = np.ones((2, 2, 1), bool)
    assert grow(phase.reshape(-1), edges.reshape(3, -1), everywhere, component) == 1
    np.testing.assert_allclose(phase.ravel(), [0, 0, 2.1, 4.2], atol=1e-5)
    np.testing.assert_array_equal(component, 1)


def test_regions_apart_are_numbered_and_placed_near_zero():
    phase = np.array([3, -3.2, 0, 3, 3, -3], np.float32)
    mask = np.array([[[True, True, False, True, True, True]]])
    edges = np.zeros((3, 6), np.uint8)
    edges[2, [0, 3, 4]] = 9
    component = np.zeros((1, 1, 6), np.int32)
    assert grow(phase, edges, mask, component) == 2
    np.testing.assert_array_equal(component.ravel(), [1, 1, 0, 2, 2, 2])
    turn = 2 * np.pi
    expected = [3, turn - 3.2, 0, 3, 3, turn - 3]
    np.testing.assert_allclose(phase, expected, atol=1e-5)


@pytest.mark.parametrize('transform', ['dct', 'fft'])
def test_laplacian_follows_a_smooth_field(train, transform):
    """With no slope at the edge for the cosine transform, periodic for the Fourier transform."""
    _, magnitude, mask = train
    full = 1 if transform == 'dct' else 2
    x, y, z = np.meshgrid(
        *[np.cos(full * np.pi * (np.arange(n) + 0.5) / n) for n in SHAPE], indexing='ij'
    )
    smooth = np.array([9 * x * z + 4 * y], np.float32)
    found = laplacian(
        wrap(smooth), magnitude[:1], np.ones_like(mask), ECHO_TIMES[:1], transform=transform
    ).phase
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


def test_bends_are_second_differences_along_thirteen_lines():
    x, y, z = (n.astype(np.float32) for n in np.indices((5, 5, 5)))
    mask = np.ones((5, 5, 5), bool)
    bend = np.empty((5, 5, 5), np.float32)
    bends(wrap(1.3 * x - 0.8 * y + 0.9 * z), mask, bend)
    np.testing.assert_allclose(bend[1:-1, 1:-1, 1:-1], 0, atol=1e-5)
    bends(wrap(0.1 * x**2), mask, bend)  # 0.2 along each of the nine lines that move along x
    np.testing.assert_allclose(bend[1:-1, 1:-1, 1:-1], 0.2 * 3, atol=1e-4)
    assert (bend[0] > 3).all()


def test_best_path_goes_round_a_phase_that_jumps():
    """A sheet across which the true phase jumps by most of a turn, with a bridge beside it."""
    x, y, _ = np.indices((24, 24, 6)) / 23
    truth = 9 * y + np.where(x > 0.5, 4.5, 0) * np.clip(2 - 2.5 * y, 0, 1)
    found = best_path(
        wrap(truth)[None], np.ones((1, 24, 24, 6), np.float32), np.ones((24, 24, 6), bool), [0.01]
    ).phase[0]
    turns = (found - truth) / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns[0, 0, 0]), atol=1e-3)


@pytest.mark.parametrize(
    ('times', 'start', 'limit'),
    [
        ((0.004, 0.009, 0.014), 'auto', 1 / 0.004),
        ((0.008, 0.011, 0.017), 'auto', 1 / 0.003),
        ((0.008, 0.011, 0.017), 'first', 1 / 0.008),
        ((0.004, 0.009, 0.014), 'difference', 1 / 0.005),
    ],
)
def test_temporal_is_exact_up_to_half_a_turn_of_its_start(train, times, start, limit):
    phase, magnitude, mask = train
    rate = phase[0] / ECHO_TIMES[0]
    rate = rate * (0.97 * np.pi * limit / np.abs(rate[mask]).max())
    truth = np.array([rate * t for t in times], np.float32)
    found = temporal(wrap(truth), magnitude, mask, times, start=start).phase
    np.testing.assert_allclose(found[:, mask], truth[:, mask], atol=2e-3)
    assert not found[:, ~mask].any()
    beyond = temporal(wrap(1.2 * truth), magnitude, mask, times, start=start).phase
    assert np.abs(beyond - 1.2 * truth)[:, mask].max() > 3


def test_temporal_needs_no_neighbours(train):
    """Voxels in any other order come out the same, and one echo comes back as it is."""
    phase, magnitude, mask = train
    gentle = wrap(phase / 8)
    found = temporal(gentle, magnitude, mask, ECHO_TIMES).phase
    turned = temporal(gentle[:, ::-1], magnitude[:, ::-1], mask[::-1], ECHO_TIMES).phase
    np.testing.assert_array_equal(found, turned[:, ::-1])
    alone = temporal(gentle[:1], magnitude[:1], mask, ECHO_TIMES[:1]).phase
    np.testing.assert_array_equal(alone[:, mask], gentle[:1, mask])

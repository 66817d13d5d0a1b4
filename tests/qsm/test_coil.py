"""Channels are combined into a phase that only the field made."""

from __future__ import annotations

import functools
import itertools
import weakref

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from bidsqsm.qsm.coil.mcpc3ds import mcpc3ds
from bidsqsm.qsm.coil.mcpc_c import mcpc_c
from bidsqsm.qsm.coil.reference_coil import reference_coil
from bidsqsm.qsm.coil.short_te import short_te
from bidsqsm.qsm.coil.virtual_coil import virtual_coil
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phase.chopper import alternating_signs
from bidsqsm.qsm.phase.offset import remove_offset
from bidsqsm.qsm.units import ppm_to_rad
from helpers.phase_scans import scan

CHANNELS = 4
SIZE = 4.0  # mm
COARSE = 6.0  # mm: where it need not look like a head
METHODS = (mcpc3ds, mcpc_c, reference_coil, short_te, virtual_coil)
ONE_ECHO = (mcpc_c, reference_coil, virtual_coil)


@functools.cache
def sensitivity(channel, shape):
    """Complex, smooth and of several turns around the head."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing='ij', sparse=True)
    angle = 2 * np.pi * channel / CHANNELS
    away = (x - 1.2 * np.cos(angle)) ** 2 + (y - 1.3 * np.sin(angle)) ** 2
    away = away + (z - 0.4 * (-1) ** channel) ** 2
    phase = 1.7 * channel + 2 * np.sqrt(away + 0.1)
    return (np.exp(1j * phase) / (0.5 + away)).astype(np.complex64)


def channels(head, noise=0.0):
    """Loader of the head's channels, and the list of what was loaded."""
    loaded = []

    def load(channel):
        loaded.append(channel)
        signal = head.complex * sensitivity(channel, head.grid.shape)
        if noise:
            random = np.random.default_rng(channel).standard_normal((2, *head.phase.shape))
            signal = signal + noise * (random[0] + 1j * random[1])
        return signal.astype(np.complex64)

    return load, loaded


def error(phase, head):
    """Phase less that of the field, of each echo, in rad, one constant for all echoes removed."""
    times = np.array(head.echo_times).reshape(-1, 1, 1, 1)
    off = np.exp(1j * (phase - ppm_to_rad(head.field, head.frequency, times)))[:, head.mask]
    return np.angle(off * np.conj(off[0].mean()))


@pytest.mark.parametrize('chopped', [False, True])
def test_the_combined_phase_is_that_of_the_field(chopped):
    head = scan((0.004, 0.008, 0.012), size=SIZE)
    signs = alternating_signs(head.grid.shape, (2,) if chopped else ())
    load, loaded = channels(head.with_signal(head.complex * signs))
    phase, magnitude = mcpc3ds(load, CHANNELS, head.echo_times, head.grid)
    off = np.abs(error(phase, head))
    assert np.median(off) < 0.01
    assert np.percentile(off, 99.5) < 0.2
    assert loaded == [*range(CHANNELS), *range(CHANNELS)]
    power = sum(np.abs(sensitivity(c, head.grid.shape)) ** 2 for c in range(CHANNELS))
    assert np.allclose(magnitude, head.magnitude * np.sqrt(power), rtol=1e-4)


def open_ends(phase):
    """Turns that the steps of phase add up to around each small square of the first two axes."""
    a = np.exp(1j * phase)
    corners = (a[:-1, :-1], a[1:, :-1], a[1:, 1:], a[:-1, 1:], a[:-1, :-1])
    steps = (np.angle(b * a.conj()) for a, b in itertools.pairwise(corners))
    return np.rint(sum(steps) / (2 * np.pi))


def test_unequal_echoes_and_noise_are_combined_without_open_ends():
    head = scan((0.005, 0.011, 0.02), size=SIZE)
    load, _ = channels(head, noise=0.02)
    phase, _ = mcpc3ds(load, CHANNELS, head.echo_times, head.grid)
    new = open_ends(phase[0]) != open_ends(head.phase[0])
    assert np.mean(new[binary_erosion(head.mask, iterations=2)[1:, 1:]]) < 2e-3
    assert np.median(np.abs(error(phase, head))) < 0.05


def test_alternating_readout_leaves_odd_echoes_alike():
    times = (0.004, 0.008, 0.012)
    plain = scan(times, size=SIZE)
    line = np.arange(plain.grid.shape[1]).reshape(1, -1, 1) * SIZE
    head = scan(times, parity=np.broadcast_to(0.01 * line, plain.grid.shape), size=SIZE)
    load, _ = channels(head)
    for bipolar, limit in (('auto', 0.02), ('yes', 0.02)):
        phase, _ = mcpc3ds(load, CHANNELS, times, head.grid, bipolar=bipolar)
        assert np.median(np.abs(error(phase, head)[::2])) < limit
    wrong, _ = mcpc3ds(load, CHANNELS, times, head.grid, bipolar='no')
    assert np.median(np.abs(error(wrong, head)[::2])) > 0.1


def test_dead_channels_and_holes_are_left_out():
    head = scan((0.004, 0.008), size=SIZE)
    load, _ = channels(head)

    def broken(channel):
        signal = load(channel)
        if channel == 3:
            signal[:] = 0
        signal[:, 0, 0, 0] = np.nan
        return signal

    phase, magnitude = mcpc3ds(broken, CHANNELS, head.echo_times, head.grid)
    assert np.isfinite(phase).all()
    assert np.isfinite(magnitude).all()
    assert np.median(np.abs(error(phase, head))) < 0.02


def grown(phase, head):
    """What the phase grew from the first echo on, less what the field made it grow, in rad."""
    times = np.array(head.echo_times[1:]).reshape(-1, 1, 1, 1) - head.echo_times[0]
    off = phase[1:] - phase[0] - ppm_to_rad(head.field, head.frequency, times)
    return np.angle(np.exp(1j * off))[:, head.mask]


@pytest.mark.parametrize('chopped', [False, True])
@pytest.mark.parametrize('method', METHODS)
def test_phase_grows_between_echoes_as_the_field_makes_it(method, chopped):
    head = scan((0.004, 0.008, 0.012), size=SIZE)
    signs = alternating_signs(head.grid.shape, (2,) if chopped else ())
    load, _ = channels(head.with_signal(head.complex * signs))
    phase, magnitude = method(load, CHANNELS, head.echo_times, head.grid)
    assert phase.dtype == magnitude.dtype == np.float32
    assert np.abs(grown(phase, head)).max() < 1e-3
    power = sum(np.abs(sensitivity(c, head.grid.shape)) ** 2 for c in range(CHANNELS))
    assert np.allclose(magnitude, head.magnitude * np.sqrt(power), rtol=1e-4)
    prepared, *_ = remove_offset(phase, magnitude, head.mask, head.echo_times, head.grid)
    off = np.abs(error(prepared, head))
    assert np.median(off) < 0.01
    assert np.percentile(off, 99) < 0.2


@pytest.mark.parametrize('method', [mcpc3ds, reference_coil, short_te, virtual_coil])
def test_channels_that_oppose_each_other_leave_no_open_ends(method):
    head = scan((0.003, 0.007), size=SIZE)
    load = opposing(head)
    phase, _ = method(load, CHANNELS, head.echo_times, head.grid)
    new = open_ends(phase[0]) != open_ends(head.phase[0])
    deep = binary_erosion(head.mask, iterations=2)[1:, 1:]
    assert np.mean(new[deep]) < 2e-4
    constant, _ = mcpc_c(load, CHANNELS, head.echo_times, head.grid)
    assert np.abs(np.angle(np.exp(1j * (constant - phase)))[:, head.mask]).max() > 0.3


def opposing(head):
    """Loader of channels whose phases drift apart by a turn and more over the head."""
    line = np.linspace(-1, 1, head.grid.shape[0]).reshape(-1, 1, 1)

    def load(channel):
        drift = np.exp(1j * (channel - 1.5) * line)
        signal = head.complex * sensitivity(channel, head.grid.shape) * drift
        return signal.astype(np.complex64)

    return load


@pytest.mark.parametrize('method', ONE_ECHO)
def test_one_echo_keeps_its_field_and_one_receive_phase(method):
    """Without noise the residue is smooth: as flat as receive phase from voxel to voxel."""
    head = scan((0.012,), size=SIZE)
    load, _ = channels(head)
    phase, magnitude = method(load, CHANNELS, head.echo_times, head.grid)
    assert phase.shape == magnitude.shape == (1, *head.grid.shape)
    rest = np.exp(1j * (phase[0] - ppm_to_rad(head.field, head.frequency, 0.012)))
    for axis in range(3):
        both = np.delete(head.mask, 0, axis) & np.delete(head.mask, -1, axis)
        step = np.delete(rest, 0, axis) * np.delete(rest, -1, axis).conj()
        assert np.abs(np.angle(step[both])).max() < 0.3


def test_the_receive_phase_that_stays_is_that_of_the_reference():
    head = scan((0.006,), offset=0.0, size=SIZE)
    load, _ = channels(head)
    for channel in (1, 3):
        phase, _ = reference_coil(load, CHANNELS, (0.006,), head.grid, channel=channel)
        truth = head.phase[0] + np.angle(sensitivity(channel - 1, head.grid.shape))
        off = np.angle(np.exp(1j * (phase[0] - truth)))[head.mask]
        assert np.percentile(np.abs(off), 99) < 0.1


def test_a_channel_that_sees_the_whole_head_is_the_reference():
    head = scan((0.006,), offset=0.0, size=SIZE)
    load, _ = channels(head)

    def with_body_coil(channel):
        return load(channel) if channel < 2 else (1.5 * head.complex).astype(np.complex64)

    phase, _ = reference_coil(with_body_coil, 3, (0.006,), head.grid)
    off = np.angle(np.exp(1j * (phase - head.phase)))[:, head.mask]
    assert np.percentile(np.abs(off), 99) < 0.05


def test_constant_phases_are_matched_exactly():
    head = scan((0.004, 0.008), size=COARSE)

    def load(channel):
        strength = np.abs(sensitivity(channel, head.grid.shape))
        return (np.exp(1.7j * channel) * strength * head.complex).astype(np.complex64)

    phase, _ = mcpc_c(load, CHANNELS, head.echo_times, head.grid)
    off = np.exp(1j * (phase - head.phase))[:, head.mask]
    np.testing.assert_allclose(np.angle(off * off[0, 0].conj()), 0, atol=5e-3)


@pytest.mark.parametrize('method', METHODS)
def test_one_channel_is_alive_at_a_time(method):
    head = scan((0.004, 0.008), size=COARSE)
    load, _ = channels(head)
    known = []

    def watched(channel):
        assert not [c for c in known if c() is not None]
        image = load(channel)
        known.append(weakref.ref(image))
        return image

    method(watched, CHANNELS, head.echo_times, head.grid)
    assert len(known) >= 2 * CHANNELS


@pytest.mark.parametrize('method', METHODS)
def test_threads_and_dead_channels_change_nothing(method):
    head = scan((0.004, 0.008), size=COARSE)
    load, _ = channels(head)

    def dead_last(channel):
        return load(channel) if channel < CHANNELS else np.zeros_like(head.complex)

    with threads(1):
        alone = method(load, CHANNELS, head.echo_times, head.grid)
    with threads(2):
        shared = method(dead_last, CHANNELS + 1, head.echo_times, head.grid)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_combined_is_refused():
    head = scan((0.004, 0.008), size=SIZE)
    load, _ = channels(head)
    for method in (mcpc3ds, short_te):
        with pytest.raises(ValueError, match=r'at least two echoes.* virtual-coil'):
            method(load, CHANNELS, (0.004,), head.grid)
    with pytest.raises(ValueError, match='reference channel 5 of 4'):
        reference_coil(load, CHANNELS, head.echo_times, head.grid, channel=5)
    with pytest.raises(ValueError, match='zero everywhere'):
        virtual_coil(lambda c: 0 * load(c), CHANNELS, head.echo_times, head.grid)
    with pytest.raises(ValueError, match=r'channel 1 has shape .*, expected'):
        mcpc3ds(load, CHANNELS, (0.004, 0.008, 0.012), head.grid)

"""Channels are combined into a phase that only the field made."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scans import scan
from scipy.ndimage import binary_erosion

from bidsqsm.qsm.coil.mcpc3ds import mcpc3ds
from bidsqsm.qsm.phase.chopper import alternating_signs
from bidsqsm.qsm.units import ppm_to_rad

CHANNELS = 4
SIZE = 4.0  # mm


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


def test_what_cannot_be_combined_is_refused():
    head = scan((0.004, 0.008), size=SIZE)
    load, _ = channels(head)
    with pytest.raises(ValueError, match='at least two echoes'):
        mcpc3ds(load, CHANNELS, (0.004,), head.grid)
    with pytest.raises(ValueError, match=r'channel 1 has shape .*, expected'):
        mcpc3ds(load, CHANNELS, (0.004, 0.008, 0.012), head.grid)

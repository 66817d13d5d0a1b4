"""From field and relaxation to the noisy complex signal of each echo and coil."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phantom.disturbance import Disturbance
from bidsqsm.qsm.phantom.fourier_voxels import truncate
from bidsqsm.qsm.phantom.head import Head
from bidsqsm.qsm.units import TURN_RAD, imaging_frequency_of

Complex = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Sequence:
    """How the multi-echo gradient echo is played and received.

    Parameters
    ----------
    echo_times
        In s, ascending.
    snr
        Of white matter in the (combined) first echo; infinity for no noise.
    coils
        Uncombined receive coils; 0 for combined data.
    bipolar
        Whether even echoes are read backwards, with a phase that differs along the readout.
    offset
        Size of the receive phase offset, in rad; 0 for none.
    readout
        Voxel axis of the readout.

    """

    echo_times: tuple[float, ...] = (0.004, 0.008, 0.012, 0.016, 0.020)
    snr: float = 70.0
    coils: int = 0
    bipolar: bool = False
    offset: float = 1.5
    readout: int = 1

    def __post_init__(self) -> None:
        times = self.echo_times
        if not times or min(times) <= 0 or list(times) != sorted(set(times)):
            raise ValueError(
                f'echo times must be positive and ascending, got {times}; give seconds'
            )
        if max(times) > 1:
            raise ValueError(f'echo times must be in seconds, got {times}; divide by 1000')
        if self.snr <= 0:
            raise ValueError(f'the SNR must be positive, got {self.snr}')
        if self.coils < 0:
            raise ValueError(f'the number of coils must be 0 (combined) or more, got {self.coils}')


def acquire(
    head: Head, sequence: Sequence, seed: int = 0, disturbance: Disturbance | None = None
) -> Iterator[Complex]:
    """Play the sequence on a head and yield one echo after the other.

    Parameters
    ----------
    head
        Made by :func:`~bidsqsm.qsm.phantom.head.make_head`.
    sequence
        Echo times, noise and receive chain.
    seed
        Of noise and receive phase.
    disturbance
        Model errors; None for the field of the susceptibility alone.

    Yields
    ------
    echo : (max(coils, 1), nx, ny, nz) complex64 array
        Phase grows with +dB0; magnitude in arbitrary units.

    """
    receive = receive_profiles(head, sequence, seed)
    ramp = _ramp(head, sequence)
    noise = None
    if disturbance is not None:
        receive = disturbance.receive(receive)
    for number, echo_time in enumerate(sequence.echo_times):
        plain = _echo(head, number, echo_time, disturbance)
        if noise is None:
            noise = _noise_sd(head, plain, receive, sequence.snr)
        if sequence.bipolar:
            plain *= np.exp(0.5j * (-1) ** number * ramp).astype(np.complex64)
        echo = receive * plain
        if noise > 0:
            for coil in range(len(echo)):
                random = np.random.default_rng([seed, 7, number, coil])
                for part in (echo.real, echo.imag):
                    part[coil] += noise * random.standard_normal(plain.shape, np.float32)
        yield echo if disturbance is None else disturbance.reconstruct(number, echo)


def error_field(head: Head, sequence: Sequence, disturbance: Disturbance) -> Volume:
    """What model errors add to the field that a fit over the echoes finds without noise, in ppm.

    The fit is a line through the origin with the weights of the signal, magnitude^2 TE^2; errors
    of the receive chain, which all echoes share, are left out.
    """
    turned, weight = (np.zeros(head.grid.shape, np.float32) for _ in range(2))
    for number, echo_time in enumerate(sequence.echo_times):
        plain = noiseless_echo(head, echo_time)
        found = disturbance.reconstruct(number, _echo(head, number, echo_time, disturbance)[None])
        rate = disturbance.turn(echo_time)
        power = np.abs(plain) ** 2
        turned += rate * power * np.angle(found[0] * np.conj(plain))
        weight += rate * rate * power
    return np.asarray(np.where(head.mask, turned / np.maximum(weight, 1e-12), 0), np.float32)


def _echo(head: Head, number: int, echo_time: float, disturbance: Disturbance | None) -> Complex:
    if disturbance is None:
        return noiseless_echo(head, echo_time)
    cut = disturbance.errors.gibbs > 0
    signal, grease = head.fine.signal, head.fine.fat.astype(np.float32) / 255
    fat = _voxels(head, grease * signal, echo_time, cut=cut)
    water = _voxels(head, (1 - grease) * signal, echo_time, cut=cut)
    return disturbance.signal(number, water, fat)


def noiseless_echo(head: Head, echo_time: float) -> Complex:
    """Signal of one echo, summed over the sub-voxels: complex64, no receive phase."""
    return _voxels(head, head.fine.signal, echo_time, cut=False)


def _voxels(head: Head, signal: Volume, echo_time: float, *, cut: bool) -> Complex:
    # means over the sub-voxels, or what a cut of k-space leaves of them
    turn = TURN_RAD * imaging_frequency_of(head.field_strength) * echo_time  # rad per ppm
    if cut:
        fine = np.empty(signal.shape, np.complex64)
        _turn_subvoxels(head.fine.field, head.fine.r2star, signal, turn, echo_time, fine)
        return truncate(fine)
    out = np.empty(head.grid.shape, np.complex64)
    _sum_subvoxels(head.fine.field, head.fine.r2star, signal, turn, echo_time, out)
    return out


@kernel()
def _turn_subvoxels(
    field: Volume, r2star: Volume, signal: Volume, turn: float, echo_time: float, out: Complex
) -> None:
    for i in nb.prange(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                size = signal[i, j, k] * np.exp(np.float32(-echo_time) * r2star[i, j, k])
                phase = np.float32(turn) * field[i, j, k]
                out[i, j, k] = size * (np.cos(phase) + 1j * np.sin(phase))


@kernel()
def _sum_subvoxels(
    field: Volume, r2star: Volume, signal: Volume, turn: float, echo_time: float, out: Complex
) -> None:
    for i in nb.prange(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                real, imag = np.float32(0), np.float32(0)
                for a in range(2 * i, 2 * i + 2):
                    for b in range(2 * j, 2 * j + 2):
                        for c in range(2 * k, 2 * k + 2):
                            size = signal[a, b, c] * np.exp(
                                np.float32(-echo_time) * r2star[a, b, c]
                            )
                            phase = np.float32(turn) * field[a, b, c]
                            real += size * np.cos(phase)
                            imag += size * np.sin(phase)
                out[i, j, k] = (real + 1j * imag) / np.float32(8)


def receive_profiles(head: Head, sequence: Sequence, seed: int) -> Complex:
    """Complex receive sensitivity of each coil (or of the combined image), complex64.

    The combined image has a smooth brightening towards the rim; coils share its phase offset and
    add their own sensitivity and phase.
    """
    random = np.random.default_rng([seed, 5])
    centre = head.affine[:3, :3] @ ((np.array(head.grid.shape) - 1) / 2) + head.affine[:3, 3]
    x, y, z = (
        (v - c) / 100
        for v, c in zip(head.coordinates_in_mm(), centre.astype(np.float32), strict=True)
    )
    common = _smooth_phase((x, y, z), random) * sequence.offset
    if sequence.coils == 0:
        bias = 0.85 + 0.35 * (x * x + y * y + 0.8 * z * z)
        return np.asarray(bias * np.exp(1j * common), np.complex64)[None]
    profiles = np.empty((sequence.coils, *head.grid.shape), np.complex64)
    power = np.zeros(head.grid.shape, np.float32)
    for coil in range(sequence.coils):
        angle = 2 * np.pi * (coil + 0.3) / sequence.coils
        height = 0.5 * (-1) ** coil
        away = (
            (x - 1.15 * np.cos(angle)) ** 2 + (y - 1.35 * np.sin(angle)) ** 2 + (z - height) ** 2
        )
        own = random.uniform(-np.pi, np.pi) + 1.8 * np.sqrt(away + 0.2)
        profiles[coil] = np.exp(1j * (common + own)) / (0.6 + away)
        power += np.abs(profiles[coil]) ** 2
    profiles /= np.sqrt(power[head.mask].mean(dtype=float))
    return profiles


def _smooth_phase(at: tuple[Volume, Volume, Volume], random: np.random.Generator) -> Volume:
    # a random polynomial of third order, of unit size at 1 dm from the centre
    x, y, z = at
    linear = (x, y, z)
    square = (x * y, y * z, x * z, x * x, y * y, z * z)
    cubic = (x * x * y, y * y * z, z * z * x, x * y * z)
    phase = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), random.uniform(-1, 1))
    for terms, size in ((linear, 0.8), (square, 0.5), (cubic, 0.25)):
        for term in terms:
            phase += size * random.uniform(-1, 1) * term
    return np.asarray(phase, np.float32)


def _ramp(head: Head, sequence: Sequence) -> Volume:
    n = head.grid.shape[sequence.readout]
    line = (np.arange(n) - n / 2) * head.grid.voxel_size[sequence.readout]
    shape = [1, 1, 1]
    shape[sequence.readout] = n
    return np.asarray(0.5 + 1.2 * line / 100, np.float32).reshape(shape)


def _noise_sd(head: Head, first: Complex, receive: Complex, snr: float) -> float:
    # per channel, such that the best combination of all coils has the wanted SNR in white matter
    if not np.isfinite(snr):
        return 0.0
    white = head.white_matter
    power = sum((np.abs(r[white]) ** 2).astype(float) for r in receive)
    return float((np.abs(first[white]) * np.sqrt(power)).mean() / snr)

"""A small head with air around and inside it, scanned in the ways that phase preparation meets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.units import ppm_to_rad

AIR = 9.4  # ppm above water


@dataclass(frozen=True)
class Scan:
    """What came out of the scanner, and the truth."""

    phase: Volume
    magnitude: Volume
    echo_times: tuple[float, ...]
    grid: Grid
    mask: Mask
    field: Volume
    frequency: float

    @property
    def complex(self) -> Volume:
        """Complex signal of every echo."""
        return self.magnitude * np.exp(1j * self.phase)

    def with_signal(self, signal: Volume) -> Scan:
        """The same scan with another complex signal."""
        phase = np.angle(signal).astype(np.float32)
        return replace(self, phase=phase, magnitude=np.abs(signal).astype(np.float32))


@cache
def head(size: float = 3.0) -> tuple[Grid, Mask, Volume]:
    """Grid, head mask and shimmed total field (ppm) of an ellipsoid with a sinus and ears."""
    shape = tuple(round(length / size) for length in (180, 216, 180))
    grid = Grid(shape, (size, size, size))
    x, y, z = (
        (np.arange(n) - (n - 1) / 2).reshape([-1 if a == b else 1 for b in range(3)]) * size
        for a, n in enumerate(shape)
    )

    def ball(cx, cy, cz, rx, ry=None, rz=None):
        ry, rz = ry or rx, rz or rx
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1

    inside = ball(0, 0, 0, 70, 90, 75)
    air = ball(0, 70, -45, 16, 14, 12) | ball(52, 0, -50, 9) | ball(-52, 0, -50, 9)
    mask = inside & ~air
    chi = np.where(mask, 0.0, AIR) - 0.03 * ball(0, 0, 15, 45, 60, 40) * mask
    for place in ((25, 10, 5), (-25, 10, 5), (12, -20, 0), (-12, -20, 0)):
        chi += 0.15 * ball(*place, 8, 11, 8)
    random = np.random.default_rng(1)
    for _ in range(30):
        place = random.uniform(-45, 45, 3)
        chi += np.where(mask & ball(*place, 2.5, 2.5, 25), 0.15, 0)
    margin = 24
    full = np.pad(chi, margin, constant_values=AIR) - AIR
    wide = replace(grid, shape=full.shape)
    field = convolve(full.astype(np.float32), dipole_kernel(wide))
    field = field[margin:-margin, margin:-margin, margin:-margin]
    core = ball(0, 0, 10, 60, 75, 55) & mask
    terms = [np.ones(shape), *(np.broadcast_to(t / 100, shape) for t in (x, y, z))]
    terms += [a * b for n, a in enumerate(terms[1:]) for b in terms[1 + n :]]
    design = np.stack([t[core] for t in terms], 1)
    fit = np.linalg.lstsq(design, field[core], rcond=None)[0]
    field = field - sum(c * t for c, t in zip(fit, terms, strict=True))
    return grid, mask, field.astype(np.float32)


def receive_phase(grid: Grid, size: float = 1.5, seed: int = 0) -> Volume:
    """A smooth phase (rad) of about this size over the head."""
    random = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing='ij', sparse=True)
    a = random.uniform(-1, 1, 8)
    phase = a[0] + a[1] * x + a[2] * y + a[3] * z + 0.5 * (a[4] * x * y + a[5] * y * z)
    return (size * (phase + 0.5 * (a[6] * x * x + a[7] * z * z))).astype(np.float32)


def scan(
    echo_times=(0.004, 0.008, 0.012, 0.016, 0.020),
    field_strength: float = 3.0,
    offset: float = 1.5,
    noise: float = 0.0,
    parity: Volume | float = 0.0,
    size: float = 3.0,
    seed: int = 0,
) -> Scan:
    """Scan the head; ``parity`` is the phase of odd echoes minus that of even ones."""
    grid, mask, field = head(size)
    frequency = 42.577478518 * field_strength
    random = np.random.default_rng(seed)
    receive = receive_phase(grid, offset, seed)
    echoes = []
    for n, time in enumerate(echo_times):
        phase = ppm_to_rad(field, frequency, time) + receive + (-1) ** n * parity / 2
        clean = mask * np.exp(-25 * time) * np.exp(1j * phase)
        if noise:
            real, imaginary = random.standard_normal((2, *grid.shape), np.float32)
            clean = clean + noise * (real + 1j * imaginary)
        echoes.append(clean.astype(np.complex64))
    signal = np.stack(echoes)
    empty = np.zeros(signal.shape, np.float32)
    start = Scan(empty, empty, tuple(echo_times), grid, mask, field, frequency)
    return start.with_signal(signal)


def homodyne(signal: Volume, lines: int) -> Volume:
    """Divide each slice by the phase of its Hamming-filtered centre of k-space, as SWI does."""
    nx, ny = signal.shape[-3:-1]
    window = np.zeros((nx, ny))
    fx, fy = min(lines, nx), min(lines, ny)
    x0, y0 = (nx - fx) // 2, (ny - fy) // 2
    window[x0 : x0 + fx, y0 : y0 + fy] = np.outer(np.hamming(fx), np.hamming(fy))
    axes = (-3, -2)
    spectrum = fft.fftshift(fft.fft2(signal, axes=axes), axes=axes) * window[..., None]
    low = fft.ifft2(fft.ifftshift(spectrum, axes=axes), axes=axes)
    return signal * np.exp(-1j * np.angle(low))

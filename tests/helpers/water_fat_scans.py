"""A small head with a fat rim and a fatty neck, in a field of several hundred Hz."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.fieldmap.spectrum import fat_signal
from bidsqsm.qsm.grid import Grid, Mask, Volume
from helpers.phase_scans import head, receive_phase

FREQUENCY = 127.73  # MHz


@dataclass(frozen=True)
class FatScan:
    """Phase and magnitude, and the truth (field in ppm)."""

    phase: Volume
    magnitude: Volume
    echo_times: tuple[float, ...]
    grid: Grid
    mask: Mask
    signal: Mask
    field: Volume
    fat_fraction: Volume
    rate: Volume
    strength: Volume

    def call(self, method, **options):
        """Run a method of the step on the scan."""
        return method(self.phase, self.magnitude, self.mask, self.echo_times, FREQUENCY, **options)

    def with_phase(self, phase: Volume) -> FatScan:
        """The same scan with other phase."""
        return replace(self, phase=phase.astype(np.float32))

    def unwrapped(self) -> FatScan:
        """The same scan of water alone with the whole turns that the field tells."""
        times = np.reshape(self.echo_times, (-1, 1, 1, 1))
        true = 2 * np.pi * FREQUENCY * times * self.field
        return self.with_phase(self.phase + 2 * np.pi * np.rint((true - self.phase) / 2 / np.pi))


def gentle(scan: FatScan, limit: float) -> Mask:
    """Voxels whose field is less than so many Hz from that of each neighbour in the head."""
    kept = scan.mask.copy()
    for axis in range(3):
        one, two = ([slice(None)] * 3 for _ in range(2))
        one[axis], two[axis] = slice(None, -1), slice(1, None)
        there, here = tuple(one), tuple(two)
        steep = np.abs(scan.field[here] - scan.field[there]) * FREQUENCY >= limit
        steep &= scan.mask[here] & scan.mask[there]
        kept[here] &= ~steep
        kept[there] &= ~steep
    return kept


@cache
def anatomy(size: float = 4.0) -> tuple[Grid, Mask, Volume, Volume, Volume, Volume]:
    """Grid, mask, field (ppm), signal, fat fraction and R2*: brain, skull, scalp and neck."""
    grid, mask, field = head(size)
    depth = ndimage.distance_transform_edt(mask) * size
    z = (np.arange(grid.shape[2]) - (grid.shape[2] - 1) / 2) * size
    neck = np.broadcast_to(z < -35, grid.shape) & mask
    scalp = (depth <= 7) & mask
    skull = (depth > 7) & (depth <= 13) & mask & ~neck
    random = np.random.default_rng(4)
    grain = ndimage.gaussian_filter(random.standard_normal(grid.shape), 2)
    share = np.where(neck, np.clip(0.4 + 1.2 * grain / grain.std() * 0.4, 0, 1), 0)
    share = np.where(scalp, 0.92, share)
    signal = np.where(mask, 1 + 0.6 * share, 0) * np.where(skull, 0.01, 1)
    rate = np.where(mask, 22 + 18 * share, 0)
    return grid, mask, field, *(a.astype(np.float32) for a in (signal, share, rate))


def fat_scan(
    echo_times=(0.0035, 0.0073, 0.0111, 0.0149, 0.0187),
    *,
    size: float = 4.0,
    noise: float = 0.0,
    offset: float = 0.0,
    shim: float = 0.0,
    fatty: bool = True,
    sign: int = 1,
    peaks: str = 'six',
) -> FatScan:
    """Scan the head; ``shim`` tilts the field by so many ppm over it."""
    grid, mask, field, signal, share, rate = anatomy(size)
    x = np.linspace(-0.5, 0.5, grid.shape[0], dtype=np.float32)[:, None, None]
    field = field + np.float32(shim) * x
    share = share if fatty else np.zeros_like(share)
    random = np.random.default_rng(0)
    receive = receive_phase(grid, offset)
    phase, magnitude = [], []
    for time, fat in zip(echo_times, fat_signal(echo_times, FREQUENCY, peaks), strict=True):
        clean = signal * (1 - share + share * fat) * np.exp(-rate * time)
        clean = clean * np.exp(1j * (2 * np.pi * FREQUENCY * time * field + receive))
        grain = random.standard_normal((2, *grid.shape), np.float32) * noise
        echo = clean + grain[0] + 1j * grain[1]
        phase.append(sign * np.angle(echo))
        magnitude.append(np.abs(echo))
    return FatScan(
        np.array(phase, np.float32),
        np.array(magnitude, np.float32),
        tuple(echo_times),
        grid,
        mask,
        mask & (signal > 0.1),
        field,
        share,
        rate,
        signal,
    )

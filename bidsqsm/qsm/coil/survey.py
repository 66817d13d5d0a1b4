"""What a first pass over the receive channels finds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np

from bidsqsm.qsm.coil.channels import Channels, Complex, add_in_phase, visit_channels
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.masking.brain import block_mean
from bidsqsm.qsm.phase.bipolar import equally_spaced, parity_of_doubled, readout_parities
from bidsqsm.qsm.phase.chopper import AlternatingAxes, alternating_signs, alternation_of
from bidsqsm.qsm.phase.difference import signal_mask
from bidsqsm.qsm.phase.neighbours import neighbour_phasors
from bidsqsm.qsm.phase.wrap import wrap

SURVEY_BLOCK_MM = 6.0


@dataclass(frozen=True)
class ChannelSurvey:
    """Sums over channels, and the reach of each.

    Parameters
    ----------
    power : (n_echoes, nx, ny, nz) float32 array
        Sum of the squared magnitudes.
    steps : (0 to 2, nx, ny, nz) complex64 array
        Products of each echo with the conjugate of the one before, for the first three echoes.
    alternation
        Axes along which the sign alternates.
    reach : (n_channels, ...) float32 array
        Mean magnitude of each channel's first echo over blocks of about 6 mm.
    factors
        Voxels per block along each axis.

    """

    power: Volume
    steps: Complex
    alternation: AlternatingAxes
    reach: Volume
    factors: list[int]

    @property
    def signs(self) -> Volume:
        """+1 and -1 that make the sign even: (nx, ny, nz) float32."""
        return alternating_signs(self.power.shape[1:], self.alternation.axes)

    def second_echo(self, bipolar: str, echo_times: Sequence[float], grid: Grid) -> int:
        """Index of the echo to compare with the first: of the same readout direction."""
        alternating = bipolar == 'yes' or (
            bipolar == 'auto' and _odd_differs(self.steps, echo_times, grid)
        )
        # with an echo missing between them the first two are of one direction
        apart = any(readout_parities(echo_times)[1:2])
        return 2 if alternating and apart and len(self.steps) == 2 else 1

    def difference(self, second: int) -> Complex:
        """Phasor of the phase that grew from the first echo to the second or third."""
        if second == 1:
            first: Complex = self.steps[0]
            return first
        product = self.steps[0] * self.steps[1]
        root: Complex = product / np.sqrt(np.maximum(np.abs(product), np.float32(1e-30)))
        return root

    def common_block(self) -> tuple[slice, slice, slice]:
        """Slices of the block that all channels see best: the largest of their smallest shares.

        A channel's share is its magnitude over the largest that it has anywhere, so that a dead
        channel, alike everywhere, has no say.
        """
        share = np.ones(self.reach.shape[1:], np.float32)
        for blocks in self.reach:
            if blocks.any():
                np.minimum(share, blocks / blocks.max(), out=share)
        where = np.unravel_index(int(np.argmax(share)), share.shape)
        a, b, c = (
            slice(int(w) * f, (int(w) + 1) * f) for w, f in zip(where, self.factors, strict=True)
        )
        return a, b, c

    def widest_channel(self) -> int:
        """Index of the channel with most signal where the head gives it least."""
        power = np.sum(self.reach**2, axis=0)
        inside: Mask = power > 0.01 * np.percentile(power, 95)
        return int(np.argmax([np.percentile(blocks[inside], 10) for blocks in self.reach]))


def survey(
    load_channel: Channels, n_channels: int, echo_times: Sequence[float], grid: Grid
) -> ChannelSurvey:
    """Go through all channels once.

    Parameters
    ----------
    load_channel
        Gives channel 0, 1, ... as an (n_echoes, nx, ny, nz) complex64 array.
    n_channels
        Number of channels.
    echo_times
        Echo times in s, ascending.
    grid
        Voxel size.

    Returns
    -------
    survey

    """
    power = np.zeros((len(echo_times), *grid.shape), np.float32)
    steps = np.zeros((min(2, len(echo_times) - 1), *grid.shape), np.complex64)
    factors = [max(1, round(SURVEY_BLOCK_MM / d)) for d in grid.voxel_size]
    reach: list[Volume] = []
    phasors, total = np.zeros(3, complex), np.zeros(3)

    def look(_: int, channel: Complex) -> None:
        nonlocal phasors, total
        _add_products(channel, power, steps)
        reach.append(block_mean(np.abs(channel[0]), factors))
        moved = _neighbours(channel, echo_times)
        phasors, total = phasors + moved[0], total + moved[1]

    visit_channels(load_channel, n_channels, power.shape, look)
    if not power[0].any():
        raise ValueError('the channels are zero everywhere, expected signal in the head')
    return ChannelSurvey(power, steps, alternation_of(phasors, total), np.stack(reach), factors)


def combine(
    load_channel: Channels,
    n_channels: int,
    seen: ChannelSurvey,
    offset_of: Callable[[Complex], Volume | None],
) -> tuple[Volume, Volume]:
    """Sum of the channels, each less its offset.

    Parameters
    ----------
    load_channel, n_channels
        As of :func:`survey`.
    seen
        What that found.
    offset_of
        From a channel (n_echoes, nx, ny, nz) to its offset (nx, ny, nz) in rad; None where it has
        nothing to add.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    """
    total = np.zeros(seen.power.shape, np.complex64)

    def add(_: int, channel: Complex) -> None:
        offset = offset_of(channel)
        if offset is not None:
            add_in_phase(channel, offset, total)

    visit_channels(load_channel, n_channels, total.shape, add)
    total *= seen.signs
    return np.angle(total), np.sqrt(seen.power)


@kernel()
def _add_products(channel: Complex, power: Volume, steps: Complex) -> None:
    n_echoes, nx, ny, nz = channel.shape
    for i in nb.prange(nx):
        for n in range(n_echoes):
            for j in range(ny):
                for k in range(nz):
                    s = channel[n, i, j, k]
                    power[n, i, j, k] += s.real * s.real + s.imag * s.imag
                    if n < steps.shape[0]:
                        after = channel[n + 1, i, j, k]
                        steps[n, i, j, k] += after * np.conj(s)


def _neighbours(channel: Complex, echo_times: Sequence[float]) -> tuple[Complex, Volume]:
    first = channel[0]
    if len(channel) == 1:
        return neighbour_phasors(np.angle(first), None, 0.0, np.abs(first), step=2)
    grown = np.angle(channel[1] * np.conj(first))
    ratio = echo_times[0] / (echo_times[1] - echo_times[0])
    return neighbour_phasors(np.angle(first), grown, ratio, np.abs(first), step=2)


def _odd_differs(steps: Complex, echo_times: Sequence[float], grid: Grid) -> bool:
    """Whether odd echoes are seen to differ from even ones."""
    if len(steps) < 2 or not equally_spaced(echo_times[:3]):
        return False
    doubled = wrap(np.angle(steps[1]) - np.angle(steps[0]))
    weight = np.minimum(np.abs(steps[0]), np.abs(steps[1]))
    mask = signal_mask(weight)
    return parity_of_doubled(doubled, np.where(mask, weight, np.float32(0)), mask, grid)

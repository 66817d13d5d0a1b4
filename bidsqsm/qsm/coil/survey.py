"""What a first pass over the receive channels finds out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.bipolar import equally_spaced, parity_of_doubled
from bidsqsm.qsm.phase.chopper import Alternation, alternation_of
from bidsqsm.qsm.phase.difference import signal_mask
from bidsqsm.qsm.phase.neighbours import neighbour_phasors
from bidsqsm.qsm.phase.wrap import wrap

Complex = npt.NDArray[np.complexfloating]


@dataclass(frozen=True)
class Survey:
    """Sums over channels.

    Parameters
    ----------
    power : (n_echoes, nx, ny, nz) float32 array
        Sum of the squared magnitudes.
    steps : (1 or 2, nx, ny, nz) complex64 array
        Products of each echo with the conjugate of the one before, for the first three echoes.
    alternation
        Axes along which the sign alternates.
    odd_differs
        Whether odd echoes differ from even ones; None where that cannot be told.

    """

    power: Volume
    steps: Complex
    alternation: Alternation
    odd_differs: bool | None

    def second_echo(self, bipolar: str) -> int:
        """Index of the echo to compare with the first: of the same readout direction."""
        alternating = bipolar == 'yes' or (bipolar == 'auto' and bool(self.odd_differs))
        return 2 if alternating and len(self.steps) == 2 else 1

    def difference(self, second: int) -> Complex:
        """Phasor of the phase that grew from the first echo to the second or third."""
        if second == 1:
            first: Complex = self.steps[0]
            return first
        product = self.steps[0] * self.steps[1]
        root: Complex = product / np.sqrt(np.maximum(np.abs(product), np.float32(1e-30)))
        return root


def survey(
    load_channel: Callable[[int], Complex],
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
) -> Survey:
    """Go through all channels once.

    Parameters
    ----------
    load_channel
        Gives channel 0, 1, ... as an (n_echoes, nx, ny, nz) complex64 array.
    n_channels
        Number of channels.
    echo_times
        Echo times in s, ascending; at least two.
    grid
        Voxel size.

    Returns
    -------
    survey

    """
    power = np.zeros((len(echo_times), *grid.shape), np.float32)
    steps = np.zeros((min(2, len(echo_times) - 1), *grid.shape), np.complex64)
    phasors, total = np.zeros(3, complex), np.zeros(3)
    for c in range(n_channels):
        channel = load_channel(c)
        if channel.shape != power.shape:
            raise ValueError(
                f'channel {c + 1} has shape {channel.shape}, expected {power.shape} '
                '(echoes, then the volume)'
            )
        if not np.isfinite(channel).all():
            channel = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
        power += np.abs(channel) ** 2
        for n in range(len(steps)):
            steps[n] += channel[n + 1] * np.conj(channel[n])
        moved = _neighbours(channel, echo_times)
        phasors, total = phasors + moved[0], total + moved[1]
    return Survey(
        power, steps, alternation_of(phasors, total), _odd_differs(steps, echo_times, grid)
    )


def _neighbours(channel: Complex, echo_times: Sequence[float]) -> tuple[Complex, Volume]:
    first = channel[0]
    grown = np.angle(channel[1] * np.conj(first))
    ratio = echo_times[0] / (echo_times[1] - echo_times[0])
    return neighbour_phasors(np.angle(first), grown, ratio, np.abs(first), step=2)


def _odd_differs(steps: Complex, echo_times: Sequence[float], grid: Grid) -> bool | None:
    if len(steps) < 2 or not equally_spaced(echo_times[:3]):
        return None
    doubled = wrap(np.angle(steps[1]) - np.angle(steps[0]))
    weight = np.minimum(np.abs(steps[0]), np.abs(steps[1]))
    mask = signal_mask(weight)
    return parity_of_doubled(doubled, np.where(mask, weight, np.float32(0)), mask, grid)

"""Coil combination by a three-dimensional phase offset for each receive channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.bounds import Between, OneOf
from bidsqsm.qsm.coil.survey import survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.chopper import alternating_signs
from bidsqsm.qsm.phase.difference import Unwrapper, signal_mask, unwrapped_difference
from bidsqsm.qsm.phase.smooth import smooth_phase

LOGGER = logging.getLogger(__name__)

Channels = Callable[[int], npt.NDArray[np.complexfloating]]


def mcpc3ds(
    load_channel: Channels,
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
    *,
    sigma: Annotated[float, Between(0, 100)] = 7.0,
    bipolar: Annotated[str, OneOf(('auto', 'yes', 'no'))] = 'auto',
) -> tuple[Volume, Volume]:
    r"""Coil combination with one smooth phase offset per channel (MCPC-3D-S).

    The phase that grew between two echoes, summed over channels c, is free of receive phase.
    Unwrapped and extrapolated back to time zero, it leaves the receive phase of each channel
    [eckstein2018]_, which is smoothed and removed before the channels are added:

    .. math::

        \Delta\phi &= U \left( \arg \sum_c S_{2c} S_{1c}^* \right) \\
        \phi_{0c} &= \overline{ \arg S_{1c} - \frac{TE_1}{TE_2 - TE_1} \Delta\phi } \\
        S_n &= \sum_c |S_{1c}| \, S_{nc} e^{-i \phi_{0c}}

    Channels are loaded one at a time, twice; only sums over them are kept.

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
    unwrap
        Method of the step ``unwrap``; ROMEO where None.
    sigma
        Width of the smoothing of each offset, in mm.
    bipolar
        Whether echoes are read in alternating directions; echoes 1 and 3 give the offsets then.
        ``auto`` looks for the difference of odd and even echoes in the data.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi]; a linear difference of odd and even echoes is left in.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    References
    ----------
    .. [eckstein2018] Eckstein et al., Magn Reson Med 79:2996-3006 (2018). doi:10.1002/mrm.26963

    """
    if len(echo_times) < 2:
        raise ValueError(
            'uncombined channels with one echo time; MCPC-3D-S needs at least two echoes: '
            'combine the channels on the scanner'
        )
    seen = survey(load_channel, n_channels, echo_times, grid)
    second = seen.second_echo(bipolar)
    raw = seen.difference(second)
    mask = signal_mask(np.abs(raw))
    interval = echo_times[second] - echo_times[0]
    grown = unwrapped_difference(np.angle(raw), np.abs(raw), mask, interval, unwrap)
    back = np.float32(echo_times[0] / interval) * grown
    signs = alternating_signs(grid.shape, seen.alternation.axes)
    total = np.zeros((len(echo_times), *grid.shape), np.complex64)
    for c in range(n_channels):
        channel = _loaded(load_channel, c) * signs
        _add_channel(channel, back, mask, grid, sigma, total)
    LOGGER.info('mcpc3ds: combined %d channels from echoes 1 and %d', n_channels, second + 1)
    return np.angle(total), np.sqrt(seen.power)


def _loaded(load_channel: Channels, index: int) -> npt.NDArray[np.complexfloating]:
    channel = load_channel(index)
    if not np.isfinite(channel).all():
        channel = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
    return channel


def _add_channel(
    channel: npt.NDArray[np.complexfloating],
    back: Volume,
    mask: npt.NDArray[np.bool_],
    grid: Grid,
    sigma: float,
    total: npt.NDArray[np.complexfloating],
) -> None:
    """Estimate a channel's offset and add the channel without it, in place."""
    first = np.abs(channel[0])
    weight = np.where(mask, first, np.float32(0)) ** 2
    if not weight.any():
        return
    weight /= weight.max()
    offset = smooth_phase(np.angle(channel[0]) - back, weight, grid, sigma, passes=2)
    # echo 1 stands for the sensitivity in all echoes, so that no echo is weighted by its decay
    matched = first * np.exp(np.complex64(-1j) * offset)
    for n, echo in enumerate(channel):
        total[n] += matched * echo

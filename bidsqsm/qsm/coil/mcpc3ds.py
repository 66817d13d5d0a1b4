"""Coil combination by a three-dimensional phase offset for each receive channel."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, OneOf
from bidsqsm.qsm.coil.channels import Channels, Complex
from bidsqsm.qsm.coil.survey import combine, survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.difference import Unwrapper, signal_mask, unwrapped_difference
from bidsqsm.qsm.phase.smooth import smooth_phase

LOGGER = logging.getLogger(__name__)


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
        Width of the smoothing of each channel's phase, of its offset, in mm.
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

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1, shape=(16, 16, 16))
    >>> echoes = sphere.echoes((0.002, 0.006))
    >>> signal = echoes.magnitude * np.exp(1j * echoes.phase)
    >>> offsets = np.exp(1j * np.array([0.0, 1.5, 3.0]))  # receive phase of three channels
    >>> def load_channel(number):
    ...     return signal * offsets[number]
    >>> phase, magnitude = mcpc3ds(load_channel, 3, echoes.echo_times, sphere.grid)
    >>> grown = np.angle(np.exp(1j * (phase[1] - phase[0] - echoes.phase[1] + echoes.phase[0])))
    >>> bool(abs(grown[sphere.mask]).max() < 0.01)
    True

    """
    if len(echo_times) < 2:
        raise ValueError(
            'uncombined channels with one echo time; MCPC-3D-S needs at least two echoes: choose '
            'virtual-coil, mcpc-c or reference-coil, or combine the channels on the scanner'
        )
    seen = survey(load_channel, n_channels, echo_times, grid)
    second = seen.second_echo(bipolar, echo_times, grid)
    raw = seen.difference(second)
    mask = signal_mask(np.abs(raw))
    interval = echo_times[second] - echo_times[0]
    grown = unwrapped_difference(np.angle(raw), np.abs(raw), mask, interval, unwrap)
    back = np.float32(echo_times[0] / interval) * grown
    signs = seen.signs

    def offset_of(channel: Complex) -> Volume | None:
        weight = np.where(mask, np.abs(channel[0]), np.float32(0)) ** 2
        if not weight.any():
            return None
        weight /= weight.max()
        first = np.angle(channel[0] * signs)
        return smooth_phase(first - back, weight, grid, sigma, passes=2)

    combined = combine(load_channel, n_channels, seen, offset_of)
    LOGGER.info('mcpc3ds: combined %d channels from echoes 1 and %d', n_channels, second + 1)
    return combined

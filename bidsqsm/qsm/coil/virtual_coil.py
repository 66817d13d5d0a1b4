"""Coil combination by the phase of a virtual coil that sees the whole head."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.coil.channels import (
    Channels,
    Complex,
    smooth_difference,
    visit_channels,
)
from bidsqsm.qsm.coil.survey import ChannelSurvey, combine, survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.difference import Unwrapper

LOGGER = logging.getLogger(__name__)


def virtual_coil(
    load_channel: Channels,
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
    *,
    sigma: Annotated[float, Between(0, 100)] = 7.0,
) -> tuple[Volume, Volume]:
    r"""Coil combination with a virtual reference coil (VRC).

    The first echoes of all channels c, matched by a constant phase at one place b that every one
    of them sees, add up to an image with signal in the whole head, the virtual coil
    [parker2014]_. It takes the place of a reference: each channel's difference from it is
    smoothed and removed.

    .. math::

        V &= \sum_c S_{1c} e^{-i \theta_c}, \quad \theta_c = \arg \sum_{r \in b} S_{1c}(r) \\
        \psi_c &= \overline{ \arg S_{1c} V^* } \\
        S_n &= \sum_c |S_{1c}| \, S_{nc} e^{-i \psi_c}

    The receive phase of the virtual coil stays in the result, the same in all echoes. The result
    is free of singularities as far as the virtual coil is: channels that differ by up to half a
    turn over the head from the place of matching do not cancel in it. One echo suffices.
    Channels are loaded one at a time, three times.

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
    unwrap
        Not used: differences between channels are smoothed as phasors.
    sigma
        Width of the smoothing of each channel's phase, of its difference from the virtual coil, in
        mm.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    References
    ----------
    .. [parker2014] Parker et al., Magn Reson Med 72:563-569 (2014). doi:10.1002/mrm.24932

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
    >>> phase, magnitude = virtual_coil(load_channel, 3, echoes.echo_times, sphere.grid)
    >>> grown = np.angle(np.exp(1j * (phase[1] - phase[0] - echoes.phase[1] + echoes.phase[0])))
    >>> bool(abs(grown[sphere.mask]).max() < 0.01)
    True

    """
    seen = survey(load_channel, n_channels, echo_times, grid)
    virtual = _virtual(load_channel, n_channels, seen)

    def offset_of(channel: Complex) -> Volume | None:
        return smooth_difference(channel[0], virtual, grid, sigma)

    combined = combine(load_channel, n_channels, seen, offset_of)
    LOGGER.info('virtual-coil: combined %d channels', n_channels)
    return combined


def _virtual(load_channel: Channels, n_channels: int, seen: ChannelSurvey) -> Complex:
    """Sum of the first echoes, matched where all channels see something."""
    shape = seen.power.shape
    place, signs = seen.common_block(), seen.signs
    virtual = np.zeros(shape[1:], np.complex64)

    def add(_: int, channel: Complex) -> None:
        angle = np.angle(np.sum(channel[0][place] * signs[place]))
        np.add(virtual, np.complex64(np.exp(-1j * angle)) * channel[0], out=virtual)

    visit_channels(load_channel, n_channels, shape, add)
    return virtual

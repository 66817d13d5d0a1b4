"""Coil combination by one constant phase for each receive channel."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.coil.channels import Channels, Complex
from bidsqsm.qsm.coil.survey import combine, survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.difference import Unwrapper

LOGGER = logging.getLogger(__name__)


def mcpc_c(
    load_channel: Channels,
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
) -> tuple[Volume, Volume]:
    r"""Coil combination with one constant phase per channel (MCPC-C).

    All channels c are given the same phase at one place b that every one of them sees
    [hammond2008]_:

    .. math::

        \theta_c &= \arg \sum_{r \in b} S_{1c}(r) \\
        S_n &= \sum_c |S_{1c}| \, S_{nc} e^{-i \theta_c}

    The place is the block of 6 mm in which the smallest share of any channel is largest. Away
    from it the channels drift apart, since receive phase varies in space: signal cancels, and
    where the sum vanishes, an open-ended fringe remains that no unwrapping can mend. To be used
    for small objects and to compare with; ``virtual-coil`` goes on from here. One echo suffices.

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
        Not used.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    References
    ----------
    .. [hammond2008] Hammond et al., NeuroImage 39:1682-1692 (2008).
       doi:10.1016/j.neuroimage.2007.10.037

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
    >>> phase, magnitude = mcpc_c(load_channel, 3, echoes.echo_times, sphere.grid)
    >>> grown = np.angle(np.exp(1j * (phase[1] - phase[0] - echoes.phase[1] + echoes.phase[0])))
    >>> bool(abs(grown[sphere.mask]).max() < 0.01)
    True

    """
    seen = survey(load_channel, n_channels, echo_times, grid)
    place, signs = seen.common_block(), seen.signs

    def offset_of(channel: Complex) -> Volume:
        angle = np.angle(np.sum(channel[0][place] * signs[place]))
        return np.full(grid.shape, angle, np.float32)

    combined = combine(load_channel, n_channels, seen, offset_of)
    LOGGER.info('mcpc-c: combined %d channels', n_channels)
    return combined

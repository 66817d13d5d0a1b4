"""Coil combination by the phase of one channel."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.coil.channels import (
    Channels,
    Complex,
    one_channel,
    smooth_difference,
)
from bidsqsm.qsm.coil.survey import combine, survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.difference import Unwrapper

LOGGER = logging.getLogger(__name__)


def reference_coil(
    load_channel: Channels,
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
    *,
    channel: Annotated[int, From(0, 1024)] = 0,
    sigma: Annotated[float, Between(0, 100)] = 7.0,
) -> tuple[Volume, Volume]:
    r"""Coil combination with the phase of one channel as reference.

    At one echo time the field is common to all channels c, so that a channel differs from the
    reference r by receive phase alone [robinson2017]_. The difference is smoothed and removed:

    .. math::

        \psi_c &= \overline{ \arg S_{1c} S_{1r}^* } \\
        S_n &= \sum_c |S_{1c}| \, S_{nc} e^{-i \psi_c}

    The receive phase of the reference stays in the result, the same in all echoes. Where the
    reference sees nothing, the difference is that of the nearest place where it does; a channel
    that covers the whole head (a body or volume coil) is the best reference. One echo suffices.

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
    channel
        Number of the reference, counted from 1; 0 takes the one with most signal where the head
        gives it least.
    sigma
        Width of the smoothing of each channel's phase, of its difference from the reference, in
        mm.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    References
    ----------
    .. [robinson2017] Robinson et al., NMR Biomed 30:e3601 (2017). doi:10.1002/nbm.3601

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
    >>> phase, magnitude = reference_coil(load_channel, 3, echoes.echo_times, sphere.grid)
    >>> grown = np.angle(np.exp(1j * (phase[1] - phase[0] - echoes.phase[1] + echoes.phase[0])))
    >>> bool(abs(grown[sphere.mask]).max() < 0.01)
    True

    """
    if channel > n_channels:
        raise ValueError(f'reference channel {channel} of {n_channels}; expected one that exists')
    seen = survey(load_channel, n_channels, echo_times, grid)
    chosen = channel - 1 if channel else seen.widest_channel()
    reference = one_channel(load_channel, chosen, seen.power.shape)[0].copy()
    if not reference.any():
        raise ValueError(f'reference channel {chosen + 1} is zero everywhere; choose another')

    def offset_of(image: Complex) -> Volume | None:
        return smooth_difference(image[0], reference, grid, sigma)

    combined = combine(load_channel, n_channels, seen, offset_of)
    LOGGER.info('reference-coil: combined %d channels, reference %d', n_channels, chosen + 1)
    return combined

"""Coil combination by the phase of the shortest echo."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.coil.channels import Channels, Complex
from bidsqsm.qsm.coil.survey import combine, survey
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phase.difference import Unwrapper
from bidsqsm.qsm.phase.smooth import smooth_phase

LOGGER = logging.getLogger(__name__)


def short_te(
    load_channel: Channels,
    n_channels: int,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
    *,
    sigma: Annotated[float, Between(0, 100)] = 7.0,
) -> tuple[Volume, Volume]:
    r"""Coil combination with offsets from a short echo time (COMPOSER).

    At a very short echo time the field has had no time to act: the phase of each channel c is its
    receive phase [robinson2017b]_. The shortest echo of the run is the reference here, smoothed
    and removed from all echoes:

    .. math::

        \phi_{0c} &= \overline{ \arg S_{1c} } \\
        S_n &= \sum_c |S_{1c}| \, S_{nc} e^{-i \phi_{0c}}

    No unwrapping, no fit, no reference channel, and nothing for channels to cancel by. The limit:
    what is removed holds the smooth part of the field's phase at the first echo time too, so that
    the phase of the result counts from there instead of from the excitation. It is the same in
    all echoes and channels: differences between echoes are exact, and the removal of receive phase
    that follows takes it for such and restores the origin. Where the field turns the phase of the
    first echo over a width of the smoothing (a late first echo, near air), offsets get noisy;
    ``mcpc3ds`` accounts for the field and is to be preferred from a first echo of a few ms on.

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
        Not used: offsets are smoothed as phasors.
    sigma
        Width of the smoothing of each channel's phase, of its offset, in mm.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad, in [-pi, pi].
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Root of the sum of squares over channels.

    References
    ----------
    .. [robinson2017b] Robinson et al., Magn Reson Med 77:318-327 (2017). doi:10.1002/mrm.26093

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
    >>> phase, magnitude = short_te(load_channel, 3, echoes.echo_times, sphere.grid)
    >>> grown = np.angle(np.exp(1j * (phase[1] - phase[0] - echoes.phase[1] + echoes.phase[0])))
    >>> bool(abs(grown[sphere.mask]).max() < 0.01)
    True

    """
    if len(echo_times) < 2:
        raise ValueError(
            'uncombined channels with one echo time; offsets from a short echo time need at least '
            'two echoes, as the first loses its field: choose virtual-coil, mcpc-c or '
            'reference-coil'
        )
    seen = survey(load_channel, n_channels, echo_times, grid)
    signs = seen.signs

    def offset_of(channel: Complex) -> Volume | None:
        weight = np.abs(channel[0]) ** 2
        if not weight.any():
            return None
        weight /= weight.max()
        return smooth_phase(np.angle(channel[0] * signs), weight, grid, sigma, passes=2)

    combined = combine(load_channel, n_channels, seen, offset_of)
    LOGGER.info('short-te: combined %d channels', n_channels)
    return combined

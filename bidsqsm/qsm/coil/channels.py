"""Receive channels taken one at a time, and their sum once each is in phase with the others."""

from __future__ import annotations

from collections.abc import Callable

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phase.smooth import smooth_phase

Complex = npt.NDArray[np.complexfloating]
Channels = Callable[[int], Complex]


def visit_channels(
    load_channel: Channels,
    n_channels: int,
    shape: tuple[int, ...],
    visit: Callable[[int, Complex], None],
) -> None:
    """Load channel after channel and show each to ``visit``, which must not keep it.

    No name is bound to a channel here, so that one is gone before the next is loaded.

    Parameters
    ----------
    load_channel
        Gives channel 0, 1, ... as an (n_echoes, nx, ny, nz) complex64 array.
    n_channels
        Number of channels.
    shape
        Expected shape of a channel.
    visit
        Called with the index of a channel and the channel, its values finite.

    """
    for index in range(n_channels):
        visit(index, _checked(load_channel(index), index, shape))


def one_channel(load_channel: Channels, index: int, shape: tuple[int, ...]) -> Complex:
    """A single channel, checked, its values finite."""
    return _checked(load_channel(index), index, shape)


def _checked(channel: Complex, index: int, shape: tuple[int, ...]) -> Complex:
    if channel.shape != shape:
        raise ValueError(
            f'channel {index + 1} has shape {channel.shape}, expected {shape} '
            '(echoes, then the volume)'
        )
    if not np.isfinite(channel).all():
        channel = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
    return channel


def smooth_difference(one: Complex, other: Complex, grid: Grid, sigma: float) -> Volume | None:
    """Smoothed phase of one image less that of another.

    Parameters
    ----------
    one, other : (nx, ny, nz) complex64 arrays
        Of the same echo time, so that they differ in receive phase only.
    grid
        Voxel size.
    sigma
        Width of the Gaussian in mm.

    Returns
    -------
    difference : (nx, ny, nz) float32 array or None
        In rad, in [-pi, pi]; None where the two have no signal in common.

    """
    product = one * np.conj(other)
    weight = np.abs(product)
    largest = weight.max()
    if not largest > 0:
        return None
    weight /= largest
    return smooth_phase(np.angle(product), weight, grid, sigma, passes=2)


@kernel()
def add_in_phase(channel: Complex, offset: Volume, total: Complex) -> None:
    """Add to ``total`` a channel less its offset (rad), weighted by its first echo's magnitude.

    Echo 1 stands for the sensitivity in all echoes, so that no echo is weighted by its decay.
    """
    n_echoes, nx, ny, nz = channel.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                first = channel[0, i, j, k]
                strength = np.sqrt(first.real * first.real + first.imag * first.imag)
                real = strength * np.cos(offset[i, j, k])
                imaginary = -strength * np.sin(offset[i, j, k])
                for n in range(n_echoes):
                    s = channel[n, i, j, k]
                    total[n, i, j, k] += complex(
                        real * s.real - imaginary * s.imag, real * s.imag + imaginary * s.real
                    )

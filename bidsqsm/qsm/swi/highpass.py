"""Homodyne high-pass filter of slices, and how dark the phase that is left makes a voxel."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.swi.projection import slice_axis

Complex = npt.NDArray[np.complex64]
WINDOWS = ('hann', 'hamming')
_PI = np.float32(np.pi)


def low_pass(signal: Complex, grid: Grid, size: int, window: str) -> Complex:
    """Smooth each slice by a window in the middle of k-space.

    Parameters
    ----------
    signal : (nx, ny, nz) complex64 array
        Image of one echo.
    grid
        Shape, and field direction, across which the slices lie.
    size
        Width of the window in points of k-space; at most half of the matrix is used.
    window
        ``hann`` or ``hamming``.

    Returns
    -------
    smooth : (nx, ny, nz) complex64 array
        The low-pass filtered image.

    """
    widths = filter_widths(grid, size)
    axes = [*widths]
    spectrum = fft.fftn(signal, axes=axes)
    for axis, width in widths.items():
        shape = [-1 if a == axis else 1 for a in range(3)]
        spectrum *= _bell(signal.shape[axis], width, window).reshape(shape)
    smooth: Complex = fft.ifftn(spectrum, axes=axes, overwrite_x=True)
    return smooth


def filter_widths(grid: Grid, size: int) -> dict[int, int]:
    """Points of k-space that the window covers along each axis of a slice, half of the matrix at most."""
    axes = (axis for axis in range(3) if axis != slice_axis(grid))
    return {axis: min(size, grid.shape[axis] // 2) for axis in axes}


def _bell(points: int, width: int, window: str) -> Volume:
    """Window over the frequencies of a line, in the layout of fftn."""
    floor = {'hann': 0.5, 'hamming': 0.54}[window]
    k = np.fft.fftfreq(points, 1 / points)
    bell = floor + (1 - floor) * np.cos(2 * np.pi * k / width)
    return np.where(np.abs(k) < width / 2, bell, 0).astype(np.float32)


@register_jitable
def shade(turn: Any, power: Any) -> Any:
    """Factor by which a phase (rad) away from its surroundings darkens a voxel: 1 at 0, 0 at pi."""
    return (np.float32(1) - abs(turn) / _PI) ** power


@kernel()
def shade_echo(
    signal: Complex,
    smooth: Complex,
    mask: Mask,
    weight: np.float32,
    squared: bool,
    power: int,
    images: Volume,
) -> None:
    """Add an echo to the magnitude, and its shaded magnitude to the image of either sign."""
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                here, around = signal[i, j, k], smooth[i, j, k]
                size = np.sqrt(here.real * here.real + here.imag * here.imag)
                real = here.real * around.real + here.imag * around.imag
                imaginary = here.imag * around.real - here.real * around.imag
                turn = np.arctan2(imaginary, real)
                dark = size * shade(turn, power)
                up = dark if turn > 0 else size
                down = dark if turn < 0 else size
                if squared:
                    size, up, down = size * size, up * up, down * down
                images[0, i, j, k] += weight * size
                images[1, i, j, k] += weight * up
                images[2, i, j, k] += weight * down

"""Smoothing of wrapped phase, fast enough to be done for every receive channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable
from scipy import ndimage

from bidsqsm.qsm.grid import Grid, Triple, Volume
from bidsqsm.qsm.jit import kernel

TRUNCATE = 3.0  # widths of the Gaussian
#: Share of the largest summed weight below which the nearest known phase is taken
FAINT_WEIGHT_SHARE = 1e-4


def smooth_phase(
    phase: Volume, weight: Volume, grid: Grid, sigma: float, *, passes: int = 3
) -> Volume:
    r"""Weighted Gaussian smoothing of phase, blind to whole turns.

    .. math:: \bar\phi = \arg \left( G_\sigma * w e^{i\phi} \right)

    The phasors are summed over blocks of at most half a width, smoothed there and interpolated
    back. What a pass leaves is smoothed in the next one, which takes away most of the bias that
    a one-sided neighbourhood gives at the edge of the head.

    Parameters
    ----------
    phase : (nx, ny, nz) float32 array
        Phase in rad, wrapped or not.
    weight : (nx, ny, nz) float32 array
        Not negative; zero where the phase is unknown.
    grid
        Voxel size.
    sigma
        Width (standard deviation) of the Gaussian in mm, along every axis.
    passes
        Number of passes.

    Returns
    -------
    smooth : (nx, ny, nz) float32 array
        In [-pi, pi]; far from any weight that of the nearest place that has some.

    """
    factors = np.array([max(1, int(sigma / (2 * d))) for d in grid.voxel_size])
    widths = [sigma / (d * f) for d, f in zip(grid.voxel_size, factors.tolist(), strict=True)]
    shape = [-(-n // f) for n, f in zip(phase.shape, factors.tolist(), strict=True)]
    rest = np.empty((2, *phase.shape), np.float32)
    _phasors(phase, weight, rest)
    total = np.zeros(shape, np.float32)
    _block_sums(weight, factors, total)
    found = np.zeros((passes, 2, *shape), np.float32)
    for n in range(passes):
        blocks = np.zeros((3, *shape), np.float32)
        _block_sums(rest[0], factors, blocks[0])
        _block_sums(rest[1], factors, blocks[1])
        blocks[2] = total
        found[n] = _unit_phasor(blocks, (widths[0], widths[1], widths[2]))
        if n + 1 < passes:
            _turn_back(found[n], factors, weight, rest)
    smooth = np.empty(phase.shape, np.float32)
    _angle(found, factors, smooth)
    return smooth


def block_phasors(phase: Volume, weight: Volume, factors: Volume) -> Volume:
    """Sum weighted phasors over blocks: (3, ...) float32, real, imaginary and weight."""
    shape = [-(-n // f) for n, f in zip(phase.shape, factors.tolist(), strict=True)]
    blocks = np.zeros((3, *shape), np.float32)
    _sum_blocks(phase, weight, factors, blocks)
    return blocks


def _unit_phasor(blocks: Volume, widths: Triple) -> Volume:
    """Smoothed unit phasor on the grid of blocks, known everywhere: real and imaginary part."""
    for part in blocks:
        ndimage.gaussian_filter(part, widths, mode='constant', truncate=TRUNCATE, output=part)
    known = blocks[2] > FAINT_WEIGHT_SHARE * blocks[2].max()
    if not known.any():
        raise ValueError('no voxel has any signal; expected a magnitude above zero in the head')
    if not known.all():
        nearest = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )
        blocks = blocks[(slice(None), *nearest)]
    length = np.maximum(np.hypot(blocks[0], blocks[1]), np.float32(1e-30))
    unit: Volume = np.ascontiguousarray(blocks[:2] / length)
    return unit


@kernel(parallel=False)
def _sum_blocks(phase: Volume, weight: Volume, factors: Volume, blocks: Volume) -> None:
    nx, ny, nz = phase.shape
    for block in range(blocks.shape[1]):
        for i in range(block * factors[0], min(nx, (block + 1) * factors[0])):
            for j in range(ny):
                v = j // factors[1]
                for t in range(blocks.shape[3]):
                    real = imaginary = total = np.float32(0)
                    for k in range(t * factors[2], min(nz, (t + 1) * factors[2])):
                        w = weight[i, j, k]
                        if w != 0:
                            real += w * np.cos(phase[i, j, k])
                            imaginary += w * np.sin(phase[i, j, k])
                            total += w
                    blocks[0, block, v, t] += real
                    blocks[1, block, v, t] += imaginary
                    blocks[2, block, v, t] += total


@kernel(parallel=False)
def _phasors(phase: Volume, weight: Volume, phasors: Volume) -> None:
    """Real and imaginary part of the weighted phasor of every voxel."""
    nx, ny, nz = phase.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                w = weight[i, j, k]
                phasors[0, i, j, k] = 0
                phasors[1, i, j, k] = 0
                if w != 0:
                    phasors[0, i, j, k] = w * np.cos(phase[i, j, k])
                    phasors[1, i, j, k] = w * np.sin(phase[i, j, k])


@kernel(parallel=False)
def _block_sums(volume: Volume, factors: Volume, blocks: Volume) -> None:
    """Add the sum over each block, in place."""
    nx, ny, nz = volume.shape
    for block in range(blocks.shape[0]):
        for i in range(block * factors[0], min(nx, (block + 1) * factors[0])):
            for j in range(ny):
                v = j // factors[1]
                for t in range(blocks.shape[2]):
                    total = np.float32(0)
                    for k in range(t * factors[2], min(nz, (t + 1) * factors[2])):
                        total += volume[i, j, k]
                    blocks[block, v, t] += total


@register_jitable
def _place(index: Any, factor: Any, length: Any) -> Any:
    # between which two blocks the voxel lies, and how far on
    x = np.float32(min(max((index + 0.5) / factor - 0.5, 0.0), length - 1.0))
    before = min(int(x), max(length - 2, 0))
    return before, min(before + 1, length - 1), x - np.float32(before)


@register_jitable
def _fill_line(coarse: Any, a: Any, p: Any, u: Any, b: Any, q: Any, v: Any, line: Any) -> Any:
    # interpolate along the first two axes
    for t in range(line.size):
        near = coarse[a, b, t] + v * (coarse[a, q, t] - coarse[a, b, t])
        far = coarse[p, b, t] + v * (coarse[p, q, t] - coarse[p, b, t])
        line[t] = near + u * (far - near)


@kernel(parallel=False)
def _turn_back(unit: Volume, factors: Volume, weight: Volume, phasors: Volume) -> None:
    """Turn each phasor by less the angle of a coarse one, interpolated; in place."""
    nx, ny, nz = weight.shape
    cx, cy, cz = unit.shape[1:]
    for i in range(nx):
        real, imaginary = np.empty(cz, np.float32), np.empty(cz, np.float32)
        a, p, u = _place(i, factors[0], cx)
        for j in range(ny):
            b, q, v = _place(j, factors[1], cy)
            _fill_line(unit[0], a, p, u, b, q, v, real)
            _fill_line(unit[1], a, p, u, b, q, v, imaginary)
            for k in range(nz):
                if weight[i, j, k] == 0:
                    continue
                c, r, w = _place(k, factors[2], cz)
                re = real[c] + w * (real[r] - real[c])
                im = imaginary[c] + w * (imaginary[r] - imaginary[c])
                length = np.sqrt(re * re + im * im)
                if length > 0:
                    re /= length
                    im /= length
                    x, y = phasors[0, i, j, k], phasors[1, i, j, k]
                    phasors[0, i, j, k] = x * re + y * im
                    phasors[1, i, j, k] = y * re - x * im


@kernel(parallel=False)
def _angle(units: Volume, factors: Volume, angle: Volume) -> None:
    """Angle of the product of coarse phasors, each interpolated to every voxel."""
    nx, ny, nz = angle.shape
    passes = units.shape[0]
    cx, cy, cz = units.shape[2:]
    for i in range(nx):
        lines = np.empty((passes, 2, cz), np.float32)
        a, p, u = _place(i, factors[0], cx)
        for j in range(ny):
            b, q, v = _place(j, factors[1], cy)
            for n in range(passes):
                _fill_line(units[n, 0], a, p, u, b, q, v, lines[n, 0])
                _fill_line(units[n, 1], a, p, u, b, q, v, lines[n, 1])
            for k in range(nz):
                c, r, w = _place(k, factors[2], cz)
                x, y = np.float32(1), np.float32(0)
                for n in range(passes):
                    re = lines[n, 0, c] + w * (lines[n, 0, r] - lines[n, 0, c])
                    im = lines[n, 1, c] + w * (lines[n, 1, r] - lines[n, 1, c])
                    x, y = x * re - y * im, x * im + y * re
                angle[i, j, k] = np.arctan2(y, x)

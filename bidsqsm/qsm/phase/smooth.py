"""Smoothing of wrapped phase, fast enough to be done for every receive channel."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Grid, Triple, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phase.wrap import wrap

TRUNCATE = 3.0  # widths of the Gaussian
FAINT = 1e-4  # share of the largest summed weight below which the nearest known phase is taken


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
    smooth = np.zeros_like(phase)
    for _ in range(passes):
        rest = _coarse_phasor(phase - smooth, weight, factors, (widths[0], widths[1], widths[2]))
        _add_angle(rest[0], rest[1], factors, smooth)
    return wrap(smooth)


def block_phasors(phase: Volume, weight: Volume, factors: Volume) -> Volume:
    """Sum weighted phasors over blocks: (3, ...) float32, real, imaginary and weight."""
    shape = [-(-n // f) for n, f in zip(phase.shape, factors.tolist(), strict=True)]
    blocks = np.zeros((3, *shape), np.float32)
    _sum_blocks(phase, weight, factors, blocks)
    return blocks


def _coarse_phasor(phase: Volume, weight: Volume, factors: Volume, widths: Triple) -> Volume:
    """Smoothed unit phasor on the grid of blocks, known everywhere: real and imaginary part."""
    blocks = block_phasors(phase, weight, factors)
    for part in blocks:
        ndimage.gaussian_filter(part, widths, mode='constant', truncate=TRUNCATE, output=part)
    known = blocks[2] > FAINT * blocks[2].max()
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


@kernel()
def _sum_blocks(phase: Volume, weight: Volume, factors: Volume, blocks: Volume) -> None:
    nx, ny, nz = phase.shape
    for block in nb.prange(blocks.shape[1]):
        for i in range(block * factors[0], min(nx, (block + 1) * factors[0])):
            for j in range(ny):
                v = j // factors[1]
                for k in range(nz):
                    w = weight[i, j, k]
                    if w == 0:
                        continue
                    t = k // factors[2]
                    blocks[0, block, v, t] += w * np.cos(phase[i, j, k])
                    blocks[1, block, v, t] += w * np.sin(phase[i, j, k])
                    blocks[2, block, v, t] += w


@kernel()
def _add_angle(real: Volume, imaginary: Volume, factors: Volume, total: Volume) -> None:
    """Interpolate a coarse phasor to every voxel and add its angle, in place."""
    nx, ny, nz = total.shape
    cx, cy, cz = real.shape
    for i in nb.prange(nx):
        x = np.float32(min(max((i + 0.5) / factors[0] - 0.5, 0.0), cx - 1.0))
        a = int(x)
        for j in range(ny):
            y = np.float32(min(max((j + 0.5) / factors[1] - 0.5, 0.0), cy - 1.0))
            b = int(y)
            for k in range(nz):
                z = np.float32(min(max((k + 0.5) / factors[2] - 0.5, 0.0), cz - 1.0))
                c = int(z)
                re = np.float32(0)
                im = np.float32(0)
                for u in range(a, min(a + 2, cx)):
                    for v in range(b, min(b + 2, cy)):
                        for t in range(c, min(c + 2, cz)):
                            w = (1 - abs(x - u)) * (1 - abs(y - v)) * (1 - abs(z - t))
                            re += w * real[u, v, t]
                            im += w * imaginary[u, v, t]
                total[i, j, k] += np.arctan2(im, re)

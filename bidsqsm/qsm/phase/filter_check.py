"""Phase that a scanner has high-pass filtered, which no field can be computed from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.phase.smooth import block_phasors
from bidsqsm.qsm.units import MAD_TO_SD

FILTER_BLOCK_MM = 3.0
NOISE_SIGMA_MM = 2.5  # mm: width of the Gaussian that takes out noise
SLOW_SIGMA_MM = 10.0  # mm: width of the Gaussian that separates slow from fast changes
RATIO = 1.05  # slow over fast: below on filtered phase (up to 0.95), above on measured (1.2 to 30)
SMALLEST_SPREAD_RAD = 0.01  # rad: spread at every scale that leaves nothing to compare


def is_filtered(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float], grid: Grid
) -> tuple[bool, str]:
    """Tell phase that was high-pass filtered (homodyne, SWI) from phase as it was measured.

    Measured phase changes most over large distances: the fields of air and shim and the receive
    phase are smooth. A high-pass filter leaves vessels and edges only. So the spread of the
    phase after wide smoothing is compared with the spread about it, both measured on phasors
    and thus without unwrapping. One echo that changes more at large distances is proof enough
    that nothing was filtered.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad, before removal of any offset.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        The head or the brain.
    echo_times
        Echo times in s, ascending.
    grid
        Voxel size.

    Returns
    -------
    filtered
        Whether the phase looks filtered at every echo.
    sentence
        The evidence.

    """
    pairs = [_slow_and_fast(p, m, mask, grid) for p, m in zip(phase, magnitude, strict=True)]
    best = max(range(len(pairs)), key=lambda n: pairs[n][0] / max(pairs[n][1], 1e-6))
    slow, fast = pairs[best]
    evidence = (
        f'at {1000 * echo_times[best]:.3g} ms the phase spreads by {slow:.2g} rad over distances '
        f'beyond {SLOW_SIGMA_MM * grid.body_scale:g} mm and by {fast:.2g} rad below'
    )
    if max(max(pair) for pair in pairs) < SMALLEST_SPREAD_RAD:
        return False, f'Whether phase was filtered cannot be told: {evidence}.'
    if slow < RATIO * fast:
        return (
            True,
            f'Phase looks high-pass filtered: {evidence}; a field that was measured is smooth.',
        )
    return False, f'Phase is not filtered: {evidence}.'


def _slow_and_fast(
    phase: Volume, magnitude: Volume, mask: Mask, grid: Grid
) -> tuple[float, float]:
    """Robust spread in rad of widely smoothed phase, and of slightly smoothed phase about it."""
    factors = np.array([max(1, round(FILTER_BLOCK_MM / d)) for d in grid.voxel_size])
    weight = np.where(mask, magnitude, np.float32(0))
    blocks = block_phasors(phase, weight / max(float(weight.max()), 1e-30), factors)
    inside = blocks[2] > 0.25 * np.percentile(blocks[2][blocks[2] > 0], 90)
    size = [d * f for d, f in zip(grid.voxel_size, factors.tolist(), strict=True)]
    fine, smooth = (
        _smoothed(blocks, [width / d for d in size]) for width in (NOISE_SIGMA_MM, SLOW_SIGMA_MM)
    )
    mean = np.angle(np.sum(smooth[inside]))
    slow = np.angle(smooth[inside] * np.exp(-1j * mean))
    fast = np.angle(fine[inside] * np.conj(smooth[inside]))
    return _half_width(slow), _half_width(fast)


def _smoothed(blocks: Volume, widths: list[float]) -> npt.NDArray[np.complexfloating]:
    real, imaginary = (ndimage.gaussian_filter(b, widths, truncate=3) for b in blocks[:2])
    return np.asarray(real + 1j * imaginary)


def _half_width(angles: Volume) -> float:
    """Standard deviation that a normal distribution of the same median size has."""
    return float(MAD_TO_SD * np.median(np.abs(angles)))

"""Voxel-wise fits of a phase line to the echoes."""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel


@kernel()
def fit_lines(  # noqa: C901 - all sums of a voxel in one pass, fused for numba
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Volume,
    free_offset: bool,
    newton_steps: int,
    rate: Volume,
    offset: Volume,
    misfit: Volume,
    information: Volume,
) -> None:
    """Fit phase = offset + rate * TE to unwrapped phase with weights magnitude^2.

    Starts from the weighted linear solution and takes ``newton_steps`` Gauss-Newton steps on the
    complex misfit sum m^2 |exp(i phase) - exp(i model)|^2. Writes the rate (rad/s), the offset
    (rad), the misfit sum m^2 |..|^2 and the information on the rate, sum m^2 TE^2 less what a
    free offset takes.
    """
    n_echoes, nx, ny, nz = phase.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                s0 = s1 = s2 = np.float32(0)
                for n in range(n_echoes):
                    w = magnitude[n, i, j, k] ** 2
                    s0 += w
                    s1 += w * echo_times[n]
                    s2 += w * echo_times[n] ** 2
                det = s0 * s2 - s1 * s1
                if s2 <= 0 or (free_offset and det <= 0):
                    continue
                a = b = np.float32(0)
                for step in range(newton_steps + 1):
                    g0 = g1 = np.float32(0)
                    for n in range(n_echoes):
                        off = phase[n, i, j, k] - a - b * echo_times[n]
                        # slope of |e^{i phi} - e^{i model}|^2, blind to missed wraps
                        if step > 0:
                            off = np.sin(off)
                        w = magnitude[n, i, j, k] ** 2
                        g0 += w * off
                        g1 += w * off * echo_times[n]
                    # curvature as at no misfit: the matrix of the linear fit serves
                    if free_offset:
                        a += (s2 * g0 - s1 * g1) / det
                        b += (s0 * g1 - s1 * g0) / det
                    else:
                        b += g1 / s2
                total = np.float32(0)
                for n in range(n_echoes):
                    off = phase[n, i, j, k] - a - b * echo_times[n]
                    total += magnitude[n, i, j, k] ** 2 * 2 * (1 - np.cos(off))
                rate[i, j, k] = b
                offset[i, j, k] = a
                misfit[i, j, k] = total
                information[i, j, k] = det / s0 if free_offset else s2

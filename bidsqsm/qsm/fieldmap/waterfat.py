"""Voxel-wise fit of water, fat, field and decay to the echoes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

START_RATE = 40.0  # 1/s
FASTEST_R2STAR = 2000.0  # 1/s
SMALLEST_STEP_RAD = 1e-3  # rad at the last echo: the next step would be its square


class WaterFatMaps(NamedTuple):
    """What a fit finds, (nx, ny, nz) float32 each: in Hz, rad, 1/s and the magnitude's unit.

    ``misfit`` is |data - model|^2 over the echoes, ``turned`` the same with the magnitude of the
    model taken from the data, ``spread`` the standard deviation of the field (Hz) for a complex
    signal with a noise of one in each channel; zero where nothing was fitted.
    """

    field: Volume
    offset: Volume
    water: Volume
    fat: Volume
    rate: Volume
    misfit: Volume
    turned: Volume
    spread: Volume


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _linearise(data: Any, fat: Any, times: Any, p: Any, size: Any, h: Any, g: Any) -> Any:
    # misfit, slope and Gauss-Newton curvature along water, fat, field, rate (and offset), the
    # first of p; field and rate in units of the inverse last echo time, which is the sixth
    misfit = np.float32(0)
    slopes = np.empty((5, 2), np.float32)
    for a in range(size):
        g[a] = 0
        for b in range(a + 1):
            h[a, b] = 0
    for n in range(len(times)):
        t = times[n]
        decay = np.exp(-p[3] * t)
        angle = p[2] * t + p[4]
        er, ei = decay * np.cos(angle), decay * np.sin(angle)
        fr, fi = er * fat[n, 0] - ei * fat[n, 1], er * fat[n, 1] + ei * fat[n, 0]
        mr, mi = p[0] * er + p[1] * fr, p[0] * ei + p[1] * fi
        slopes[0, 0], slopes[0, 1] = er, ei
        slopes[1, 0], slopes[1, 1] = fr, fi
        slopes[2, 0], slopes[2, 1] = -t * mi, t * mr
        slopes[3, 0], slopes[3, 1] = -t * mr, -t * mi
        slopes[4, 0], slopes[4, 1] = -mi, mr
        dr, di = data[n, 0] - mr, data[n, 1] - mi
        misfit += dr * dr + di * di
        for a in range(size):
            g[a] += slopes[a, 0] * dr + slopes[a, 1] * di
            for b in range(a + 1):
                h[a, b] += slopes[a, 0] * slopes[b, 0] + slopes[a, 1] * slopes[b, 1]
    return misfit


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _solve(h: Any, g: Any, damping: Any, size: Any, low: Any, x: Any) -> bool:
    # (H + damping diag H) x = g by Cholesky; False where H is not definite
    for a in range(size):
        for b in range(a + 1):
            total = h[a, b] * (1 + damping) if a == b else h[a, b]
            for c in range(b):
                total -= low[a, c] * low[b, c]
            if a == b:
                if not total > np.float32(1e-6) * h[a, a]:
                    return False
                low[a, a] = np.sqrt(total)
            else:
                low[a, b] = total / low[b, b]
    for a in range(size):
        total = g[a]
        for c in range(a):
            total -= low[a, c] * x[c]
        x[a] = total / low[a, a]
    for a in range(size - 1, -1, -1):
        total = x[a]
        for c in range(a + 1, size):
            total -= low[c, a] * x[c]
        x[a] = total / low[a, a]
    return True


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _start(data: Any, fat: Any, times: Any, p: Any, free: Any) -> None:
    # water and fat of least misfit for the field, rate (and offset) of p; a free offset first
    gww = gwf = gff = np.float32(0)
    wr = wi = fr = fi = np.float32(0)
    for n in range(len(times)):
        decay = np.exp(-p[3] * times[n])
        cosine, sine = np.cos(p[2] * times[n]), np.sin(p[2] * times[n])
        zr = data[n, 0] * cosine + data[n, 1] * sine
        zi = data[n, 1] * cosine - data[n, 0] * sine
        gww += decay * decay
        gwf += decay * decay * fat[n, 0]
        gff += decay * decay * (fat[n, 0] ** 2 + fat[n, 1] ** 2)
        wr += decay * zr
        wi += decay * zi
        fr += decay * (fat[n, 0] * zr + fat[n, 1] * zi)
        fi += decay * (fat[n, 0] * zi - fat[n, 1] * zr)
    det = max(gww * gff - gwf * gwf, np.float32(1e-6) * gww * gff)
    # both phases alike: half the angle of b^T G^-1 b
    ar, ai = gff * wr - gwf * fr, gff * wi - gwf * fi
    br, bi = gww * fr - gwf * wr, gww * fi - gwf * wi
    if free:
        real = ar * wr - ai * wi + br * fr - bi * fi
        imag = ar * wi + ai * wr + br * fi + bi * fr
        p[4] = np.float32(0.5) * np.arctan2(imag, real)
        if (ar + br) * np.cos(p[4]) + (ai + bi) * np.sin(p[4]) < 0:
            p[4] += np.float32(np.pi) if p[4] <= 0 else -np.float32(np.pi)
    cosine, sine = np.cos(p[4]), np.sin(p[4])
    p[0] = (ar * cosine + ai * sine) / det
    p[1] = (br * cosine + bi * sine) / det


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _descend(data: Any, fat: Any, times: Any, p: Any, size: Any, max_iter: Any, room: Any) -> Any:
    # Levenberg and Marquardt's steps from p, in place; returns the misfit
    h, other, low, g, slope, x, trial = room
    centre = p[2]
    reach = np.float32(np.pi) / (1 - times[0])
    fastest = np.float32(FASTEST_R2STAR) * p[5]
    misfit = _linearise(data, fat, times, p, size, h, g)
    damping = np.float32(1e-3)
    for _ in range(max_iter):
        if not _solve(h, g, damping, size, low, x):
            damping = max(10 * damping, np.float32(1e-2))
            continue
        for a in range(6):
            trial[a] = p[a] + x[a] if a < size else p[a]
        trial[2] = min(max(trial[2], centre - reach), centre + reach)
        trial[3] = min(max(trial[3], np.float32(0)), fastest)
        tried = _linearise(data, fat, times, trial, size, other, slope)
        if tried > misfit:
            damping *= 10
            if damping > 1e6:
                break
            continue
        moved = abs(trial[2] - p[2]) + abs(trial[3] - p[3])
        damping *= np.float32(0.2)
        misfit = tried
        for a in range(size):
            p[a] = trial[a]
            g[a] = slope[a]
            for b in range(a + 1):
                h[a, b] = other[a, b]
        if moved < SMALLEST_STEP_RAD:
            break
    return misfit


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _turned(data: Any, fat: Any, times: Any, p: Any) -> Any:
    # |data - model|^2 where the model has the magnitude of the data
    total = np.float32(0)
    for n in range(len(times)):
        angle = p[2] * times[n] + p[4]
        angle += np.arctan2(p[1] * fat[n, 1], p[0] + p[1] * fat[n, 0])
        m = np.sqrt(data[n, 0] ** 2 + data[n, 1] ** 2)
        total += 2 * m * (m - data[n, 0] * np.cos(angle) - data[n, 1] * np.sin(angle))
    return max(total, np.float32(0))


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _load(phase: Any, magnitude: Any, sign: Any, i: Any, j: Any, k: Any, data: Any) -> Any:
    # signal of a voxel relative to its root mean square, which is returned
    power = np.float32(0)
    for n in range(len(phase)):
        power += magnitude[n, i, j, k] ** 2
    scale = np.sqrt(power / np.float32(len(phase)))
    if scale > 0:
        for n in range(len(phase)):
            m, angle = magnitude[n, i, j, k] / scale, sign * phase[n, i, j, k]
            data[n, 0], data[n, 1] = m * np.cos(angle), m * np.sin(angle)
    return scale


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _rooms(n_echoes: Any) -> Any:
    square = (
        np.empty((5, 5), np.float32),
        np.empty((5, 5), np.float32),
        np.empty((5, 5), np.float32),
    )
    line = (np.empty(5, np.float32), np.empty(5, np.float32), np.empty(5, np.float32))
    return (
        np.empty((n_echoes, 2), np.float32),
        np.zeros(6, np.float32),
        (
            *square,
            *line,
            np.zeros(6, np.float32),
        ),
    )


@kernel()
def fit_water_fat(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    sign: np.float32,
    echo_times: Volume,
    fat: Volume,
    free_offset: bool,
    max_iter: int,
    maps: WaterFatMaps,
) -> None:
    """Fit exp(i offset) (water + fat a_n) exp((2 pi i field - rate) TE_n) from ``maps.field`` on.

    Levenberg and Marquardt's steps in each voxel; the field stays within half the width of a
    minimum of its start. The offset is fitted, or taken from ``maps.offset``. ``fat``
    (n_echoes, 2) is real and imaginary part of the signal a_n of fat.
    """
    # arrays of a tuple would be written to in vain within the parallel loop
    field, offset, water, fatty, rate, misfit, turned, spread = maps
    n_echoes, nx, ny, nz = phase.shape
    last = echo_times[n_echoes - 1]
    times = echo_times / last
    turn = np.float32(TURN_RAD) * last
    size = 5 if free_offset else 4
    for i in nb.prange(nx):
        data, p, room = _rooms(n_echoes)
        h, _, low, g, _, x, _ = room
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                scale = _load(phase, magnitude, sign, i, j, k, data)
                if scale == 0:
                    continue
                begin = rate[i, j, k] if rate[i, j, k] > 0 else np.float32(START_RATE)
                p[2], p[3] = turn * field[i, j, k], begin * last
                p[4], p[5] = offset[i, j, k], last
                _start(data, fat, times, p, free_offset)
                missed = _descend(data, fat, times, p, size, max_iter, room)
                field[i, j, k], offset[i, j, k] = p[2] / turn, p[4]
                water[i, j, k], fatty[i, j, k] = p[0] * scale, p[1] * scale
                rate[i, j, k] = p[3] / last
                misfit[i, j, k] = missed * scale * scale
                turned[i, j, k] = _turned(data, fat, times, p) * scale * scale
                for a in range(5):
                    g[a] = np.float32(1) if a == 2 else np.float32(0)
                if _solve(h, g, np.float32(0), size, low, x):
                    spread[i, j, k] = np.sqrt(x[2]) / (turn * scale)

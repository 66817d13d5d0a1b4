"""The signal of three pools in one voxel, and its least-squares fit in many."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.units import TURN_RAD

Complex = npt.NDArray[np.complexfloating]
#: Parameters of a voxel, all at least zero: amplitudes of the paramagnetic, the diamagnetic and the
#: neutral pool, their common rate (1/s), sizes of the two susceptibilities (ppm).
UNKNOWNS = 6
_FASTEST_COMMON_RATE = 500.0  # 1/s, the highest common rate
_COMMON_RATES = (4.0, 10.0, 20.0, 40.0, 80.0)  # 1/s
_SHARES = (0.06, 0.16, 0.32, 0.64)  # of the largest susceptibility
_AMPLITUDE_SWEEPS = 20  # over the three amplitudes of a candidate
_HUGE_COST = 1e300  # infinity is not to be trusted where floating point is fast


class Candidates(NamedTuple):
    """Where a fit may start: rates and susceptibilities on a coarse grid.

    Parameters
    ----------
    values : (n, 3) float64 array
        Common rate in 1/s, sizes of the two susceptibilities in ppm.
    signals : (n, 3, n_echoes) complex128 array
        Signal of each pool at an amplitude of one.
    gram : (n, 3, 3) float64 array
        Their real inner products.

    """

    values: Volume
    signals: Complex
    gram: Volume


def rate_per_ppm(imaging_frequency: float) -> complex:
    r"""Complex rate in 1/s of a pool of +1 ppm at an imaging frequency in MHz.

    With the angular frequency :math:`\omega` of 1 ppm, static dephasing among spheres takes
    :math:`\frac{2 \pi}{9 \sqrt 3} \omega` [yablonskiy1994]_ off the magnitude, and the phase grows by
    :math:`\frac{2}{3} \omega`.

    References
    ----------
    .. [yablonskiy1994] Yablonskiy and Haacke, Magn Reson Med 32:749-763 (1994).
       doi:10.1002/mrm.1910320610

    Examples
    --------
    >>> print(f'{rate_per_ppm(127.74):.1f}')
    -323.5+535.1j

    """
    omega = TURN_RAD * imaging_frequency
    return complex(-2 * np.pi / (9 * np.sqrt(3)) * omega, 2 / 3 * omega)


def candidates(times: Volume, unit: complex, largest: float) -> Candidates:
    """Starts for susceptibilities up to the largest (ppm), ``unit`` being the rate of 1 ppm."""
    sizes = [largest * share for share in _SHARES]
    values = np.array([(rate, x, y) for rate in _COMMON_RATES for x in sizes for y in sizes])
    rate, plus, minus = values.T[..., np.newaxis]
    rates = np.stack([unit * plus - rate, np.conj(unit) * minus - rate, -rate + 0j], axis=1)
    signals = np.exp(rates * times)
    gram = np.einsum('gan,gbn->gab', signals.conj(), signals).real
    return Candidates(values, signals, np.ascontiguousarray(gram))


@nb.njit(fastmath=True, nogil=True)
def _start(  # noqa: C901 - loops over candidates and pools, fused for numba
    signal: Complex, start: Candidates, p: Volume, work: Volume
) -> None:
    # the candidate that explains most, with its amplitudes by coordinate descent
    values, signals, gram = start
    most = -1.0
    towards, size = work[0], work[1]
    for g in range(len(values)):
        for a in range(3):
            size[a], towards[a] = 0.3, 0.0
            for n in range(signal.size):
                towards[a] += (np.conj(signals[g, a, n]) * signal[n]).real
        for _ in range(_AMPLITUDE_SWEEPS):
            for a in range(3):
                rest = towards[a]
                for b in range(3):
                    if b != a:
                        rest -= gram[g, a, b] * size[b]
                size[a] = max(rest / gram[g, a, a], 0.0)
        explained = 0.0
        for a in range(3):
            explained += 2 * towards[a] * size[a]
            for b in range(3):
                explained -= size[a] * gram[g, a, b] * size[b]
        if explained > most:
            most = explained
            for a in range(3):
                p[a], p[3 + a] = size[a], values[g, a]


@nb.njit(fastmath=True, nogil=True)
def _normal(
    p: Volume,
    signal: Complex,
    times: Volume,
    unit: complex,
    slope: Volume,
    curve: Volume,
    by: Complex,
) -> float:
    # misfit of a voxel; its negative slope and its curvature (Gauss-Newton) are written beside
    misfit = 0.0
    for a in range(UNKNOWNS):
        slope[a] = 0.0
        for b in range(a + 1):
            curve[a, b] = 0.0
    for n in range(times.size):
        t = times[n]
        common = np.exp(-p[3] * t)
        by[0] = common * np.exp(unit * p[4] * t)
        by[1] = common * np.exp(np.conj(unit) * p[5] * t)
        by[2] = common
        model = p[0] * by[0] + p[1] * by[1] + p[2] * common
        by[3] = -t * model
        by[4] = t * unit * p[0] * by[0]
        by[5] = t * np.conj(unit) * p[1] * by[1]
        off = signal[n] - model
        misfit += off.real * off.real + off.imag * off.imag
        for a in range(UNKNOWNS):
            slope[a] += by[a].real * off.real + by[a].imag * off.imag
            for b in range(a + 1):
                curve[a, b] += by[a].real * by[b].real + by[a].imag * by[b].imag
    return misfit


@nb.njit(fastmath=True, nogil=True)
def _solve(
    curve: Volume, slope: Volume, held: Volume, damp: float, lower: Volume, step: Volume
) -> bool:
    # Cholesky's factor of the damped curvature; what is held at a bound takes no step
    for a in range(UNKNOWNS):
        for b in range(a + 1):
            value = 0.0 if held[a] + held[b] > 0 else curve[a, b]
            if a == b:
                value = 1.0 if held[a] > 0 else value * (1 + damp) + 1e-14
            for c in range(b):
                value -= lower[a, c] * lower[b, c]
            if a == b and value <= 0:
                return False
            lower[a, b] = np.sqrt(value) if a == b else value / lower[b, b]
    for a in range(UNKNOWNS):
        step[a] = 0.0 if held[a] > 0 else slope[a]
        for c in range(a):
            step[a] -= lower[a, c] * step[c]
        step[a] /= lower[a, a]
    for a in range(UNKNOWNS - 1, -1, -1):
        for c in range(a + 1, UNKNOWNS):
            step[a] -= lower[c, a] * step[c]
        step[a] /= lower[a, a]
    return True


@nb.njit(fastmath=True, nogil=True)
def _ceiling(a: int, largest: float) -> float:
    if a < 3:
        return _HUGE_COST
    return _FASTEST_COMMON_RATE if a == 3 else largest


@nb.njit(fastmath=True, nogil=True)
def _descend(
    p: Volume,
    signal: Complex,
    times: Volume,
    unit: complex,
    largest: float,
    max_iter: int,
    work: Volume,
    squares: Volume,
    by: Complex,
) -> float:
    # Levenberg and Marquardt's steps, cut off at the bounds; the first only looks
    slope, there, step, trial, held = work[0], work[1], work[2], work[3], work[4]
    curve, curve_there, lower = squares[0], squares[1], squares[2]
    best, damp, able = _HUGE_COST, 1e-2, True
    step[:] = 0.0
    for _ in range(max_iter + 1):
        now = _HUGE_COST
        if able:
            for a in range(UNKNOWNS):
                trial[a] = min(max(p[a] + step[a], 0.0), _ceiling(a, largest))
            now = _normal(trial, signal, times, unit, there, curve_there, by)
        if now < best:
            small = best - now < 1e-5 * best
            best = now
            for a in range(UNKNOWNS):
                p[a], slope[a] = trial[a], there[a]
                for b in range(a + 1):
                    curve[a, b] = curve_there[a, b]
            damp = max(0.2 * damp, 1e-9)
            if small:
                break
        else:
            damp *= 8
            if damp > 1e8:
                break
        for a in range(UNKNOWNS):
            out = (p[a] <= 0 and slope[a] <= 0) or (p[a] >= _ceiling(a, largest) and slope[a] >= 0)
            held[a] = 1.0 if out else 0.0
        able = _solve(curve, slope, held, damp, lower, step)
    return best


@nb.njit(fastmath=True, nogil=True)
def _apparent(
    own: float, rest: float, size: float, unit: complex, signal: Complex, times: Volume
) -> float:
    # slope of the phase of one pool among neutral matter, in ppm: echoes weighted by their
    # signal's square, as a fit of the field weights them; the common decay has no phase
    above = below = phase = 0.0
    before = 1.0 + 0.0j
    for n in range(times.size):
        now = own * np.exp(unit * size * times[n]) + rest
        step = now * np.conj(before)
        phase += np.arctan2(step.imag, step.real)  # from echo to echo it turns by less than pi
        before = now
        weight = signal[n].real * signal[n].real + signal[n].imag * signal[n].imag
        above += weight * times[n] * phase
        below += weight * times[n] * times[n]
    apparent: float = above / (abs(unit.imag) * below)
    return apparent


@nb.njit(fastmath=True, nogil=True)
def _fit(
    phase: Volume,
    magnitude: Volume,
    times: Volume,
    unit: complex,
    start: Candidates,
    largest: float,
    max_iter: int,
    out: Volume,
) -> None:
    # one voxel
    signal, by = np.empty(times.size, np.complex128), np.empty(UNKNOWNS, np.complex128)
    p, work = np.empty(UNKNOWNS), np.empty((5, UNKNOWNS))
    squares = np.empty((3, UNKNOWNS, UNKNOWNS))
    top = 0.0
    for n in range(times.size):
        top = max(top, magnitude[n])
    for n in range(times.size):
        signal[n] = magnitude[n] / top * np.exp(1j * phase[n])
    _start(signal, start, p, work)
    misfit = _descend(p, signal, times, unit, largest, max_iter, work, squares, by)
    whole = p[0] + p[1] + p[2]
    out[0] = _apparent(p[0], whole - p[0], p[4], unit, signal, times)
    out[1] = _apparent(p[1], whole - p[1], p[5], np.conj(unit), signal, times)
    out[2] = np.sqrt(misfit / times.size)


@kernel()
def fit_voxels(
    phase: Volume,
    magnitude: Volume,
    times: Volume,
    unit: complex,
    start: Candidates,
    largest: float,
    max_iter: int,
    out: Volume,
) -> None:
    """Fit voxels, echoes first; paramagnetic, diamagnetic and relative misfit go to ``out``."""
    for v in nb.prange(phase.shape[1]):
        _fit(phase[:, v], magnitude[:, v], times, unit, start, largest, max_iter, out[:, v])

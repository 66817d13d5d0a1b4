"""A straight line through the logarithm of the decay, and the noise that it leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.relaxometry.decay import Counts, Decay
from bidsqsm.qsm.relaxometry.relaxation import squared_misfit

NOISE_VOXELS = 100_000  # voxels that tell the noise


def line(decay: Decay, passes: int = 1) -> tuple[Volume, Volume]:
    """Rate and amplitude of the weighted line; rates are at least zero.

    Parameters
    ----------
    decay
        What to fit, two echoes or more; a voxel with fewer gets zeros.
    passes
        How often the line is drawn: at first with the squared magnitude as weights, then with that
        of the line before.

    Returns
    -------
    rate, amplitude : (n_voxels,) float32 arrays
        In 1/s and in the magnitude's unit.

    """
    rate, amplitude = decay.empty(), decay.empty()
    _fit(decay.signal, decay.share, decay.used, decay.times, passes, rate, amplitude)
    return rate, amplitude


def with_noise(decay: Decay, noise: float = 0.0) -> Decay:
    """Add the noise: the given one, or for 0 what the line leaves where the signal is strong.

    The squared misfit of Gaussian noise is distributed as chi squared with two degrees of freedom
    fewer than echoes; its median over voxels is not moved by some of another decay. Two
    echoes tell no noise, which then stays 0.
    """
    n_echoes = decay.times.size
    if noise > 0 or n_echoes < 3:
        return replace(decay, noise=noise)
    whole = np.flatnonzero(decay.used == n_echoes)
    last = decay.signal[whole, -1]
    # a faint last echo is lifted by the noise itself
    whole = whole[last >= np.median(last)] if last.size else whole
    seen = decay.part(whole[:: 1 + whole.size // NOISE_VOXELS])
    squares = squared_misfit(seen, *line(seen))
    expected = special.chdtri(n_echoes - 2, 0.5)
    return replace(
        decay, noise=float(np.sqrt(np.median(squares) / expected)) if squares.size else 0.0
    )


@kernel(parallel=False)
def _fit(
    signal: Volume,
    share: Volume,
    used: Counts,
    times: Volume,
    passes: int,
    rate: Volume,
    amplitude: Volume,
) -> None:
    for v in range(used.size):
        if used[v] < 2:
            continue
        top = signal[v, 0]
        slope, level = np.float32(0), np.float32(0)  # of the line, by the brightest echo
        for turn in range(passes):
            w0 = wt = wl = wtt = wtl = np.float32(0)
            for n in range(used[v]):
                t, seen = times[n], signal[v, n] / top
                log = np.log(seen / share[v, n])
                if turn > 0:
                    seen = share[v, n] * np.exp(level - slope * t)
                w = seen * seen
                w0 += w
                wt += w * t
                wl += w * log
                wtt += w * t * t
                wtl += w * t * log
            det = w0 * wtt - wt * wt
            if det <= 0:
                break
            slope = max(np.float32(0), (wt * wl - w0 * wtl) / det)
            level = (wl + slope * wt) / w0
        rate[v] = slope
        amplitude[v] = top * np.exp(level)

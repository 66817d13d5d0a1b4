"""How fat resonates beside water, and whether a set of echoes can tell the two apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Complex = npt.NDArray[np.complexfloating[Any, Any]]

#: Shifts from water in ppm (fat resonates lower) and shares of the signal of fat.
SPECTRA: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    'six': (
        (-3.80, -3.40, -2.60, -1.94, -0.39, 0.60),
        (0.087, 0.693, 0.128, 0.004, 0.039, 0.048),
    ),
    'one': ((-3.40,), (1.0,)),
}
MAIN_SHIFT = 3.40  # ppm between water and the methylene peak

RATE = 30.0  # 1/s, of the tissue for which echoes are judged
SNR = 50.0
TOO_NOISY = 0.05  # sd of the fat fraction of that tissue: five times what well-placed echoes give


def fat_signal(echo_times: Sequence[float], imaging_frequency: float, peaks: str) -> Complex:
    """Signal of unit fat on a proton frequency (MHz) at every echo time (s), without decay.

    The phase grows with the frequency, so that of fat falls behind that of water.

    Examples
    --------
    >>> opposed, later = fat_signal([1 / (2 * 3.4 * 100), 1e-4], 100.0, 'one').tolist()
    >>> round(opposed.real, 6), round(later.imag, 3)
    (-1.0, -0.212)

    """
    shifts, shares = (np.asarray(values) for values in SPECTRA[peaks])
    turns = np.outer(np.asarray(echo_times, float), shifts * imaging_frequency)
    signal: Complex = np.exp(2j * np.pi * turns) @ (shares / shares.sum())
    return signal


def check_echoes(echo_times: Sequence[float], imaging_frequency: float, peaks: str) -> None:
    """Raise where the echoes are too few, or placed so that water and fat stay in step.

    The bound of Cramer and Rao on the fat fraction of a half-and-half tissue must leave
    something measured.
    """
    if len(echo_times) < 3:
        raise ValueError(
            f'{len(echo_times)} echo(es), expected 3 or more to tell water from fat; choose '
            'another method, e.g. --field nonlinear'
        )
    times = np.asarray(echo_times, float)
    fat = fat_signal(echo_times, imaging_frequency, peaks)
    decay = np.exp(-RATE * times)
    model = 0.5 * (1 + fat) * decay
    slopes = np.stack([decay, fat * decay, 1j * times * model, -times * model], axis=1)
    both = np.concatenate([slopes.real, slopes.imag])
    scale = np.linalg.norm(both, axis=0)
    spread = np.linalg.pinv(both / scale, rcond=1e-9) / scale[:, None]
    share = 0.5 * (spread[1] - spread[0])  # of fat / (water + fat) where both are a half
    noise = float(np.linalg.norm(share)) / SNR
    if noise > TOO_NOISY or np.linalg.matrix_rank(both / scale, tol=1e-6) < 4:
        interval = 1000 / (MAIN_SHIFT * imaging_frequency)
        listed = ', '.join(f'{1000 * time:.4g}' for time in times)
        raise ValueError(
            f'echo times of {listed} ms, at which water and fat stay in step (they turn once in '
            f'{interval:.3g} ms): they cannot be told apart; choose another method, e.g. '
            '--field nonlinear'
        )

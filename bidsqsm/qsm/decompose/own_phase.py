"""The phase that a voxel owes to its own susceptibility."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.decompose.pools import rate_per_ppm
from bidsqsm.qsm.grid import Volume


def own_phase(chi: Volume, echo_times: Sequence[float], imaging_frequency: float) -> Volume:
    r"""Phase :math:`\frac{2}{3} \omega \chi t` of each echo, free of wraps.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    echo_times
        Echo times in s.
    imaging_frequency
        In MHz.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In rad; grows with the susceptibility.

    """
    turn = rate_per_ppm(imaging_frequency).imag
    times = np.asarray(echo_times, np.float32).reshape(-1, 1, 1, 1)
    return np.asarray(np.float32(turn) * times * chi, np.float32)

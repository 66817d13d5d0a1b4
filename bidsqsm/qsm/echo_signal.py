"""The signal of all echoes, as methods take it that work on wrapped phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bidsqsm.qsm.grid import Volume


class Echoes(NamedTuple):
    """Phase and magnitude of every echo.

    Attributes
    ----------
    phase
        (n_echoes, nx, ny, nz) float32, wrapped, in rad; it grows where the field is stronger and
        is free of the receive phase.
    magnitude
        (n_echoes, nx, ny, nz) float32, any unit.
    echo_times
        In s, ascending.
    imaging_frequency
        In MHz, so that Hz over MHz is ppm.

    """

    phase: Volume
    magnitude: Volume
    echo_times: Sequence[float]
    imaging_frequency: float

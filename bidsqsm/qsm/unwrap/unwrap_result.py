"""What an unwrapping method returns."""

from __future__ import annotations

from typing import NamedTuple

from bidsqsm.qsm.grid import Volume


class Unwrapped(NamedTuple):
    """Unwrapped phase and how far each voxel can be trusted.

    Attributes
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Unwrapped phase in rad; zero outside the mask.
    quality : (nx, ny, nz) float32 array
        From 0 (noise) to 1 (smooth and consistent over echoes); zero outside the mask.

    """

    phase: Volume
    quality: Volume

"""What a separation of sources gives, and what it is made from besides susceptibility."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume


class Sources(NamedTuple):
    """The two parts of a susceptibility map; zero outside the mask.

    Parameters
    ----------
    paramagnetic : (nx, ny, nz) float32 array
        Iron and the like, in ppm, not negative.
    diamagnetic : (nx, ny, nz) float32 array
        Myelin, calcium and the like, in ppm, not positive.

    """

    paramagnetic: Volume
    diamagnetic: Volume


class Rates(NamedTuple):
    """R2' in the unit of susceptibility.

    Parameters
    ----------
    load : (nx, ny, nz) float32 array
        R2' over the mean of both relaxivities, in ppm: the size of both parts together where the
        relaxivities are equal; zero outside the mask.
    paramagnetic, diamagnetic
        Each relaxivity over the mean of both (dimensionless).

    """

    load: Volume
    paramagnetic: np.float32
    diamagnetic: np.float32


def rates_of(
    r2prime: Volume | None,
    r2star: Volume | None,
    mask: Mask,
    field_strength: float,
    relaxivities: tuple[float, float],
    ratio: float,
) -> Rates:
    """Bring R2', or R2* over ``ratio`` where there is none, to the unit of susceptibility.

    Parameters
    ----------
    r2prime, r2star : (nx, ny, nz) float32 array, optional
        In 1/s; what is negative or not finite counts as zero.
    mask : (nx, ny, nz) bool array
        Voxels to separate.
    field_strength
        B0 in T, with which the relaxivities grow.
    relaxivities
        Of paramagnetic and of diamagnetic sources, in 1/s per ppm at 3 T.
    ratio
        R2* over R2'.

    """
    mean = sum(relaxivities) / 2 * field_strength / 3
    if r2prime is not None:
        load = r2prime / np.float32(mean)
    elif r2star is not None:
        load = r2star / np.float32(mean * ratio)
    else:
        raise ValueError("a separation needs R2' or R2*, found neither: fit R2* to the echoes")
    if load.shape != mask.shape:
        raise ValueError(
            f"R2' has shape {load.shape}, but the mask has {mask.shape}: "
            'give arrays that lie on one grid'
        )
    known = mask & np.isfinite(load) & (load > 0)
    over = 2 / np.float32(sum(relaxivities))
    return Rates(
        np.where(known, load, np.float32(0)).astype(np.float32),
        np.float32(relaxivities[0] * over),
        np.float32(relaxivities[1] * over),
    )


def split(chi: Volume, rates: Rates, mask: Mask) -> Sources:
    """Solve the two equations of susceptibility and of R2' in every voxel.

    Each part keeps its sign. Where R2' is too small for the susceptibility, there is one kind of
    source alone; the sum of both parts is always chi.
    """
    chi = np.where(mask & np.isfinite(chi), chi, 0).astype(np.float32)
    mixed = (rates.load + rates.diamagnetic * chi) / (rates.paramagnetic + rates.diamagnetic)
    paramagnetic = np.maximum(mixed, np.maximum(chi, 0))
    paramagnetic[~mask] = 0
    return Sources(paramagnetic, chi - paramagnetic)

"""The part of the relaxation that a spin echo would bring back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.relaxometry.relaxation import LONGEST_T2STAR_S


class Reversible(NamedTuple):
    """Reversible relaxation; zero outside the mask and where a rate is not known.

    Parameters
    ----------
    r2prime : (nx, ny, nz) float32 array
        R2' in 1/s, at least zero.
    t2prime : (nx, ny, nz) float32 array
        One over it in s, at most 0.5 s.
    negative
        Share of the voxels in which R2 was above R2*.

    """

    r2prime: Volume
    t2prime: Volume
    negative: float


def reversible(r2star: Volume, r2: Volume, mask: Mask) -> Reversible:
    r"""Take R2 from R2*: :math:`R_2' = R_2^* - R_2`.

    Parameters
    ----------
    r2star, r2 : (nx, ny, nz) float32 arrays
        Rates in 1/s on one grid; 0 where they are not known.
    mask : (nx, ny, nz) bool array
        Voxels of interest.

    Returns
    -------
    reversible : Reversible
        R2' in 1/s and T2' in s.

    """
    known = mask & (r2star > 0) & (r2 > 0)
    rest = np.where(known, r2star - r2, np.float32(0))
    rate = np.maximum(rest, 0).astype(np.float32)
    time = np.where(known, LONGEST_T2STAR_S, np.float32(0)).astype(np.float32)
    np.divide(1, rate, where=rate > 1 / LONGEST_T2STAR_S, out=time)
    return Reversible(rate, time, float((rest < 0).sum() / max(int(known.sum()), 1)))

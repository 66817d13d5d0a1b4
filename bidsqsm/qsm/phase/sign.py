"""Which way the stored phase runs: decided from the map that each sign would give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.masking.brain import block_mean, times
from bidsqsm.qsm.masking.morphology import erode
from bidsqsm.qsm.r2star_contrast import correlation_with_r2star

SIGN_VOXEL_MM = 2.0  # mm: nuclei and larger veins show at this size
SIGN_RIM_MM = 4.0  # mm at the edge of the mask that do not vote
SURE_EVIDENCE = 0.1  # evidence (-1 to 1) from which the data is believed against the metadata


class SignDecision(NamedTuple):
    """The sign that makes phase grow with the field, and the evidence for it.

    Attributes
    ----------
    sign
        +1 or -1: what to multiply the field by.
    evidence
        From -1 (surely inverted) to 1 (surely as it is).

    """

    sign: int
    evidence: float

    @property
    def sure(self) -> bool:
        """Whether the data alone can be believed."""
        return abs(self.evidence) >= SURE_EVIDENCE


def decide_sign(total_field: Volume, mask: Mask, grid: Grid, decay: Volume | None) -> SignDecision:
    """Decide the sign of the phase from a quick susceptibility map.

    Veins and iron-rich nuclei are paramagnetic, decay fast and lie deep in the brain; strong
    diamagnetic sources are rare. On a quick map (V-SHARP, thresholded division, 2 mm) the
    evidence is the rank correlation of susceptibility and decay where the decay stands out of its
    surroundings, averaged with the asymmetry of the map's tails.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Total field in ppm, with the sign of the stored phase.
    mask : (nx, ny, nz) bool array
        Voxels with a trusted field.
    grid
        Voxel size and field direction.
    decay : (nx, ny, nz) float32 array or None
        R2* in 1/s (or anything that grows with it); None where there is but one echo.

    Returns
    -------
    decision
        Sign and evidence.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> r2star = np.where(sphere.inside, 60.0, 20.0)  # iron decays faster
    >>> decide_sign(-sphere.local_field, sphere.mask, sphere.grid, r2star).sign
    -1

    """
    factors = [max(1, round(SIGN_VOXEL_MM / d)) for d in grid.voxel_size]
    weight = block_mean(mask.astype(np.float32), factors)
    inside = weight > 0.5
    field = block_mean(np.where(mask, total_field, 0), factors) / np.maximum(weight, 0.5)
    size = times(grid.voxel_size, factors)
    coarse = Grid(field.shape, size, grid.b0_direction)
    local, deep = vsharp(np.where(inside, field, 0).astype(np.float32), inside, coarse)
    chi = tkd(local, deep, coarse)
    voters = erode(deep, SIGN_RIM_MM, size)
    if not voters.any():
        voters = deep
    values = chi[voters] - np.median(chi[voters])
    evidence = _tail_asymmetry(values)
    if decay is not None:
        slow = block_mean(np.where(mask, decay, 0), factors) / np.maximum(weight, 0.5)
        iron = correlation_with_r2star(chi, slow, deep, voters, coarse)
        evidence = (evidence + iron) / 2 if np.isfinite(iron) else evidence
    return SignDecision(1 if evidence >= 0 else -1, evidence)


def _tail_asymmetry(values: Volume) -> float:
    # share by which the upper tail outweighs the lower one, both beyond the 2nd percentiles
    low, high = np.percentile(values, [2, 98])
    upper = float(np.mean(values[values >= high]))
    lower = float(-np.mean(values[values <= low]))
    return (upper - lower) / (upper + lower)

"""Where R2* stands out of its surroundings: iron and veins, whose susceptibility is high as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage, stats

from bidsqsm.qsm.grid import Grid, Mask, Volume, bounding_box

_SHARE = 0.02  # of the voxels: nuclei and veins
_FEWEST_RANKED_VOXELS = 100  # voxels that a rank correlation is taken over
_FINE, _AROUND = 1.0, 8.0  # mm: smoothing, and what surroundings are
_FEWEST_VOXELS = 300  # voxels of which the outstanding ones are looked at


def correlation_with_r2star(
    chi: Volume, r2star: Volume, mask: Mask, voters: Mask, grid: Grid
) -> float:
    """Rank correlation of susceptibility and R2* over the voxels whose R2* stands out most.

    Both are taken less their means over the surroundings, so that neither a slow variation of the map
    nor the fast decay near air counts.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    r2star : (nx, ny, nz) float32 array
        R2* in 1/s, or anything that grows with it; voxels that are not above 0 are unknown.
    mask : (nx, ny, nz) bool array
        Where the map is known.
    voters : (nx, ny, nz) bool array
        The voxels that are looked at; those whose R2* tells of air should not be among them.
    grid
        Voxel size.

    Returns
    -------
    correlation
        From -1 to 1; NaN where too few voxels are known.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> r2star = (20.0 + 80 * sphere.chi).astype('f4')
    >>> one = correlation_with_r2star(sphere.chi, r2star, sphere.mask, sphere.mask, sphere.grid)
    >>> one > 0
    True

    """
    box = bounding_box(mask)
    known = mask[box] & (r2star[box] > 0)
    inside = voters[box] & known
    if np.count_nonzero(inside) < _FEWEST_VOXELS:
        return float('nan')
    shown, rate = _contrasts((chi[box], r2star[box]), known, inside, grid)
    share = max(_SHARE, _FEWEST_RANKED_VOXELS / rate.size)
    out = rate >= np.percentile(rate, 100 * (1 - share))
    return float(stats.spearmanr(shown[out], rate[out]).statistic)


def _contrasts(volumes: Sequence[Volume], mask: Mask, inside: Mask, grid: Grid) -> list[Volume]:
    """Volumes, slightly smoothed, less their means over the surroundings in a mask; at ``inside``."""

    def smoothed(values: Volume, width: float) -> Volume:
        filtered = ndimage.gaussian_filter(values, [width / d for d in grid.voxel_size])
        picked: Volume = filtered[inside]
        return picked

    weights = mask.astype(np.float32)
    fine, around = (np.maximum(smoothed(weights, width), 1e-3) for width in (_FINE, _AROUND))
    known = [np.where(mask, volume, 0).astype(np.float32) for volume in volumes]
    return [smoothed(x, _FINE) / fine - smoothed(x, _AROUND) / around for x in known]

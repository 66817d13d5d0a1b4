"""Scores of a map against its truth at lesions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Box, Grid, Labels, Mask, Volume, bounding_box
from bidsqsm.qsm.metrics import slope_of


def away_from(
    mask: Mask, labels: Labels, values: Iterable[int], grid: Grid, distance: float
) -> Mask:
    """Take what lies within a distance (mm) of some labels, such as lesions, out of a mask.

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> mask = away_from(sphere.mask, sphere.inside.astype(int), [1], sphere.grid, distance=4.0)
    >>> bool((mask & sphere.inside).any()), int(mask.sum()) < int(sphere.mask.sum())
    (False, True)

    """
    near = np.isin(labels, list(values))
    if not near.any():
        return mask.copy()
    return np.asarray(mask & (ndimage.distance_transform_edt(~near, grid.voxel_size) > distance))


def calcification(
    chi: Volume, truth: Volume, lesion: Mask, elsewhere: Mask
) -> tuple[float, float]:
    """Error of the moment of the largest calcification, and the streaks around it, in percent.

    Its moment in the map is the sum over the voxels of its neighbourhood (3 voxels around its box)
    that lie below every voxel of ``elsewhere``, to 0.01 ppm. Streaks are the standard deviation, in the
    layer of voxels around that neighbourhood, of what a regression on the truth leaves. The moment is
    given in percent of the true one, streaks in percent of the true mean.

    Parameters
    ----------
    chi, truth : (nx, ny, nz) arrays
        In ppm.
    lesion : (nx, ny, nz) bool array
        Calcifications.
    elsewhere : (nx, ny, nz) bool array
        Voxels of tissue without lesions.

    References
    ----------
    .. [bilgic2021] Bilgic et al., Magn Reson Med 86:1241-1255 (2021). doi:10.1002/mrm.28754

    """
    parts, count = ndimage.label(lesion)
    if count == 0:
        raise ValueError('there is no calcification: give a mask with one voxel at least')
    one = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    box = bounding_box(one)
    near, rim = np.zeros_like(one), np.zeros_like(one)
    near[_wider(box, 3)] = True
    rim[_wider(box, 4)] = True
    rim &= ~near
    ours = chi - chi[elsewhere].mean(dtype=float)
    true = truth - truth[elsewhere].mean(dtype=float)
    moment = float(true[one].sum())
    lowest = float(ours[elsewhere & ~near].min())
    threshold = min(0.0, np.floor(lowest * 100) / 100)
    found = float(ours[near & (ours < threshold)].sum())
    gain = slope_of(true[rim], ours[rim])
    left = ours[rim] - gain * true[rim]
    return (
        100 * abs(found - moment) / abs(moment),
        100 * float(left.std()) / abs(moment / one.sum()),
    )


def _wider(box: Box, margin: int) -> Box:
    x, y, z = (slice(max(0, part.start - margin), part.stop + margin) for part in box)
    return x, y, z

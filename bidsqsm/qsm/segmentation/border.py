"""Borders of an atlas's regions moved to where the maps show them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.segmentation.competition import REGION_RING_MM, compete
from bidsqsm.qsm.segmentation.finer_grid import Finer
from bidsqsm.qsm.segmentation.placement import contrast, place
from bidsqsm.qsm.segmentation.region_box import RegionBox, make_region, values_of
from bidsqsm.qsm.segmentation.trim import trim

LOGGER = logging.getLogger(__name__)
#: Beyond, a region is no nucleus and shows no contrast of one kind
_LARGEST_NUCLEUS_MM3 = 30e3


def border(
    labels: Labels,
    chi: Volume,
    mask: Mask,
    grid: Grid,
    *,
    r2star: Volume | None = None,
    reach: Annotated[float, Between(0, 10)] = 3.0,
    min_cnr: Annotated[float, From(0, 100)] = 1.0,
    erode: Annotated[float, From(0, 10)] = 0.0,
    exclude_veins: bool = False,
) -> Labels:
    r"""Regions of the atlas with their borders moved to those in chi and R2*.

    The atlas tells where a nucleus lies, the subject's own maps tell where it ends, since
    susceptibility shows the deep nuclei better than the images that were registered
    [li2019atlas]_. Each region is first shifted as a whole to where it stands out most. Then
    regions and surroundings compete for the voxels near the borders, by the log odds

    .. math:: \sum_m \frac{(a_m - b_m)\,(m - \frac{a_m + b_m}{2})}{\sigma_m^2}
              + \ln\frac{\Phi(-d/\tau)}{\Phi(d/\tau)} + \beta\,(2 v - 1)

    where m are the maps (lightly smoothed), a and b their means inside and around the region in
    the neighbourhood of the voxel [lankton2008]_, d the signed distance from the shifted border,
    :math:`\tau` half the reach, and v the share of the neighbours in the region. A border thus
    settles half-way up an edge, where choosing voxels does not favour high values over low ones,
    and stays where the maps show no edge. Voxels of more than 1.5 mm (cube root of
    their volume) are divided meanwhile.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Regions of the atlas on the grid of the map, 0 outside of all.
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where it is known; labels outside of it stay as they are.
    grid
        Voxel size.
    r2star : (nx, ny, nz) float32 array, optional
        Effective transverse relaxation rate, in 1/s.
    reach
        Distance from the atlas's border, in mm, within which voxels may change.
    min_cnr
        Contrast in standard deviations of the region and its surroundings, in the better of the
        maps, below which a region stays as it is.
    erode
        Thickness of the rim to take away, in mm, at the end.
    exclude_veins
        Whether voxels of veins are taken away, at the end.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        The same values. No volume grows by a factor of more than 1.5, and none shrinks by more but for
        what a neighbour takes and what is taken away at the end.

    References
    ----------
    .. [lankton2008] Lankton, Tannenbaum, IEEE Trans Image Process 17:2029-2039 (2008).
       doi:10.1109/TIP.2008.2004611
    .. [li2019atlas] Li et al., Neuroimage 191:337-349 (2019). doi:10.1016/j.neuroimage.2019.02.016

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> rng = np.random.default_rng(0)
    >>> sphere = make_sphere(chi=0.1)
    >>> chi = sphere.chi + 0.01 * rng.standard_normal(sphere.mask.shape).astype('f4')
    >>> atlas = np.roll(sphere.inside, 1, axis=0).astype(np.int32)  # 2 mm off
    >>> refined = border(atlas, chi, sphere.mask, sphere.grid)
    >>> int((atlas != sphere.inside).sum()), int((refined != sphere.inside).sum())
    (104, 0)

    """
    start = np.array(labels, np.int32)
    maps = [chi] if r2star is None else [chi, r2star]
    finer = Finer.around(start, grid, reach + 2 * REGION_RING_MM)
    if finer is None:
        moved = _settled(start, maps, mask, grid, reach, min_cnr)
    else:
        fine = [finer.interpolated(values, mask) for values in maps]
        divided = finer.divided(start).astype(np.int32), finer.divided(mask).astype(bool)
        parts = _settled(divided[0], fine, divided[1], finer.grid, reach, min_cnr)
        moved = finer.joined(parts, start)
    return trim(moved, chi, mask, grid, r2star=r2star, erode=erode, exclude_veins=exclude_veins)


def _settled(
    start: Labels,
    maps: Sequence[Volume],
    mask: Mask,
    grid: Grid,
    reach: float,
    min_cnr: float,
) -> Labels:
    regions = []
    for value, extent in values_of(start).items():
        size = np.count_nonzero(start[extent] == value) * np.prod(grid.voxel_size)
        if size > _LARGEST_NUCLEUS_MM3:
            continue
        region = make_region(value, extent, start, maps, mask, grid, reach + REGION_RING_MM)
        if region is not None:
            regions.append(region)
    place(regions, start, reach, grid.voxel_size)
    clear = [region for region in regions if _contrast(region) >= min_cnr]
    return compete(start, clear, reach, grid.voxel_size)


def _contrast(region: RegionBox) -> float:
    found = float(np.abs(contrast(region, region.prior < 0, REGION_RING_MM)).max())
    LOGGER.info('border: region %d, contrast %.1f', region.value, found)
    return found

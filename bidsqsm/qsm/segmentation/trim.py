"""Regions of an atlas less their rim and their veins."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.segmentation.region_box import box_around, values_of
from bidsqsm.qsm.segmentation.region_veins import veins_through


def trim(
    labels: Labels,
    chi: Volume,
    mask: Mask,
    grid: Grid,
    *,
    r2star: Volume | None = None,
    erode: Annotated[float, From(0, 10)] = 1.0,
    exclude_veins: bool = True,
) -> Labels:
    """Regions of the atlas less their rim and the veins through them.

    Voxels at the edge of a region hold some of its neighbour, and veins are no part of a nucleus:
    neither should enter its mean [bilgic2024]_. Nothing is ever added to a region.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Regions of the atlas on the grid of the map, 0 outside of all.
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where it is known; what lies outside of it is not looked at for veins.
    grid
        Voxel size.
    r2star : (nx, ny, nz) float32 array, optional
        Effective transverse relaxation rate, in 1/s; where given, a vein has to show there too.
    erode
        Thickness of the rim to take away, in mm; a region that is nowhere thicker than twice this
        is lost.
    exclude_veins
        Whether voxels of veins are taken away.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        The same values, in fewer voxels.

    References
    ----------
    .. [bilgic2024] QSM Consensus Organization Committee: Bilgic et al., Magn Reson Med
       91:1834-1862 (2024). doi:10.1002/mrm.30006

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> labels = sphere.inside.astype(int)
    >>> trimmed = trim(labels, sphere.chi, sphere.mask, sphere.grid, erode=2.0)
    >>> int(sphere.inside.sum()), int((trimmed > 0).sum())
    (280, 88)

    """
    kept = np.array(labels, np.int32)
    half = float(np.cbrt(np.prod(grid.voxel_size))) / 2
    for value, extent in values_of(labels).items():
        box = box_around(extent, 6.0, grid)
        region = labels[box] == value
        gone = np.zeros_like(region)
        if exclude_veins:
            maps = [chi[box]] if r2star is None else [chi[box], r2star[box]]
            gone |= veins_through(region, maps, mask[box], grid.voxel_size)
        if erode > 0:
            # a voxel's centre is half a voxel nearer to the border than to the next centre
            gone |= distance_inside(region, grid.voxel_size) - half < erode
        kept[box][region & gone] = 0
    return kept

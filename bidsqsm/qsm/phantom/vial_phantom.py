"""A bottle of water with a ring of vials in it, as in experiments with known concentrations."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Grid, Labels, Mask

#: Radius and half the height, in mm
BOTTLE, VIAL = (22.0, 20.0), (4.2, 14.0)
VIAL_RING_MM = 13.0  # mm, from the middle of the bottle to that of a vial


def vials(grid: Grid, axis: int, count: int = 6) -> tuple[Labels, Mask]:
    """Cylinders around the middle of a grid, all along one of its axes.

    Parameters
    ----------
    grid
        A field of view of 48 mm or more holds the bottle.
    axis
        Along which they lie.
    count
        Number of vials.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        1 to ``count`` in the vials, 0 elsewhere.
    bottle : (nx, ny, nz) bool array
        Water and vials.

    Examples
    --------
    >>> from bidsqsm.qsm.grid import Grid
    >>> labels, bottle = vials(Grid((26, 26, 26), (2.0, 2.0, 2.0)), axis=2, count=4)
    >>> int(labels.max()), bool(bottle[labels > 0].all())
    (4, True)

    """
    places = [
        (np.arange(n) - (n - 1) / 2) * size
        for n, size in zip(grid.shape, grid.voxel_size, strict=True)
    ]
    mesh = np.meshgrid(*places, indexing='ij', sparse=True)
    along, first, second = (mesh[(axis + step) % 3] for step in range(3))
    labels = np.zeros(grid.shape, np.int32)
    for index in range(count):
        angle = 2 * np.pi * index / count
        away = np.hypot(
            first - VIAL_RING_MM * np.cos(angle), second - VIAL_RING_MM * np.sin(angle)
        )
        labels[(away < VIAL[0]) & (abs(along) < VIAL[1])] = index + 1
    bottle: Mask = (np.hypot(first, second) < BOTTLE[0]) & (abs(along) < BOTTLE[1])
    return labels, bottle

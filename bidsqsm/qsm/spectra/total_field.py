"""Spectra behind a total field, most of which comes from outside the mask."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.grid import Grid, Mask, Volume, bounding_box
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra, field_spectra

#: What the removal leaves of the background on the cone, as a share of the amplitude of susceptibility
BACKGROUND_LEAK = 0.1
#: Radius in mm of the spheres that take the background away; of a small mask, a share of its box
RADIUS, SHARE_OF_BOX = 6.0, 0.1


def spectra_behind(total_field: Volume, mask: Mask, grid: Grid) -> FieldSpectra:
    """Spectra of the noise and of the susceptibility in the mask, whatever lies outside.

    The background is removed by spheres of one radius first, as in SHARP, which takes next to no
    time and leaves out the rim of the mask, where the field is least to be trusted; what is left of
    the background counts as noise.

    Parameters
    ----------
    total_field : (nx, ny, nz) float32 array
        Field of all sources, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is known.
    grid
        Voxel size and field direction.

    Returns
    -------
    spectra
        Those of the local field; see :func:`~bidsqsm.qsm.spectra.field_spectra.field_spectra`.

    Raises
    ------
    ValueError
        If no sphere of the longest voxel edge fits in the mask.

    """
    box = [
        (part.stop - part.start) * d
        for part, d in zip(bounding_box(mask), grid.voxel_size, strict=True)
    ]
    smallest = max(grid.voxel_size)
    radius = max(min(RADIUS, SHARE_OF_BOX * min(box)), smallest)
    local, left = vsharp(
        np.where(mask, total_field, np.float32(0)),
        mask,
        grid,
        max_radius=radius,
        min_radius=max(radius - 1e-3, 1e-3),
    )
    return field_spectra(local, left, grid, leak=BACKGROUND_LEAK)

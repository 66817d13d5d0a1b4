"""Regions and maps on a finer grid and back: a nucleus of few large voxels has hardly a border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Box, Grid, Labels, Mask, Volume
from bidsqsm.qsm.resampling import divide, spread
from bidsqsm.qsm.segmentation.region_box import box_around, values_of

LARGEST_VOXEL_MM = 1.5  # mm, cube root of the volume of voxels that are not divided
FINER_VOXEL_MM = 1.0  # mm, about the size of the parts of larger ones


@dataclass(frozen=True)
class Finer:
    """A part of a grid whose large voxels are divided along each axis.

    Parameters
    ----------
    box
        The part, in voxels of the old grid.
    factors
        Into how many a voxel is divided along each axis.
    grid
        The part's grid after that.

    """

    box: Box
    factors: tuple[int, int, int]
    grid: Grid

    @classmethod
    def around(cls, labels: Labels, grid: Grid, margin: float) -> Finer | None:
        """The part that holds all labels and a margin (mm); None where no voxel is large."""
        extents = [*values_of(labels).values()]
        if float(np.cbrt(np.prod(grid.voxel_size))) <= LARGEST_VOXEL_MM or not extents:
            return None
        a, b, c = (
            slice(min(e[axis].start for e in extents), max(e[axis].stop for e in extents))
            for axis in range(3)
        )
        box = box_around((a, b, c), margin, grid)
        i, j, k = (max(1, round(d / FINER_VOXEL_MM)) for d in grid.voxel_size)
        factors = i, j, k
        nx, ny, nz = ((s.stop - s.start) * f for s, f in zip(box, factors, strict=True))
        dx, dy, dz = (d / f for d, f in zip(grid.voxel_size, factors, strict=True))
        return cls(box, factors, Grid((nx, ny, nz), (dx, dy, dz), grid.b0_direction))

    def divided(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Values of the part, each repeated in what its voxel is divided into."""
        found = values[self.box]
        for axis, factor in enumerate(self.factors):
            found = np.repeat(found, factor, axis)
        return found

    def interpolated(self, volume: Volume, mask: Mask) -> Volume:
        """A map of the part between its voxels, by cubic splines that see nothing outside a mask."""
        part, inside = volume[self.box], mask[self.box]
        filled = spread(part, inside) if inside.any() else part
        return divide(filled, self.factors)

    def joined(self, labels: Labels, before: Labels) -> Labels:
        """Labels of the whole old grid: in the part, what fills at least half of a voxel."""
        i, j, k = self.factors
        nx, ny, nz = (n // f for n, f in zip(labels.shape, self.factors, strict=True))
        blocks = labels.reshape(nx, i, ny, j, nz, k).transpose(0, 2, 4, 1, 3, 5)
        parts = blocks.reshape(nx, ny, nz, -1)
        result, most = np.zeros((nx, ny, nz), np.int32), np.full((nx, ny, nz), i * j * k / 2)
        for value in np.unique(labels[labels > 0]):
            count = (parts == value).sum(-1)
            # of two that fill a half each, the one that was there before stays
            wins = (count > most) | ((count == most) & (before[self.box] == value))
            result[wins], most[wins] = value, count[wins]
        whole = before.copy()
        whole[self.box] = result
        return whole

"""The part of a volume that a solver works on: the box around a mask, with room for FFTs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Box, Grid, Mask, Volume, bounding_box

T = TypeVar('T', bound=np.generic)


@dataclass(frozen=True)
class Window:
    """The bounding box of a mask, followed by a zero margin along each axis.

    The margin lies behind the box; as FFTs are circular it lies before it as well.

    Parameters
    ----------
    box
        Where the window begins and ends in the full volume.
    grid
        Grid of the padded window.
    mask : (nx, ny, nz) bool array
        The mask on the full volume.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.grid import Grid
    >>> mask = np.zeros((32, 32, 32), bool)
    >>> mask[4:12, 4:12, 4:12] = True
    >>> window = Window.around(mask, Grid(mask.shape, (1.0, 1.0, 1.0)), 6.0)
    >>> window.grid.shape, window.restore(window.cut(mask.astype('f4'))).shape
    ((14, 14, 14), (32, 32, 32))

    """

    box: Box
    grid: Grid
    mask: Mask

    @classmethod
    def around(cls, mask: Mask, grid: Grid, margin: float) -> Window:
        """The window of a mask with at least this margin, in mm, between periodic copies."""
        if mask.shape != grid.shape:
            raise ValueError(
                f'mask has shape {mask.shape}, but its grid has {grid.shape}: '
                'give arrays that lie on one grid'
            )
        if not mask.any():
            raise ValueError('the mask is empty: give one with at least one voxel inside')
        box = bounding_box(mask)
        nx, ny, nz = (part.stop - part.start for part in box)
        return cls(box, replace(grid, shape=(nx, ny, nz)).padded(margin), mask)

    @property
    def inside(self) -> Box:
        """Where the box lies in the padded window."""
        x, y, z = (slice(0, part.stop - part.start) for part in self.box)
        return x, y, z

    def cut(self, volume: Volume) -> Volume:
        """Take a volume into the window: float32, zero outside the mask and in the margin."""
        if volume.shape != self.mask.shape:
            raise ValueError(
                f'volume has shape {volume.shape}, but its mask has {self.mask.shape}: '
                'give arrays that lie on one grid'
            )
        out = np.zeros(self.grid.shape, np.float32)
        np.copyto(
            out[self.inside], volume[self.box], where=self.mask[self.box], casting='same_kind'
        )
        if not np.isfinite(out.sum(dtype=np.float64)):
            raise ValueError(
                'found NaN or infinite values inside the mask: leave those voxels out of the mask'
            )
        return out

    def cut_mask(self) -> Mask:
        """Take the mask itself into the window; false in the margin."""
        out = np.zeros(self.grid.shape, bool)
        out[self.inside] = self.mask[self.box]
        return out

    def data_weight(self, weight_map: Volume | None) -> Volume:
        """Trust in the field, scaled to a mean of one over the voxels of the mask that have any.

        Zero outside the mask; ones for None.
        """
        if weight_map is None:
            return self.cut_mask().astype(np.float32)
        weight = self.cut(weight_map)
        trusted = weight > 0
        if weight.min() < 0 or not trusted.any():
            raise ValueError(
                'the weight map is negative somewhere in the mask or zero throughout: give a map of trust, '
                'positive where the field is good and zero where it is unknown'
            )
        weight /= np.float32(weight[trusted].mean(dtype=np.float64))
        return weight

    def restore(self, inner: npt.NDArray[T], mask: Mask | None = None) -> npt.NDArray[T]:
        """Put a result of the window back into the full volume, zero outside the mask.

        ``mask``, on the full volume, may be smaller than the window's own.
        """
        where = self.mask if mask is None else mask
        out = np.zeros(where.shape, inner.dtype)
        np.copyto(out[self.box], inner[self.inside], where=where[self.box])
        return out

"""A box around a mask, upright to the main field, with voxels of another size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Matrix, Triple, Volume, bounding_box
from bidsqsm.qsm.resampling import resample, spread


def upright(b0_direction: Triple) -> Matrix:
    """The rotation that takes the main field to the third axis.

    Whole quarter turns bring the axis that is nearest to the field to the third place, so that no
    handedness changes; the smallest rotation does the rest. The sense of the field does not
    matter to a dipole: its voxel axis is turned to point with the field.

    Examples
    --------
    >>> import numpy as np
    >>> b0 = (0.6, 0.0, 0.8)
    >>> [abs(round(float(x), 6)) for x in upright(b0) @ b0]
    [0.0, 0.0, 1.0]

    """
    nearest = int(np.argmax(np.abs(b0_direction)))
    quarter = np.eye(3)[[(nearest + 1) % 3, (nearest + 2) % 3, nearest]]
    if b0_direction[nearest] < 0:
        quarter[1:] *= -1
    x, y, z = quarter @ np.asarray(b0_direction, float)
    # Rodrigues' formula for the rotation about (y, -x, 0) that takes (x, y, z) to the third axis
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    smallest = np.eye(3) + cross + cross @ cross / (1 + z)
    turned: Matrix = smallest @ quarter
    return turned


@dataclass(frozen=True)
class Frame:
    """A box around a mask, turned and with voxels of another size.

    Parameters
    ----------
    mask : (nx, ny, nz) bool array
        The mask on the grid that the box was cut from.
    matrix, offset : (3, 3) and (3,) arrays
        Voxel ``o`` of the box lies at ``matrix @ o + offset`` in voxels of the mask.
    shape
        Voxels of the box.

    """

    mask: Mask
    matrix: Matrix
    offset: Matrix
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, mask: Mask, grid: Grid, voxel_size: Triple | None, turn: Matrix) -> Frame:
        """Box of voxels of a size (mm), or as they are, along axes that ``turn`` makes (in its rows)."""
        if mask.shape != grid.shape:
            raise ValueError(
                f'mask has shape {mask.shape}, but its grid has {grid.shape}: '
                'give arrays that lie on one grid'
            )
        if not mask.any():
            raise ValueError('the mask is empty: give one with at least one voxel inside')
        old = np.array(grid.voxel_size)
        # without a wish, a new axis takes the size of the old one that it is nearest to
        new = np.array(voxel_size) if voxel_size else old[np.abs(turn).argmax(axis=1)]
        box = bounding_box(mask)
        length = np.array([part.stop - part.start for part in box])
        middle = np.array([(part.start + part.stop - 1) / 2 for part in box])
        wanted = np.abs(turn) @ (length * old) / new
        nx, ny, nz = (int(np.ceil(round(n, 3))) for n in wanted)
        matrix = turn.T * new / old[:, None]
        offset = middle - matrix @ ((np.array([nx, ny, nz]) - 1) / 2)
        return cls(mask, matrix, offset, (nx, ny, nz))

    @property
    def straight(self) -> bool:
        """Whether the box is a part of the grid, to within a hundredth of a voxel."""
        off = np.abs(self.matrix - np.eye(3)) @ np.array(self.shape)
        return bool(
            (off < 0.01).all() and (np.abs(self.offset - np.rint(self.offset)) < 0.01).all()
        )

    def there(self, volume: Volume) -> tuple[Volume, Mask]:
        """Take a volume and the mask into the box; the volume is zero outside the mask."""
        if self.straight:
            part = tuple(
                slice(start, start + n)
                for start, n in zip(np.rint(self.offset).astype(int), self.shape, strict=True)
            )
            mask = self.mask[part]
            return np.where(mask, volume[part], np.float32(0)), mask
        share = resample(
            self.mask.astype(np.float32), self.matrix, self.offset, self.shape, order=1
        )
        mask = share >= 0.5
        sampled = resample(spread(volume, self.mask), self.matrix, self.offset, self.shape)
        return np.where(mask, sampled, np.float32(0)), mask

    def back(self, inner: Volume, mask: Mask) -> Volume:
        """Bring a volume of the box, known within ``mask``, back: zero outside the frame's mask."""
        out = np.zeros(self.mask.shape, np.float32)
        box = bounding_box(self.mask)
        if self.straight:
            out[box] = inner
        else:
            inverse = np.linalg.inv(self.matrix)
            corner = np.array([part.start for part in box])
            nx, ny, nz = (part.stop - part.start for part in box)
            out[box] = resample(
                spread(inner, mask), inverse, inverse @ (corner - self.offset), (nx, ny, nz)
            )
        out[~self.mask] = 0
        return out

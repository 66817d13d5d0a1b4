"""A head: its image, its brain and where it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bidsqsm.qsm.grid import Mask, Matrix, Volume
from bidsqsm.qsm.masking.morphology import dilate
from bidsqsm.qsm.registration.contrast import BRIGHTEST_PERCENTILE, coarser, normalised
from bidsqsm.qsm.resampling import interpolate, regrid

SKULL_MM = 6.0  # mm around the brain, less than to the scalp: what the skull is wide
#: Of the template's brain, what a mask of the head must hold to be believed
BELIEVED_BRAIN_SHARE = 0.9
HEAD_RIM_MM = 3.0  # mm around a mask of the head that is believed


@dataclass(frozen=True)
class HeadImage:
    """An image with its brain.

    Attributes
    ----------
    image
        (nx, ny, nz) float32 array, any unit.
    mask
        (nx, ny, nz) bool array.
    affine
        From voxels to RAS mm.
    further
        Images of other contrasts on the same grid, any unit, 0 where they are not known.

    """

    image: Volume
    mask: Mask
    affine: Matrix
    further: tuple[Volume, ...] = ()

    @property
    def volume(self) -> float:
        """Of the brain, in mm3."""
        return float(self.mask.sum()) * abs(float(np.linalg.det(self.affine[:3, :3])))

    @property
    def middle(self) -> Matrix:
        """Centre of the brain, in RAS mm."""
        place: Matrix = self.affine[:3, :3] @ np.argwhere(self.mask).mean(axis=0)
        return np.asarray(place + self.affine[:3, 3])

    def moved(self, matrix: Matrix) -> HeadImage:
        """The head where the matrix takes points from: its affine after the inverse."""
        return replace(self, affine=np.linalg.inv(matrix) @ self.affine)

    def around(self, template: HeadImage, matrix: Matrix) -> HeadImage:
        """The head with the mask of a template near by, as an affine registration places it.

        The brain that was found in one image alone may miss parts; the edge of such a mask would be
        taken for that of the brain. One that misses little cuts off what lies outside.
        """
        to_template = np.linalg.inv(template.affine) @ np.linalg.inv(matrix) @ self.affine
        share = interpolate(template.mask.astype(np.float32), to_template, self.image.shape)
        size = np.linalg.norm(self.affine[:3, :3], axis=0)
        carried = share >= 0.5
        near = dilate(carried, SKULL_MM, (size[0], size[1], size[2]))
        if (carried & self.mask).sum() > BELIEVED_BRAIN_SHARE * carried.sum():
            near &= dilate(self.mask, HEAD_RIM_MM, (size[0], size[1], size[2]))
        return replace(self, mask=near)

    def at(self, size: float) -> HeadImage:
        """The brain alone, 1 at its brightest, with voxels of this size (mm) or its own if larger."""
        shape, onto = coarser(self.image.shape, self.affine, size)
        image = regrid(normalised(self.image, self.mask) * self.mask, self.affine, shape, onto)
        mask = regrid(self.mask.astype(np.float32), self.affine, shape, onto) > 0.5
        further = (
            regrid(even(other, self.mask) * self.mask, self.affine, shape, onto)
            for other in self.further
        )
        return HeadImage(image, mask, onto, tuple(further))


def even(volume: Volume, mask: Mask) -> Volume:
    """Scale a signed volume so that most of what is not 0 within a mask lies in -1 to 1."""
    inside = np.abs(volume[mask & (volume != 0)])
    top = float(np.percentile(inside, BRIGHTEST_PERCENTILE)) if inside.size else 1.0
    scaled: Volume = np.clip(volume / top, -1.2, 1.2).astype(np.float32)
    return scaled


def shape_of(array: Volume | Mask) -> tuple[int, int, int]:
    """Shape of a volume."""
    nx, ny, nz = array.shape
    return nx, ny, nz

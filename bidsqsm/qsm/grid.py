"""The voxel grid on which fields and susceptibilities live."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Volume = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer[Any]]
Triple = tuple[float, float, float]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """Shape, voxel size and field direction: all that the physics needs to know.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    voxel_size
        Distance between voxel centres along each axis, in mm of an adult's head.
    b0_direction
        Unit vector of the main field, in *voxel* axes.
    body_scale
        What such a mm is in the object, in mm: 1 but for bodies of another size. The field of a
        susceptibility knows no length, so a small head is treated as an adult's in all else.

    Examples
    --------
    >>> import numpy as np
    >>> Grid((64, 64, 32), (1.0, 1.0, 2.0)).b0_direction
    (0.0, 0.0, 1.0)

    B0 points along the third axis of the world, whatever the axes of the voxels:

    >>> sagittal = np.array([[0, 0, 2, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    >>> grid = Grid.from_affine((64, 64, 32), sagittal)
    >>> grid.voxel_size, grid.b0_direction
    ((1.0, 1.0, 2.0), (0.0, 1.0, 0.0))

    """

    shape: tuple[int, int, int]
    voxel_size: Triple
    b0_direction: Triple = (0.0, 0.0, 1.0)
    body_scale: float = 1.0

    def __post_init__(self) -> None:
        if not np.isclose(np.linalg.norm(self.b0_direction), 1, atol=1e-4):
            raise ValueError(f'b0_direction must be a unit vector, got {self.b0_direction}')

    @classmethod
    def from_affine(cls, shape: tuple[int, ...], affine: Volume, body_scale: float = 1.0) -> Grid:
        """Read a grid off a NIfTI affine, taking B0 along world z (the bore).

        ``b0_direction`` is the third row of the affine with its columns normalised.

        Examples
        --------
        >>> import numpy as np
        >>> Grid.from_affine((64, 64, 32), np.diag([0.1, 0.1, 0.2, 1]), 0.1).voxel_size
        (1.0, 1.0, 2.0)

        """
        size = np.linalg.norm(affine[:3, :3], axis=0)
        x, y, z = (affine[2, :3] / size).tolist()
        nx, ny, nz = shape[:3]
        dx, dy, dz = size.tolist()
        return cls((nx, ny, nz), (dx, dy, dz), (x, y, z)).of_body(body_scale)

    @property
    def body_voxel_size(self) -> Triple:
        """Distance between voxel centres in mm of the object, as a ruler has it."""
        x, y, z = (size * self.body_scale for size in self.voxel_size)
        return x, y, z

    @property
    def tilt(self) -> float:
        """Angle in degrees between the main field and the nearest axis of the image.

        Examples
        --------
        >>> round(Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.5, 0.75**0.5)).tilt, 6)
        30.0

        """
        # a unit vector in rounded numbers may be a little longer than 1
        return math.degrees(math.acos(min(1.0, max(abs(b) for b in self.b0_direction))))

    def of_body(self, body_scale: float) -> Grid:
        """The grid of an object, which is in mm, in lengths of an adult's head."""
        if body_scale == 1:
            return self
        # to six digits, so that widths that are multiples of a voxel stay so
        x, y, z = (float(f'{size / body_scale:.6g}') for size in self.voxel_size)
        return replace(self, voxel_size=(x, y, z), body_scale=body_scale)

    def frequencies(self) -> list[Volume]:
        """Spatial frequencies in cycles/mm, as three broadcastable float32 arrays (rfft layout)."""
        axes = [np.fft.fftfreq, np.fft.fftfreq, np.fft.rfftfreq]
        k = [f(n, d) for f, n, d in zip(axes, self.shape, self.voxel_size, strict=True)]
        return list(np.meshgrid(*(q.astype(np.float32) for q in k), indexing='ij', sparse=True))

    def padded(self, margin: float) -> Grid:
        """The smallest even, 2-3-5-7-smooth grid with at least this margin (mm) beyond the shape.

        Examples
        --------
        >>> Grid((61, 64, 30), (1.0, 1.0, 2.0)).padded(20.0).shape
        (84, 84, 40)

        """
        wanted = (
            int(np.ceil(n + margin / d)) for n, d in zip(self.shape, self.voxel_size, strict=True)
        )
        nx, ny, nz = (_smooth_even(n) for n in wanted)
        return replace(self, shape=(nx, ny, nz))


def bounding_box(mask: Mask) -> Box:
    """Slices of the smallest box that holds the mask (the whole array where it is empty).

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((8, 8, 8), bool)
    >>> mask[2:5, 3, 1:7] = True
    >>> [(part.start, part.stop) for part in bounding_box(mask)]
    [(2, 5), (3, 4), (1, 7)]

    """
    slices = []
    for axis in range(3):
        line = mask.any(axis=tuple(a for a in range(3) if a != axis))
        hit = np.flatnonzero(line)
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, line.size))
    return slices[0], slices[1], slices[2]


def _smooth_even(n: int) -> int:
    # the real axis of pocketfft likes 2, 3, 5, 7
    n = 2 * ((n + 1) // 2)
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 2

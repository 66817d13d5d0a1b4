"""A volume worked on patch by patch, and the patches blended into one again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.grid import Box, Mask, Volume

Shape = tuple[int, int, int]
T = TypeVar('T', bound=np.generic)
Work = Callable[[Volume, Mask], Volume]


@dataclass(frozen=True)
class Tiling:
    """How a volume is cut.

    Parameters
    ----------
    patch
        Voxels of a patch.
    overlap
        Voxels that neighbouring patches share at least, margins left aside; they are blended
        linearly.
    margin
        Voxels at each face of a patch whose results are not used.

    """

    patch: Shape
    overlap: int
    margin: int

    def starts(self, n: int, axis: int) -> list[int]:
        """Where the used parts of the patches begin along an axis of n voxels, evenly spread."""
        core = self.patch[axis] - 2 * self.margin
        if n <= core:
            return [(n - core) // 2]
        count = 1 + -(-(n - core) // (core - min(self.overlap, core - 1)))
        return [round(i * (n - core) / (count - 1)) for i in range(count)]

    def cores(self, shape: Shape) -> Iterator[Shape]:
        """Corners of the used parts of all patches; they may lie outside a small volume."""
        yield from itertools.product(*(self.starts(n, axis) for axis, n in enumerate(shape)))

    def ramp(self) -> Volume:
        """Weights of a patch's used part: rising from each face over the overlap, flat within."""
        weights: Volume = np.ones((1, 1, 1), np.float32)
        for axis, n in enumerate(self.patch):
            core = n - 2 * self.margin
            depth = np.minimum(np.arange(core), np.arange(core)[::-1]) + 1
            line = np.minimum(depth / (min(self.overlap, core) + 1), 1).astype(np.float32)
            weights = weights * np.expand_dims(line, [a for a in range(3) if a != axis])
        return weights


def in_patches(volume: Volume, mask: Mask, tiling: Tiling, work: Work) -> Volume:
    """Let a function work on every patch that has a voxel of the mask in its used part.

    Parameters
    ----------
    volume : (nx, ny, nz) float32 array
        Goes on with zeros where a patch reaches beyond it.
    mask : (nx, ny, nz) bool array
        Goes on with false.
    tiling
        How to cut.
    work
        Takes a patch and its mask; returns the used part (the patch less its margins). Called
        from as many threads as FFTs may use; the patches are joined in a fixed order.

    Returns
    -------
    joined : (nx, ny, nz) float32 array
        Zero where no patch was worked on.

    """
    core = tuple(n - 2 * tiling.margin for n in tiling.patch)
    corners = [c for c in tiling.cores(_shape(volume)) if mask[_clip(c, core, volume)[0]].any()]
    total, weights = np.zeros_like(volume), np.zeros_like(volume)
    ramp = tiling.ramp()

    def one(corner: Shape) -> Volume:
        start = tuple(c - tiling.margin for c in corner)
        return work(_cut(volume, start, tiling.patch), _cut(mask, start, tiling.patch))

    with ThreadPoolExecutor(max(1, fft.get_workers())) as pool:
        for corner, result in zip(corners, pool.map(one, corners), strict=True):
            there, here = _clip(corner, core, volume)
            total[there] += (ramp * result)[here]
            weights[there] += ramp[here]
    np.divide(total, weights, out=total, where=weights > 0)
    return total


def _cut(volume: npt.NDArray[T], start: tuple[int, ...], patch: Shape) -> npt.NDArray[T]:
    out: npt.NDArray[T] = np.zeros(patch, volume.dtype)
    there, here = _clip(start, patch, volume)
    out[here] = volume[there]
    return out


def _clip(
    start: tuple[int, ...], size: tuple[int, ...], volume: npt.NDArray[Any]
) -> tuple[Box, Box]:
    """Where a patch lies in the volume, and where that part lies in the patch."""
    there, here = [], []
    for first, n, whole in zip(start, size, volume.shape, strict=True):
        low, high = max(first, 0), min(first + n, whole)
        there.append(slice(low, high))
        here.append(slice(low - first, high - first))
    return (there[0], there[1], there[2]), (here[0], here[1], here[2])


def _shape(volume: Volume) -> Shape:
    nx, ny, nz = volume.shape
    return nx, ny, nz

"""What is measured in every vein."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bidsqsm.qsm.grid import Box, Labels, Mask, Triple, Volume
from bidsqsm.qsm.masking.distance import distance_inside

_GAP, _SHELL = 1.0, 4.0  # mm from a vein at which its surroundings begin, and how thick they are


@dataclass(frozen=True)
class Vein:
    """A vein between two branches; not a number (NaN) where the vein has too few core voxels.

    Parameters
    ----------
    index
        Its number in the label image.
    n_voxels, n_core
        How many it has, and how many of these hold blood alone.
    volume
        In mm3.
    length
        Largest extent, in mm.
    centre
        Mean of its voxels' indices.
    chi_mean, chi_max
        Over all voxels, in ppm.
    chi_core, chi_sd
        Mean and standard deviation over the core, in ppm.
    chi_around
        Median of the tissue around it, in ppm.
    svo2, oef
        Venous oxygen saturation and oxygen extraction fraction, from 0 to 1.

    """

    index: int
    n_voxels: int
    n_core: int
    volume: float
    length: float
    centre: tuple[float, float, float]
    chi_mean: float
    chi_max: float
    chi_core: float
    chi_sd: float
    chi_around: float
    svo2: float
    oef: float


def measure_veins(
    chi: Volume,
    mask: Mask,
    labels: Labels,
    core: Mask,
    voxel_size: Triple,
    oxygen: Callable[[float], tuple[float, float]],
    *,
    min_core: int,
    own_zero: bool,
) -> tuple[Vein, ...]:
    """Measure every vein.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where it is known.
    labels : (nx, ny, nz) integer array
        Number of the vein of every voxel, 1 and on.
    core : (nx, ny, nz) bool array
        Voxels that hold blood alone.
    voxel_size
        In mm.
    oxygen
        From the susceptibility (ppm) of blood less that of tissue to SvO2 and OEF.
    min_core
        Core voxels without which a vein has no saturation.
    own_zero
        Whether the zero of the map stands for the tissue, and not what lies around each vein.

    Returns
    -------
    veins
        In the order of their numbers.

    """
    found = []
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        room = _wider(box, voxel_size, mask.shape)
        own = labels[room] == index
        inner = chi[room][own & core[room]]
        around = _around(chi[room], mask[room] & (labels[room] == 0), own, voxel_size)
        zero = 0.0 if own_zero else around
        known = inner.size >= min_core and math.isfinite(zero)
        level = float(inner.mean(dtype=np.float64)) if inner.size else math.nan
        svo2, oef = oxygen(level - zero) if known else (math.nan, math.nan)
        points = np.argwhere(own)
        found.append(
            Vein(
                index=index,
                n_voxels=len(points),
                n_core=int(inner.size),
                volume=len(points) * float(np.prod(voxel_size)),
                length=float(np.linalg.norm((np.ptp(points, axis=0) + 1) * voxel_size)),
                centre=_centre(points, room),
                chi_mean=float(chi[room][own].mean(dtype=np.float64)),
                chi_max=float(chi[room][own].max()),
                chi_core=level,
                chi_sd=float(inner.std(dtype=np.float64)) if inner.size > 1 else math.nan,
                chi_around=around,
                svo2=svo2,
                oef=oef,
            )
        )
    return tuple(found)


def _centre(points: npt.NDArray[np.int64], room: Box) -> tuple[float, float, float]:
    x, y, z = points.mean(axis=0) + [part.start for part in room]
    return float(x), float(y), float(z)


def _wider(box: Box, voxel_size: Triple, shape: tuple[int, ...]) -> Box:
    margin = [math.ceil((_GAP + _SHELL) / d) + 1 for d in voxel_size]
    parts = [
        slice(max(part.start - m, 0), min(part.stop + m, n))
        for part, m, n in zip(box, margin, shape, strict=True)
    ]
    return parts[0], parts[1], parts[2]


def _around(chi: Volume, tissue: Mask, own: Mask, voxel_size: Triple) -> float:
    # median of the shell: other veins are no tissue, and a few voxels of another kind do not count
    away = distance_inside(~own, voxel_size)
    shell = tissue & (away > _GAP + min(voxel_size)) & (away <= _GAP + _SHELL + min(voxel_size))
    return float(np.median(chi[shell])) if shell.any() else math.nan

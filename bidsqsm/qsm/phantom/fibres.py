"""A direction of fibres for every voxel of white matter, made up from geometry and the seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phantom.head import Head
from bidsqsm.qsm.phantom.head_anatomy import CHANNELS, Anatomy, Subject
from bidsqsm.qsm.phantom.sampling import LABEL_CSF, LABEL_GRAY, LABEL_WHITE
from bidsqsm.qsm.resampling import values_at

#: Width (mm) of the callosal fibres about the midline, and how far under the cortex fibres turn to it
_CALLOSAL_MM, _CORTICAL_MM = 14.0, 4.0
#: Where the corona radiata lies beside the midline, and its width (mm)
_RADIATA_MM = (26.0, 12.0)
#: Radius of the stem (mm)
_STEM_MM = 22.0
#: Width (mm) and size of the random bends, against the directions' unit length
_BENDS = ((10.0, 0.35), (4.0, 0.25))
_BEND_STEP_MM = 2.0


class Fibres(NamedTuple):
    """White and gray matter of a head, and where its fibres point; zero outside the brain.

    Parameters
    ----------
    direction : (3, nx, ny, nz) float32 array
        Unit vectors in the axes of the voxels.
    white, gray : (nx, ny, nz) float32 array
        Shares of the voxel, 0..1; zero in nuclei, vessels and lesions.

    """

    direction: Volume
    white: Volume
    gray: Volume

    def sine2(self, b0_direction: tuple[float, float, float]) -> Volume:
        """Squared sine of the angle between fibres and field, (nx, ny, nz)."""
        b = np.array(b0_direction, np.float32)
        return np.asarray(1 - np.tensordot(b, self.direction, 1) ** 2)


def make_fibres(head: Head, anatomy: Anatomy, subject: Subject, pose: Volume | None) -> Fibres:
    """Lay fibres through the white matter of a head.

    There is no tractography in the templates. Fibres run from left to right across the midline,
    turn upwards beside it (corpus callosum), rise beside the ventricles (corona radiata) and in
    the stem, run from front to back along the surface further out (association bundles) and turn towards
    the cortex in the last millimetres. Smooth random vectors, 10 and 4 mm wide, bend them.

    Parameters
    ----------
    head
        Made from the anatomy.
    anatomy, subject, pose
        What the head was made from.

    Returns
    -------
    fibres : Fibres
        On the head's grid.

    """
    place = head.affine if pose is None else np.linalg.inv(pose) @ head.affine
    inside = np.argwhere(head.mask)
    points = anatomy.to_template(np.einsum('nj,ij->ni', inside, place[:3, :3]) + place[:3, 3])
    inverse = np.linalg.inv(anatomy.affine)
    at = (np.einsum('nj,ij->ni', points, inverse[:3, :3]) + inverse[:3, 3]).T
    distance = anatomy.maps[..., CHANNELS.index('distance')]
    depth = -values_at(distance, at)
    outwards = _normalised(
        np.stack([values_at(slope, at) for slope in _slopes(distance, anatomy.affine)], -1)
    )
    course: Volume = _normalised(_course(points, depth, outwards))
    course += _bends(at, anatomy, subject)
    # axes of the template to those of the voxels: the turn of head and volume, not the warp
    turn = place[:3, :3] / np.linalg.norm(place[:3, :3], axis=0)
    course = _normalised(np.einsum('ni,ij->nj', course, turn))
    plain = np.isin(head.labels[head.mask], (LABEL_WHITE, LABEL_GRAY, LABEL_CSF))
    white, gray = (
        values_at(anatomy.maps[..., CHANNELS.index(name)], at) * plain
        for name in ('white', 'gray')
    )
    shape = head.grid.shape
    filled = [np.zeros(shape, np.float32) for _ in range(5)]
    for volume, values in zip(filled, (*course.T, white, gray), strict=True):
        volume[head.mask] = values
    return Fibres(np.stack(filled[:3]), filled[3], filled[4])


def _course(points: Volume, depth: Volume, outwards: Volume) -> Volume:
    # directions (n, 3) of the large bundles at template points; weights blend them
    x, y, z = points.T
    away, zero = abs(x), np.zeros_like(x)
    side = np.sign(x)
    angle = np.deg2rad(np.clip(2.5 * away, 0, 70))
    callosal = np.stack([np.cos(angle), zero, side * np.sin(angle)], -1)
    radiata = np.stack([0.3 * side, (y + 20) / 120, np.ones_like(x)], -1)
    ahead = np.array([0.0, 1.0, 0.0])
    along = ahead - outwards * outwards[:, 1:2]
    middle, width = _RADIATA_MM
    beside = np.hypot(x, y + 28) / _STEM_MM
    stem = np.exp(-(beside**2)) / (1 + np.exp((z + 22) / 4))
    weights = (
        (1 - stem) * np.exp(-((away / _CALLOSAL_MM) ** 2)),
        np.maximum(stem, np.exp(-(((away - middle) / width) ** 2))),
        0.5 * (1 - stem) * (1 - np.exp(-((away / 35) ** 2))),
        1.5 * (1 - stem) * np.exp(-np.maximum(depth, 0) / _CORTICAL_MM),
    )
    bundles = (callosal, radiata, along, outwards)
    return np.asarray(sum(w[:, None] * b for w, b in zip(weights, bundles, strict=True)))


def _bends(at: Volume, anatomy: Anatomy, subject: Subject) -> Volume:
    # smooth random vectors (n, 3) at voxels of the maps, drawn on 2 mm whatever the maps' own size
    random = subject.random(8)
    spacing = np.diag(anatomy.affine)[:3, None]
    shape = tuple(
        round((n - 1) * float(d) / _BEND_STEP_MM) + 1
        for n, (d,) in zip(anatomy.maps.shape, spacing, strict=False)
    )
    at = at * (spacing / _BEND_STEP_MM)
    bends = np.zeros(at.T.shape)
    for width, size in _BENDS:
        for axis in range(3):
            noise = random.standard_normal(shape, np.float32)
            smooth = ndimage.gaussian_filter(noise, width / _BEND_STEP_MM)
            bends[:, axis] += values_at(smooth, at) * (size / smooth.std())
    return bends


def _slopes(distance: Volume, affine: Volume) -> list[Volume]:
    # of the distance from the surface, along the axes of the template
    smooth = ndimage.gaussian_filter(distance, 2.0)
    return [
        np.asarray(np.gradient(smooth, affine[axis, axis], axis=axis), np.float32)
        for axis in range(3)
    ]


def _normalised(vectors: Volume) -> Volume:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-6))

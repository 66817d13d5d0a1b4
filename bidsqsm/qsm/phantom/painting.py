"""Nuclei, veins and lesions painted onto the fine grid with blended edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Box, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phantom import shapes
from bidsqsm.qsm.phantom.head_anatomy import Anatomy, Subject
from bidsqsm.qsm.phantom.tissue import NUCLEI, TISSUES, Tissue, nucleus, nucleus_chi
from bidsqsm.qsm.phantom.vessels import Lesion

Labels = npt.NDArray[np.uint8]
#: Label values of nuclei are 2 i + 1 (left) and 2 i + 2 (right) in the order of NUCLEI
LABEL_VEIN, LABEL_CALCIFICATION, LABEL_MICROBLEED = 23, 24, 25
_EDGE = 0.7  # mm from 0 to 1 across an edge, at least

#: Signal of a tissue at TE = 0
Signal = Callable[[Tissue], float]
#: What is painted of a tissue
Part = Callable[[Tissue], Tissue]


def whole(tissue: Tissue) -> Tissue:
    """Paint the tissue as it is."""
    return tissue


@dataclass
class Canvas:
    """Fine maps of the scanned volume and where they lie in the world.

    ``chi`` in ppm (a view into the padded volume), ``r2star`` in 1/s, ``signal`` at TE = 0,
    ``labels`` uint8; ``affine`` goes from fine voxels to world mm.
    """

    chi: Volume
    r2star: Volume
    signal: Volume
    labels: Labels
    affine: Volume
    step: float

    def box(self, low: Volume, high: Volume) -> Box | None:
        """Slices that hold a box of world coordinates (mm), or None where it lies outside."""
        corners = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        world = low + corners * (high - low)
        inverse = np.linalg.inv(self.affine)
        voxels = world @ inverse[:3, :3].T + inverse[:3, 3]
        first = np.maximum(np.floor(voxels.min(0)).astype(int), 0)
        last = np.minimum(np.ceil(voxels.max(0)).astype(int) + 1, self.chi.shape)
        if (first >= last).any():
            return None
        return slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2])

    def world(self, box: Box) -> Volume:
        """World coordinates (..., 3) of the voxels of a box, in mm."""
        axes = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing='ij')
        turned = np.einsum('...j,ij->...i', np.stack(axes, -1), self.affine[:3, :3])
        return np.asarray(turned + self.affine[:3, 3])

    def blend(self, box: Box, share: Volume, tissue: Tissue, signal: float, b0: float) -> None:
        """Lay a tissue over a box, by its share (0..1) of each voxel."""
        values = (tissue.chi, tissue.r2star(b0), signal)
        for volume, value in zip((self.chi, self.r2star, self.signal), values, strict=True):
            volume[box] += share * (np.float32(value) - volume[box])


def paint_nuclei(
    canvas: Canvas,
    anatomy: Anatomy,
    subject: Subject,
    b0: float,
    signal: Signal,
    part: Part = whole,
) -> None:
    """Paint both sides of every nucleus; size, place and iron vary with the subject."""
    random, spread = subject.random(4), subject.spread
    for index, name in enumerate(NUCLEI):
        chi = nucleus_chi(name, subject.age, subject.diagnosis)
        chi *= 1 + spread * 0.04 * random.standard_normal()
        for side in (-1, 1):
            tissue = part(nucleus(chi * (1 + spread * 0.015 * random.standard_normal())))
            grow = spread * 0.25 * random.standard_normal()
            shift = spread * 0.5 * random.standard_normal(3)
            low, high = shapes.extent(shapes.NUCLEI_SHAPES[name])
            ends = np.array([low, high]) * (side, 1, 1)
            box = _world_box(canvas, anatomy, ends.min(0) - 2, ends.max(0) + 2)
            if box is None:
                continue
            points = (anatomy.to_template(canvas.world(box)) + shift) * (side, 1, 1)
            far = shapes.nucleus_distance(points, shapes.NUCLEI_SHAPES[name]) - grow
            share = _share(far, canvas.step)
            canvas.blend(box, share, tissue, signal(tissue), b0)
            label = 2 * index + (1 if side < 0 else 2)
            canvas.labels[box][(share > 0.5) & (canvas.labels[box] > 0)] = label


def paint_lesions(
    canvas: Canvas,
    anatomy: Anatomy,
    found: Iterable[Lesion],
    b0: float,
    signal: Signal,
    part: Part = whole,
) -> None:
    """Paint balls of a tissue."""
    labels = {'calcification': LABEL_CALCIFICATION, 'microbleed': LABEL_MICROBLEED}
    for lesion in found:
        centre = np.array(lesion.centre)
        reach = lesion.radius + 2
        box = _world_box(canvas, anatomy, centre - reach, centre + reach)
        if box is None:
            continue
        points = anatomy.to_template(canvas.world(box))
        far = np.sqrt(((points - centre) ** 2).sum(-1)) - lesion.radius
        share = _share(far, canvas.step)
        tissue = part(TISSUES[lesion.kind])
        canvas.blend(box, share, tissue, signal(tissue), b0)
        canvas.labels[box][(share > 0.5) & (canvas.labels[box] > 0)] = labels[lesion.kind]


def paint_veins(
    canvas: Canvas,
    anatomy: Anatomy,
    capsules: Volume,
    b0: float,
    signal: Signal,
    part: Part = whole,
) -> None:
    """Paint the venous tree: the union of its capsules, so that joints are no thicker."""
    tissue = part(TISSUES['vein'])
    share = np.zeros(canvas.chi.shape, np.uint8)
    ends = capsules[:, :6].reshape(-1, 2, 3)
    reach = capsules[:, 6:].max(1, keepdims=True) + canvas.step
    low, high = ends.min(1) - reach, ends.max(1) + reach
    for capsule, box in zip(capsules, world_boxes(canvas, anatomy, low, high), strict=True):
        if box is not None:
            points = anatomy.to_template(canvas.world(box))
            filled = (255 * capsule_share(points, capsule, canvas.step) + 0.5).astype(np.uint8)
            np.maximum(share[box], filled, out=share[box])
    values = np.array([tissue.chi, tissue.r2star(b0), signal(tissue)], np.float32)
    blend_share(canvas.chi, canvas.r2star, canvas.signal, canvas.labels, share, values, LABEL_VEIN)


@kernel()
def blend_share(
    chi: Volume,
    r2star: Volume,
    signal: Volume,
    labels: Labels,
    share: Labels,
    values: Volume,
    label: int,
) -> None:
    for i in nb.prange(chi.shape[0]):
        for j in range(chi.shape[1]):
            for k in range(chi.shape[2]):
                if share[i, j, k]:
                    part = share[i, j, k] / np.float32(255)
                    chi[i, j, k] += part * (values[0] - chi[i, j, k])
                    r2star[i, j, k] += part * (values[1] - r2star[i, j, k])
                    signal[i, j, k] += part * (values[2] - signal[i, j, k])
                    if part > 0.5 and labels[i, j, k] > 0:
                        labels[i, j, k] = label


def _share(far: Volume, step: float) -> Volume:
    width = max(_EDGE, step)
    return np.asarray(np.clip(0.5 - far / width, 0, 1), np.float32)


def capsule_share(points: Volume, capsule: Volume, step: float) -> Volume:
    """Share (0..1) of voxels of a size (mm) at points (..., 3) that a capsule (8,) fills."""
    vein = shapes.Tube((tuple(capsule[:3]), tuple(capsule[3:6])), tuple(capsule[6:]))
    far = shapes.tube_distance(points, vein)
    # a vein thinner than a fine voxel fills a part of it at most
    most = min(1.0, np.pi * capsule[6] ** 2 / step**2)
    return np.asarray(np.clip(0.5 - far / max(step, 0.35), 0, 1) * most)


def _world_box(canvas: Canvas, anatomy: Anatomy, low: Volume, high: Volume) -> Box | None:
    return world_boxes(canvas, anatomy, low[None], high[None])[0]


def world_boxes(canvas: Canvas, anatomy: Anatomy, low: Volume, high: Volume) -> list[Box | None]:
    """Boxes in template mm, low and high (n, 3), to boxes of voxels, by way of their warped corners."""
    corners = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    world = anatomy.to_world(low[:, None] + corners * (high - low)[:, None])
    return [canvas.box(w.min(0) - 1, w.max(0) + 1) for w in world]

"""Affine registration of a head with a template: where a deformation starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Matrix, Volume
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.registration.program import SEED, execute
from bidsqsm.qsm.resampling import interpolate

AFFINE_VOXEL_MM = 4.0
HEIGHTS = (0.0, -30.0, 30.0, -60.0, 60.0)  # mm along the body: places tried for a slab
WHOLE_VOLUME_SHARE = 0.75  # share of the template's volume from which a head counts as whole
#: Share of the head's volume below which a template counts as that of a part
PART_VOLUME_SHARE = 0.5
#: Of the brain in coordinates like those of MNI152
BRAIN_CENTRE_MM = np.array([0.0, -18.0, 8.0])


@dataclass(frozen=True)
class Start:
    """An affine registration: its matrix from the template's RAS mm to the head's, and the program.

    The program takes no matrix from memory but one that it made itself: the ``first`` matrix, from
    which it started, stands in the header of the head that it was given.
    """

    first: Matrix
    matrix: Matrix
    score: float
    program: Any


def find_affine(head: HeadImage, template: HeadImage) -> Start:
    """The affine registration that fits best, of those from several starts."""
    from picsl_greedy import Greedy3D

    fixed = template.at(AFFINE_VOXEL_MM)
    best: Start | None = None
    for first in starts(head, template):
        program, moving = Greedy3D(), head.moved(first).at(AFFINE_VOXEL_MM)
        options = f'-a -dof 12 -m NCC 2x2x2 -n 40x20 -o affine -threads 1 -seed {SEED}'
        execute(program, fixed, moving, fixed.mask, options, affine=None)
        found = np.asarray(program['affine'], float)
        score = correlation(moving, fixed, found)
        if best is None or score > best.score:
            best = Start(first, first @ found, score, program)
    assert best is not None
    return best


def starts(head: HeadImage, template: HeadImage) -> list[Matrix]:
    """Matrices to start from: middle on middle and as the headers say.

    A slab is tried at several heights. A template of a part of the brain (the cerebellum, say) has
    another middle than the head; its coordinates are like those of MNI152.
    """
    shift = np.eye(4)
    shift[:3, 3] = head.middle - (BRAIN_CENTRE_MM if is_part(template, head) else template.middle)
    found: list[Matrix] = [shift, np.eye(4)]
    if head.volume < WHOLE_VOLUME_SHARE * template.volume:
        for height in HEIGHTS[1:]:
            moved = shift.copy()
            moved[2, 3] += height
            found.append(moved)
    return found


def is_part(template: HeadImage, head: HeadImage) -> bool:
    """Whether a template shows but a part of what a head shows."""
    return template.volume < PART_VOLUME_SHARE * head.volume


def correlation(moving: HeadImage, fixed: HeadImage, matrix: Matrix) -> float:
    """Correlation of a head with a template within the brain of both, less where they do not overlap."""
    to_moving = np.linalg.inv(moving.affine) @ matrix @ fixed.affine
    there = interpolate(moving.image, to_moving, fixed.image.shape)
    seen = interpolate(np.ones_like(moving.image), to_moving, fixed.image.shape) > 0.5
    both = seen & (fixed.mask | (there > 0.05))
    if both.sum() < 100:
        return -1.0
    return alike(fixed.image[both] * fixed.mask[both], there[both])


def alike(one: Volume, other: Volume) -> float:
    """Correlation of values, 0 where one of the two does not vary."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])

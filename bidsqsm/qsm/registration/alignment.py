"""What a registration with a template gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bidsqsm.qsm.registration.head_image import HeadImage, shape_of
from bidsqsm.qsm.registration.start import AFFINE_VOXEL_MM, alike
from bidsqsm.qsm.resampling import resample_through


@dataclass(frozen=True)
class Alignment:
    """Where each place of a template lies in a head.

    Attributes
    ----------
    to_head, to_template
        ITK transforms of points: from the template's world to the head's, and back. The first
        resamples the head's images onto the template's grid.
    jacobian
        Lowest and highest volume change of the diffeomorphic part within the template's brain.
    folded
        Share of the template's brain where that change is not positive.
    smoothing
        Of each step and of the whole deformation, in mm, as it was in the end.

    """

    to_head: Any
    to_template: Any
    jacobian: tuple[float, float] = (1.0, 1.0)
    folded: float = 0.0
    smoothing: tuple[float, float] | None = None


def likeness(found: Alignment, head: HeadImage, template: HeadImage) -> float:
    """Correlation of a registered head with a template within its brain, where the head has it."""
    fixed, moving = template.at(AFFINE_VOXEL_MM), head.at(AFFINE_VOXEL_MM)
    shape, onto = shape_of(fixed.image), fixed.affine
    there = resample_through(moving.image, moving.affine, found.to_head, shape, onto)
    both = fixed.mask & (there > 0)
    if both.sum() < 100:
        return 0.0
    return alike(fixed.image[both], there[both])

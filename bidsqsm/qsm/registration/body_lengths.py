"""Worlds whose lengths are those of an adult's head, in which bodies of any size are registered."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from bidsqsm.qsm.grid import Matrix
from bidsqsm.qsm.registration.alignment import Alignment
from bidsqsm.qsm.registration.itk import affine_transform, chain

USUAL_BRAIN_MM3 = 1.4e6  # mm3: the brain of an adult


def scaled_affine(affine: Matrix, scale: float) -> Matrix:
    """Affine to a world whose lengths are multiplied.

    Examples
    --------
    >>> import numpy as np
    >>> scaled_affine(np.diag([0.5, 0.5, 0.5, 1.0]), 10.0).diagonal().tolist()
    [5.0, 5.0, 5.0, 1.0]

    """
    scaled: Matrix = np.diag([scale, scale, scale, 1.0]) @ np.asarray(affine, np.float64)
    return scaled


def rescaled(motion: Matrix, scale: float) -> Matrix:
    """A rigid motion of points between worlds whose lengths are multiplied alike."""
    found: Matrix = motion.copy()
    found[:3, 3] *= scale
    return found


def scale_of_template(volume: float, body_scale: float) -> float:
    """Scale of a template: that of an adult or that of the body, whichever fits its brain (mm3).

    Examples
    --------
    >>> scale_of_template(1.9e6, 0.65), scale_of_template(3.5e5, 0.65), scale_of_template(600, 0.09)
    (1.0, 0.65, 0.09)

    """
    return min(
        (1.0, body_scale),
        key=lambda scale: abs(math.log(max(volume, 1e-9) / scale**3 / USUAL_BRAIN_MM3)),
    )


def between_files(
    found: Alignment, body_scale: float, template: Matrix, template_scaled: Matrix
) -> Alignment:
    """Transforms between the worlds of the files, of those between worlds of adults.

    Parameters
    ----------
    found
        Between the two worlds in lengths of an adult's head.
    body_scale
        Lengths of the head over those.
    template, template_scaled
        Affine of the template in its file, and the one that it was registered with.

    """
    if body_scale == 1:
        return found
    to_head = np.diag([body_scale, body_scale, body_scale, 1.0])
    to_template = template @ np.linalg.inv(template_scaled)
    into, out = (affine_transform(one) for one in (to_head, np.linalg.inv(to_head)))
    onto, off = (affine_transform(one) for one in (to_template, np.linalg.inv(to_template)))
    return replace(
        found,
        to_head=chain([off, found.to_head, into]),
        to_template=chain([out, found.to_template, onto]),
    )

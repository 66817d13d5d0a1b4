"""What a deformation is sought between: a head as an affine registration placed it, and a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.registration.head import Head
from bidsqsm.qsm.registration.itk import (
    affine_transform,
    chain,
    to_array,
)
from bidsqsm.qsm.registration.program import field_of_view
from bidsqsm.qsm.registration.start import find_affine

#: From the coarsest of three levels on
ITERATIONS = '60x40x15'


@dataclass(frozen=True)
class Task:
    """Two heads between which a deformation is sought.

    Attributes
    ----------
    program
        A ``Greedy3D``, in which the affine part stands if there is one.
    fixed, moving
        Template and head at the resolution of the finest level.
    seen
        On the grid of the moving one, 0 where nothing leads.
    options
        For the program: where to start from, and how often to iterate.
    to_head, to_template
        ITK transforms of points between the two, without the deformation.

    """

    program: Any
    fixed: Head
    moving: Head
    seen: Volume
    options: str
    to_head: Any
    to_template: Any

    def found(self) -> tuple[Any, Any]:
        """Transforms of points with the deformation: to the head and to the template."""
        warp, inverse = (_transform(self.program[name]) for name in ('warp', 'inverse'))
        return chain([warp, self.to_head]), chain([self.to_template, inverse])

    def volume_change(self, brain: Mask) -> Volume:
        """Of the deformation in a mask on the fixed grid."""
        import SimpleITK

        change = SimpleITK.DisplacementFieldJacobianDeterminant(self.program['warp'])
        inside: Volume = to_array(change)[brain]
        return inside


def task_of(head: Head, template: Head, fixed: Head, resolution: float, radius: int) -> Task:
    """From an affine registration on; ``fixed`` is the template as it is compared."""
    start = find_affine(head, template)
    moving = head.around(template, start.matrix).moved(start.first).at(resolution)
    return Task(
        start.program,
        fixed,
        moving,
        field_of_view(moving.image.shape, radius),
        f'-it affine -n {ITERATIONS}',
        affine_transform(start.matrix),
        affine_transform(np.linalg.inv(start.matrix)),
    )


def _transform(image: Any) -> Any:
    import SimpleITK

    return SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(image, SimpleITK.sitkVectorFloat64))

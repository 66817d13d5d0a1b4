"""What a deformation is sought between: a head as an affine part or an earlier one placed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.registration.alignment import Alignment
from bidsqsm.qsm.registration.contrast import coarser
from bidsqsm.qsm.registration.head import Head, shape_of
from bidsqsm.qsm.registration.itk import (
    affine_transform,
    carry_mask,
    chain,
    resample,
    to_array,
)
from bidsqsm.qsm.registration.program import field_of_view
from bidsqsm.qsm.registration.start import find_affine

#: Iterations from the coarsest of three levels on; less is left to do after an earlier deformation
FRESH, ONWARD = '60x40x15', '40x20x10'


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
    earlier
        Whether they hold a deformation of their own.

    """

    program: Any
    fixed: Head
    moving: Head
    seen: Volume
    options: str
    to_head: Any
    to_template: Any
    earlier: bool = False

    def found(self) -> tuple[Any, Any]:
        """Transforms of points with the deformation: to the head and to the template."""
        warp, inverse = (_transform(self.program[name]) for name in ('warp', 'inverse'))
        return chain([warp, self.to_head]), chain([self.to_template, inverse])

    def volume_change(self, brain: Mask) -> Volume:
        """Of the deformation in a mask on the fixed grid; with an earlier one less that of the whole."""
        import SimpleITK

        warp = self.program['warp']
        if self.earlier:
            grid = (warp.GetSize(), warp.GetOrigin(), warp.GetSpacing(), warp.GetDirection())
            warp = SimpleITK.TransformToDisplacementField(
                self.found()[0], SimpleITK.sitkVectorFloat64, *grid
            )
        change: Volume = to_array(SimpleITK.DisplacementFieldJacobianDeterminant(warp))[brain]
        return change / change.mean() if self.earlier else change


def fresh(head: Head, template: Head, fixed: Head, resolution: float, radius: int) -> Task:
    """From an affine registration on; ``fixed`` is the template as it is compared."""
    start = find_affine(head, template)
    moving = head.around(template, start.matrix).moved(start.first).at(resolution)
    return Task(
        start.program,
        fixed,
        moving,
        field_of_view(moving.image.shape, radius),
        f'-it affine -n {FRESH}',
        affine_transform(start.matrix),
        affine_transform(np.linalg.inv(start.matrix)),
    )


def onward(
    start: Alignment, head: Head, template: Head, fixed: Head, resolution: float, radius: int
) -> Task:
    """From an earlier registration on, by which the head is brought onto the grid of the template."""
    from picsl_greedy import Greedy3D

    shape, onto = shape_of(fixed.image), fixed.affine
    image, *further = (
        resample(volume, head.affine, start.to_head, shape, onto)
        for volume in (head.image, *head.further)
    )
    mask = carry_mask(head.mask, head.affine, start.to_head, shape, onto)
    placed = Head(image, mask, onto, tuple(further)).around(template, np.eye(4))
    thin, thin_affine = coarser(head.image.shape, head.affine, resolution)
    view = field_of_view(thin, radius)
    seen = resample(view, thin_affine, start.to_head, shape, onto) > 1 - 1e-3
    return Task(
        Greedy3D(),
        fixed,
        placed.at(resolution),
        seen.astype(np.float32),
        f'-n {ONWARD}',
        start.to_head,
        start.to_template,
        earlier=True,
    )


def _transform(image: Any) -> Any:
    import SimpleITK

    return SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(image, SimpleITK.sitkVectorFloat64))

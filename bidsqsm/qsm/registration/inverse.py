"""The inverse of a transform that has none in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Matrix
from bidsqsm.qsm.registration.contrast import coarser
from bidsqsm.qsm.registration.itk import FLIP, displacements
from bidsqsm.qsm.resampling import values_at

INVERSE_STEP_MM = 2.0
INVERSE_ROUNDS = 30
INVERSE_TOLERANCE_MM = 0.05


def inverted(transform: Any, shape: tuple[int, ...], affine: Matrix, onto: Matrix) -> Any:
    """Invert a transform of points by fixed-point iteration.

    Parameters
    ----------
    transform
        ITK transform from a first world to a second.
    shape, affine
        Grid in the first world that holds all that matters: where the transform is looked at.
    onto
        Affine of an image in the second world, whose axes the inverse's grid has.

    Returns
    -------
    inverse
        ITK transform from the second world to the first, good to 0.05 mm where the grid reaches.

    """
    import SimpleITK

    (nx, ny, nz), lattice = coarser(shape, affine, INVERSE_STEP_MM)
    shift = displacements(transform, (nx, ny, nz), lattice)
    index = np.moveaxis(np.indices((nx, ny, nz)), 0, -1).reshape(-1, 3)
    places = index @ lattice[:3, :3].T + lattice[:3, 3]
    moved = places + shift.reshape(-1, 3)
    linear, *_ = np.linalg.lstsq(np.c_[places, np.ones(len(places))], moved, rcond=None)

    # a box in the second world around all that the first grid reaches, along the image's axes
    axes = onto[:3, :3] / np.linalg.norm(onto[:3, :3], axis=0)
    along = moved @ axes
    low, high = along.min(0), along.max(0)
    size = tuple(int(n) for n in np.ceil((high - low) / INVERSE_STEP_MM) + 1)
    wanted = low + INVERSE_STEP_MM * np.moveaxis(np.indices(size), 0, -1).reshape(-1, 3)
    wanted = wanted @ axes.T
    back = np.linalg.inv(linear[:3])
    guess = (wanted - linear[3]) @ back
    to_index = np.linalg.inv(lattice[:3, :3])
    for _ in range(INVERSE_ROUNDS):
        at = (guess - lattice[:3, 3]) @ to_index.T
        there = [values_at(shift[..., axis], at.T) for axis in range(3)]
        error = guess + np.stack(there, -1) - wanted
        guess -= error @ back
        inside = ((at >= 0) & (at <= np.array((nx, ny, nz)) - 1)).all(1)
        if not inside.any() or np.abs(error[inside]).max() < INVERSE_TOLERANCE_MM:
            break
    lps = (guess - wanted).reshape(*size, 3) * (-1.0, -1.0, 1.0)
    field = SimpleITK.GetImageFromArray(
        np.ascontiguousarray(lps.transpose(2, 1, 0, 3)), isVector=True
    )
    field.SetSpacing((INVERSE_STEP_MM,) * 3)
    field.SetOrigin((low @ axes.T * (-1.0, -1.0, 1.0)).tolist())
    field.SetDirection((FLIP[:3, :3] @ axes).ravel().tolist())
    return SimpleITK.DisplacementFieldTransform(field)

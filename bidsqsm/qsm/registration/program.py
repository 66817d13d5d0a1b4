"""The program greedy on images in memory."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.masking.morphology import dilate
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.registration.itk import to_image

SEED = 7  # the affine part jitters its samples, the other adds a little noise


def execute(
    program: Any,
    fixed: HeadImage,
    moving: HeadImage,
    brain: Mask,
    options: str,
    *,
    weight: float = 0.0,
    seen: Volume | None = None,
    **made: None,
) -> None:
    """Run greedy, led by what lies in a mask of the fixed head.

    Parameters
    ----------
    program
        A ``Greedy3D``; what it makes stays in it.
    fixed, moving
        Heads; their further images are pairs in their order.
    brain
        Mask on the grid of the fixed one.
    options
        Of the command line, besides images, masks and how much is said.
    weight
        Of every pair of further images beside the first; 0 leaves them out.
    seen
        On the grid of the moving head, 0 where nothing leads; everything does if left out.
    **made
        Names of what is to be left in the program, each with None.

    Raises
    ------
    RuntimeError
        Where the program gives up, with what it said.

    """
    size = np.linalg.norm(fixed.affine[:3, :3], axis=0)
    around = dilate(brain, 1.01 * float(size.max()), (size[0], size[1], size[2]))
    said = io.StringIO()
    images = {
        'fixed': to_image(fixed.image, fixed.affine),
        'moving': to_image(moving.image, moving.affine),
        'around': to_image(around.astype(np.float32), fixed.affine),
    }
    if seen is not None:
        images['seen'] = to_image(seen, moving.affine)
        options = f'-mm seen {options}'

    pairs = '-i fixed moving'
    further = zip(fixed.further, moving.further, strict=True) if weight else ()
    for number, (one, other) in enumerate(further, start=1):
        images[f'fixed{number}'] = to_image(one, fixed.affine)
        images[f'moving{number}'] = to_image(other, moving.affine)
        pairs += f' -w {weight} -i fixed{number} moving{number}'
    command = f'{pairs} -gm around {options} -V 0'
    try:
        program.execute(command, out=said, err=said, **images, **made)
    except Exception as error:
        raise RuntimeError(f'greedy: {error} {said.getvalue()}'.strip()) from error


def field_of_view(shape: tuple[int, ...], margin: int) -> Volume:
    """1 where a neighbourhood lies in the field of view, 0 near its faces: they are no edges."""
    inner: Volume = np.zeros(shape, np.float32)
    inner[tuple(slice(m, n - m) for n in shape for m in [min(margin, n // 8)])] = 1
    return inner

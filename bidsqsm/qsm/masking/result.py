"""What a masking method returns."""

from __future__ import annotations

from typing import NamedTuple

from bidsqsm.qsm.grid import Mask


class Masks(NamedTuple):
    """Two masks, each (nx, ny, nz) bool and without holes.

    Attributes
    ----------
    brain
        The brain, or what the image shows of it.
    qsm
        The part of the brain whose field can be trusted up to its edge.

    """

    brain: Mask
    qsm: Mask

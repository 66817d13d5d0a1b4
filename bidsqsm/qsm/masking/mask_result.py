"""What a masking method returns."""

from __future__ import annotations

from typing import NamedTuple

from bidsqsm.qsm.grid import Mask


class Masks(NamedTuple):
    """The masks of a run and what they were made from, each (nx, ny, nz) bool.

    Attributes
    ----------
    brain
        The brain, or what the image shows of it, without holes.
    qsm
        The part of the brain whose field can be trusted up to its edge, without holes.
    magnitude
        The brain as the magnitude shows it, where the method looked for it.
    template
        The brain of a template, carried to the run by registration, where there was one.
    quality
        Voxels whose phase is good, where the method asked for that; it may have holes.

    """

    brain: Mask
    qsm: Mask
    magnitude: Mask | None = None
    template: Mask | None = None
    quality: Mask | None = None

    @property
    def parts(self) -> dict[str, Mask]:
        """What the masks were made from, by name."""
        named = {'magnitude': self.magnitude, 'template': self.template, 'quality': self.quality}
        return {name: part for name, part in named.items() if part is not None}

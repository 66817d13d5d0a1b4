"""How labels of regions came to a run, and what their values are relative to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bidsqsm.facts.record import StepFacts


@dataclass(frozen=True, kw_only=True)
class LabelsFacts(StepFacts):
    """How labels came to a run.

    Attributes
    ----------
    failure
        Why they did not: a registration on the way failed.

    """

    failure: str | None = field(default=None, metadata={'key': 'registration_failed'})


@dataclass(frozen=True, kw_only=True)
class RefinementFacts(StepFacts):
    """How the borders of regions were settled.

    Attributes
    ----------
    roi_refine
        Method.
    overlap_with_atlas
        Dice of each region with what it was, by its value, 0 to 1.

    """

    roi_refine: str | None = None
    overlap_with_atlas: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class RegionsFacts(StepFacts):
    """What the values of a table of regions are relative to, and in whom.

    Attributes
    ----------
    map_reference
        Name of the region that was taken for zero.
    csf
        Susceptibility of the cerebrospinal fluid, in ppm.
    age
        In years.

    """

    map_reference: str | None = None
    csf: float | None = None
    age: float | None = None

"""What the images of a run are, and how their phase became the total field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from bidsqsm.facts.record import StepFacts
from bidsqsm.qsm.phase.terms import Alternation, PhaseFilter, ReadoutPhase, ReceivePhase


@dataclass(frozen=True, kw_only=True)
class PhaseFacts(StepFacts):
    """How the images of a run were read.

    Attributes
    ----------
    parts
        ``magnitude`` where there is no phase.
    scaling
        How the stored phase became radians, in words.
    channels
        Number of receive channels.
    coil
        Method that combined them.
    alternation, bipolar, filtered, offset
        What there was in the phase that is neither field nor noise.

    """

    steps: ClassVar[tuple[str, ...]] = ('phase',)
    parts: str | None = None
    scaling: str | None = None
    channels: int | None = None
    coil: str | None = None
    alternation: Alternation | None = field(default=None, metadata={'kind': Alternation})
    bipolar: ReadoutPhase | None = field(default=None, metadata={'kind': ReadoutPhase})
    filtered: PhaseFilter | None = field(default=None, metadata={'kind': PhaseFilter})
    offset: ReceivePhase | None = field(default=None, metadata={'kind': ReceivePhase})


@dataclass(frozen=True, kw_only=True)
class UnwrapFacts(StepFacts):
    """The unwrapping has nothing to tell but warnings."""

    steps: ClassVar[tuple[str, ...]] = ('unwrap',)


@dataclass(frozen=True, kw_only=True)
class FieldFacts(StepFacts):
    """How the total field was fitted.

    Attributes
    ----------
    phase_sign_of_fat
        +1 or -1, by which the phase grows with the field, as the spectrum of fat shows.

    """

    steps: ClassVar[tuple[str, ...]] = ('field',)
    phase_sign_of_fat: int | None = None


@dataclass(frozen=True, kw_only=True)
class SignFacts(StepFacts):
    """The sign of the phase.

    Attributes
    ----------
    sign
        +1 or -1, by which the stored phase grows with the field.
    how
        How it was found, in words.
    sign_evidence
        What the data show, from -1 to 1.

    """

    steps: ClassVar[tuple[str, ...]] = ('sign',)
    sign: int | None = None
    how: str | None = None
    sign_evidence: float | None = None

"""How images were registered with each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Self

from bidsqsm.facts.record import StepFacts


@dataclass(frozen=True, kw_only=True)
class ContrastFacts(StepFacts):
    """What was made ready for registration.

    Attributes
    ----------
    contrast
        In words.

    """

    contrast: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationFacts(StepFacts):
    """How one registration went.

    Attributes
    ----------
    given
        File of the transform, where it was given and not computed.
    overlap
        Of the two brains, 0 to 1.
    failure
        Why its transforms cannot be used; None where they can.
    likeness
        Correlation of the two images, -1 to 1.
    jacobian
        Least and largest relative change of volume.
    folded
        Share of the brain that is folded, 0 to 1.
    smoothing
        Standard deviations of the smoothing of update and field, as the method took them.
    contrasts
        By which it was registered, where more than one could be.

    """

    given: str | None = None
    overlap: float | None = None
    failure: str | None = field(default=None, metadata={'key': 'failed'})
    likeness: float | None = None
    jacobian: tuple[float, ...] | None = None
    folded: float | None = None
    smoothing: tuple[float, ...] | None = None
    contrasts: tuple[str, ...] | None = None

    def _tells(self, one: Field[Any]) -> bool:
        # a registration of images without smoothing tells so
        return (one.name == 'smoothing' and self.likeness is not None) or super()._tells(one)


@dataclass(frozen=True, kw_only=True)
class RegistrationSummary(StepFacts):
    """How the registrations of a run went.

    Attributes
    ----------
    pairs
        Each of them by ``<moving> to <fixed>``.

    """

    steps: ClassVar[tuple[str, ...]] = ('registration', 'alignment')
    pairs: Mapping[str, RegistrationFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: object) -> Self:
        """Read what :meth:`plain` gave."""
        found = plain if isinstance(plain, Mapping) else {}
        return cls(
            pairs={
                pair: RegistrationFacts.of(told)
                for pair, told in found.items()
                if isinstance(told, Mapping)
            },
            unknown={key: told for key, told in found.items() if not isinstance(told, Mapping)},
        )

    def plain(self) -> dict[str, Any]:
        """Plain JSON types by pair; each registration told its warnings itself."""
        told = {pair: facts.decided() for pair, facts in self.pairs.items()}
        return {**told, **self.unknown}

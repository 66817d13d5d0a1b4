"""The facts of the steps of a run, told apart by their step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bidsqsm.facts import contrasts_facts, field_facts, inversion_facts, registration_facts
from bidsqsm.facts.record import StepFacts

_MODULES = (field_facts, registration_facts, inversion_facts, contrasts_facts)

#: The type of the facts of every step.
TYPES: Mapping[str, type[StepFacts]] = {
    step: kind
    for module in _MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, StepFacts)
    for step in kind.steps
}


class RunFacts(dict[str, Any]):
    """The facts of the steps of a run: ``facts['r2prime'].median_r2``.

    A step that the run did not go through has facts too, and they tell nothing.

    Examples
    --------
    >>> facts = RunFacts.of({'sign': {'sign': -1, 'how': 'forced by the user'}})
    >>> facts['sign'].sign
    -1
    >>> facts['r2prime'].median_r2 is None
    True
    >>> facts.plain()
    {'sign': {'sign': -1, 'how': 'forced by the user'}}

    """

    def __missing__(self, step: str) -> StepFacts:
        return TYPES.get(step, StepFacts)()

    @classmethod
    def of(cls, plain: object) -> RunFacts:
        """Read JSON by step, whoever wrote it."""
        found = plain if isinstance(plain, Mapping) else {}
        return cls({step: TYPES.get(step, StepFacts).of(told) for step, told in found.items()})

    def plain(self) -> dict[str, Any]:
        """All facts in plain JSON types."""
        return {step: facts.plain() for step, facts in self.items()}

    def decided(self) -> dict[str, Any]:
        """What the reader of a product is told, step by step; a step with nothing to tell is left out."""
        told = {step: facts.decided() for step, facts in self.items()}
        return {step: found for step, found in told.items() if found}

    def without_histories(self) -> RunFacts:
        """The same without what iterations measured on their way."""
        return RunFacts({step: facts.without_histories() for step, facts in self.items()})

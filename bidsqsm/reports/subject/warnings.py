"""What to look at in a run, the gravest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bidsqsm.steps import RUN_STEPS, step_of_workflows

#: A run that ended early; doubts about the susceptibility map as such; about a part; the input.
FAILURE, MAP, PART, INPUT = range(4)


@dataclass(frozen=True)
class RunWarning:
    """One thing to look at.

    Parameters
    ----------
    weight
        ``FAILURE``, ``MAP``, ``PART`` or ``INPUT``.
    about
        What it is about, in a word or two.
    text
        A sentence.
    rank
        Its place among those of the same weight.

    """

    weight: int
    about: str
    text: str
    rank: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """What warnings are sorted by: the gravest first."""
        return self.weight, self.rank


def run_warnings(status: Mapping[str, Any], noticed: Sequence[str] = ()) -> list[RunWarning]:
    """Everything to look at in a run that was made, once each, in order.

    Parameters
    ----------
    status
        Content of the status file: warnings, and which workflow each came from.
    noticed
        What was noticed of the input.

    """
    sources = status.get('warned_by', {})
    found = [
        _of(str(text), sources.get(text, ''))
        for text in status.get('warnings', ())
        if text and text not in noticed
    ]
    found += [RunWarning(INPUT, 'Input', str(text)) for text in noticed]
    return sorted(dict.fromkeys(found), key=lambda warning: warning.order)


def _of(text: str, workflow: str) -> RunWarning:
    step = step_of_workflows([workflow])
    if step is None:
        return RunWarning(PART, 'Processing', text, len(RUN_STEPS))
    if step.map_doubt is not None:
        return RunWarning(MAP, step.title, text, step.map_doubt)
    return RunWarning(PART, step.title, text, [*RUN_STEPS].index(step.name))

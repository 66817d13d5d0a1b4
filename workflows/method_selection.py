"""Which methods a run goes through, of those that were chosen: its data may leave some without work."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bidsqsm.catalog import STEPS, in_use
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.steps import RUN_STEPS


def settled_choices(run: GreRun, choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """The choices that a run can follow.

    Without phase, most steps are not there, and a method that takes what comes from the phase gives
    way to one that does without.
    """
    found = in_use(choices)
    if run.has_phase:
        return found
    return {
        step: _without_phase(choice, name)
        for step, choice in found.items()
        if (name := RUN_STEPS[step].without_phase) is not None
    }


def _without_phase(choice: Choice, name: str) -> Choice:
    if not name or (choice.step == 'mask' and not choice.method.takes('quality_map')):
        return choice
    method = STEPS[choice.step][name]
    kept = {key: value for key, value in choice.values.items() if key in method.parameters}
    return Choice(choice.step, method, kept)


def used_choices(
    run: GreRun,
    choices: Mapping[str, Choice],
    *,
    regions: bool = False,
    spaces: bool = False,
    kept: Collection[str] | None = None,
) -> dict[str, Choice]:
    """The methods that this run goes through: its data may leave some without work.

    ``regions`` tells whether it has those of an atlas, ``spaces`` whether maps go to templates,
    ``kept`` the workflows that it is made of.
    """
    idle = run.idle_steps
    if not regions:
        idle |= {'roi_refine'}
    if not (regions or spaces):
        idle |= {'registration'}
    if kept is not None:
        # registration and regions are told by the atlases and spaces of the call
        placed = {'registration', 'roi_refine'}
        others = STEPS.keys() - placed
        idle |= {step for step in others if RUN_STEPS[step].outer_workflow not in kept}
    followed = settled_choices(run, choices)
    return {step: choice for step, choice in followed.items() if step not in idle}

"""Which methods a run goes through, of those that were chosen: its data may leave some without work."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bidsqsm.catalog import STEPS, in_use
from bidsqsm.io.groups import GROUPS
from bidsqsm.io.inputs import GreRun
from bidsqsm.methods import Choice

#: Steps of the catalogue with a workflow of their name
OWN_WORKFLOW = ('background', 'dipole', 'onestep', 'reference', 'relaxometry')

#: Steps that a run without phase goes through; of some, only this method can do without.
WITHOUT_PHASE: Mapping[str, str] = {
    'registration': '',
    'mask': 'structural',
    'gradient_correction': 'none',
    'relaxometry': '',
    'roi_refine': 'none',
}


def settled_choices(run: GreRun, choices: Mapping[str, Choice]) -> dict[str, Choice]:
    """The choices that a run can follow.

    Without phase, most steps are not there, and a method that takes what comes from the phase gives
    way to one that does without.
    """
    found = in_use(choices)
    if run.has_phase:
        return found
    return {step: _without_phase(found[step]) for step in found if step in WITHOUT_PHASE}


def _without_phase(choice: Choice) -> Choice:
    name = WITHOUT_PHASE[choice.step]
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
        owned = {group.step for group in GROUPS.values()} | {*OWN_WORKFLOW}
        idle |= {step for step in owned if f'{step}_wf' not in kept}
    followed = settled_choices(run, choices)
    return {step: choice for step, choice in followed.items() if step not in idle}


def not_made(choices: Mapping[str, Choice]) -> set[str]:
    """Products that only methods which were not chosen make."""
    every = {key for step in STEPS.values() for method in step.methods for key in method.makes}
    return every - {key for choice in choices.values() for key in choice.method.makes}

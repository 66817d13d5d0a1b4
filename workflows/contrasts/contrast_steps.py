"""The contrasts that a run may have besides susceptibility: how each is built, and why it is not.

A new one is a row of :data:`BUILDERS` and its links here, a row of
:data:`bidsqsm.steps.RUN_STEPS`, and its products in
:data:`bidsqsm.derivatives.products.PRODUCTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nipype.pipeline import engine as pe

from bidsqsm.derivatives.product_groups import GROUPS
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import Link
from bidsqsm.workflows.contrasts.concentration import init_concentration_wf
from bidsqsm.workflows.contrasts.decompose import init_decompose_wf
from bidsqsm.workflows.contrasts.oxygenation import init_oxygenation_wf
from bidsqsm.workflows.contrasts.r2prime import init_r2prime_wf
from bidsqsm.workflows.contrasts.separation import init_separation_wf
from bidsqsm.workflows.contrasts.swi import init_swi_wf
from bidsqsm.workflows.relaxometry import init_relaxometry_wf

#: From the run, the methods and the resources (``mem_gb``, ``omp_nthreads``) to a workflow.
Build = Callable[[GreRun, Mapping[str, Choice], Mapping[str, Any]], pe.Workflow]


def _relaxometry(
    run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    return init_relaxometry_wf(
        method=choices['relaxometry'],
        echo_times=run.echo_times,
        imaging_frequency=run.imaging_frequency,
        gradient_correction=choices['gradient_correction'],
        **resources,
    )


def _weighted(step: str) -> Build:
    def build(
        run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
    ) -> pe.Workflow:
        return init_swi_wf(method=choices[step], echo_times=run.echo_times, **resources)

    return build


def _oxygenation(
    run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    return init_oxygenation_wf(method=choices['oxygenation'], **resources)


def _separation(
    run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    return init_separation_wf(
        method=choices['separation'], field_strength=run.field_strength, **resources
    )


def _r2prime(
    run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    assert run.r2_source is not None
    return init_r2prime_wf(r2_source=run.r2_source, method=choices['relaxometry'], **resources)


def _concentration(
    _run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    return init_concentration_wf(method=choices['concentration'], **resources)


def _decompose(
    run: GreRun, choices: Mapping[str, Choice], resources: Mapping[str, Any]
) -> pe.Workflow:
    return init_decompose_wf(
        method=choices['decompose'],
        echo_times=run.echo_times,
        imaging_frequency=run.imaging_frequency,
        **resources,
    )


#: How the workflow of a group is made.
BUILDERS: Mapping[str, Build] = {
    'r2star': _relaxometry,
    'r2prime': _r2prime,
    'concentration': _concentration,
    'swi': _weighted('swi'),
    'clear-swi': _weighted('clear_swi'),
    'true-swi': _weighted('true_swi'),
    'oxygenation': _oxygenation,
    'decompose': _decompose,
    'separation': _separation,
}

#: Groups that another one takes something of, where a run can have them.
USES: Mapping[str, tuple[str, ...]] = {'separation': ('r2prime',)}


def contrast_steps(
    run: GreRun, choices: Mapping[str, Choice], groups: Iterable[str], resources: Mapping[str, Any]
) -> dict[str, pe.Workflow]:
    """Workflows of the groups that a run can have, of those asked for or used by others."""
    used = {'r2star', *(name for group in groups for name in USES.get(group, ()))}
    names = [name for name in BUILDERS if name in used.union(groups)]
    made = [
        BUILDERS[name](run, choices, resources)
        for name in names
        if not GROUPS[name].lacking(run, choices)
    ]
    return {workflow.name: workflow for workflow in made}


def unavailable(run: GreRun, choices: Mapping[str, Choice], groups: Iterable[str]) -> list[str]:
    """A sentence for each group that was asked for and that a run cannot have."""
    reasons = {name: GROUPS[name].lacking(run, choices) for name in groups if name in BUILDERS}
    return [f'{name} was left out: {reason}.' for name, reason in reasons.items() if reason]


def excluded(groups: Iterable[str]) -> set[str]:
    """Groups that were not asked for."""
    return {*GROUPS} - {*groups}


def contrast_links(made: Mapping[str, pe.Workflow]) -> list[Link]:
    """What these take of the other steps of a run and of each other."""
    step = made.get
    return [
        # what is made of susceptibility
        (step('reference_wf'), step('concentration_wf'), ['chi']),
        (step('inversion_wf'), step('concentration_wf'), ['mask']),
        (step('reference_wf'), step('oxygenation_wf'), ['chi']),
        (step('inversion_wf'), step('oxygenation_wf'), ['mask']),
        (step('relaxometry_wf'), step('oxygenation_wf'), ['r2star']),
        (step('reference_wf'), step('decompose_wf'), ['chi']),
        (step('inversion_wf'), step('decompose_wf'), ['mask']),
        (step('phase_wf'), step('decompose_wf'), ['magnitude']),
        (step('reference_wf'), step('separation_wf'), ['chi']),
        (step('inversion_wf'), step('separation_wf'), ['mask', 'local_field']),
        (step('fieldmap_wf'), step('separation_wf'), ['noise']),
        (step('relaxometry_wf'), step('separation_wf'), ['r2star']),
        (step('r2prime_wf'), step('separation_wf'), ['r2prime']),
        (step('phase_wf'), step('r2prime_wf'), ['magnitude']),
        (step('relaxometry_wf'), step('r2prime_wf'), ['r2star']),
        (step('masking_wf'), step('r2prime_wf'), [('brain_mask', 'mask')]),
        # weighted images
        (step('phase_wf'), step('swi_wf'), ['magnitude', ('phase', 'map')]),
        (step('sign_wf'), step('swi_wf'), ['sign']),
        (step('masking_wf'), step('swi_wf'), [('brain_mask', 'mask')]),
        (step('phase_wf'), step('clear_swi_wf'), ['magnitude']),
        (step('sign_wf'), step('clear_swi_wf'), [('unwrapped', 'map')]),
        (step('masking_wf'), step('clear_swi_wf'), [('brain_mask', 'mask')]),
        (step('phase_wf'), step('true_swi_wf'), ['magnitude']),
        (step('reference_wf'), step('true_swi_wf'), [('chi', 'map')]),
        (step('masking_wf'), step('true_swi_wf'), [('brain_mask', 'mask')]),
    ]

"""One run: from its stored phase to its derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nipype.pipeline import engine as pe

from bidsqsm.atlases.selection import NO_ATLASES, AtlasesAndSpaces
from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS
from bidsqsm.derivatives.products import products_of
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.sign import expected_sign
from bidsqsm.method import Choice
from bidsqsm.steps import workflows_of
from bidsqsm.workflows.anatomy.anatomy_steps import region_links, region_steps
from bidsqsm.workflows.connections import between, keep_makers, set_body, steps_in
from bidsqsm.workflows.contrasts.contrast_steps import (
    contrast_links,
    contrast_steps,
    excluded,
    unavailable,
)
from bidsqsm.workflows.fieldmap import init_fieldmap_wf
from bidsqsm.workflows.inversion import init_inversion_wf
from bidsqsm.workflows.masking import init_masking_wf
from bidsqsm.workflows.memory import memory_gb
from bidsqsm.workflows.method_selection import settled_choices, used_choices
from bidsqsm.workflows.outputs import init_outputs_wf, saved_outputs
from bidsqsm.workflows.phase import init_magnitude_wf, init_phase_wf, init_sign_wf
from bidsqsm.workflows.quality import init_quality_wf, quality_links
from bidsqsm.workflows.reference import init_reference_wf
from bidsqsm.workflows.rounds import init_rounds_wf
from bidsqsm.workflows.two_pass import init_two_pass_wf


def init_run_wf(
    *,
    run: GreRun,
    output_dir: Path,
    choices: Mapping[str, Choice],
    groups: Sequence[str] = DEFAULT_GROUPS,
    phase_sign: str = 'auto',
    rounds: int = 1,
    two_pass: bool = False,
    corrections: Mapping[str, str] | None = None,
    force: tuple[str, ...] = (),
    links: Mapping[str, Path] | None = None,
    anatomy: AtlasesAndSpaces = NO_ATLASES,
    age: float | None = None,
    omp_nthreads: int = 1,
    name: str | None = None,
) -> pe.Workflow:
    """Make the maps of one run and write them.

    Parameters
    ----------
    run
        The run.
    output_dir
        Root of the derivative dataset.
    choices
        Method of every step that the run is to go through, with its parameters.
    groups
        Groups of products to make; see :data:`bidsqsm.derivatives.product_groups.GROUPS`.
    phase_sign
        ``auto`` (from the data), ``+1`` or ``-1``.
    rounds
        How often the background is removed and the rest inverted; from the second time on, the
        field of the map so far is set aside first.
    two_pass
        Whether the map is made twice, the first time with holes in the mask where the phase is
        unreliable; not together with ``rounds``.
    corrections
        Whether to remove ``alternation``, ``bipolar`` and ``offset``: ``auto``, ``yes`` or ``no``.
    force
        Checks that are not to stop the run.
    links
        Datasets by their name in ``DatasetLinks``.
    anatomy
        Atlases to measure with, templates to bring maps to.
    age
        Of the subject, in years.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow; made from that of the run if not given.

    """
    workflow = pe.Workflow(name=name or workflow_name(run.name))
    choices, anatomy = settled_choices(run, choices), anatomy.of(run.body)
    resources = _resources(run, omp_nthreads)
    made = {
        'masking_wf': init_masking_wf(method=choices['mask'], mask=run.mask, **resources),
        **_phase_steps(run, choices, phase_sign, corrections, force, omp_nthreads),
        **_susceptibility_steps(run, choices, rounds, two_pass, omp_nthreads),
        **contrast_steps(run, choices, groups, resources),
        **region_steps(run, anatomy, choices, age, memory_gb(run.shape, 8), omp_nthreads),
    }
    step = made.get
    # only two passes ask where the phase is unreliable
    for_holes = ['quality', 'residual'] if two_pass else []
    workflow.add_nodes([*made.values()])
    workflow.connect(
        between(
            # the field and where it is trusted
            (step('phase_wf'), step('fieldmap_wf'), ['phase', 'magnitude']),
            (step('phase_wf'), step('masking_wf'), ['magnitude']),
            (step('fieldmap_wf'), step('masking_wf'), ['quality', 'residual']),
            # the decay, before the sign of the phase, which it helps to tell
            (step('phase_wf'), step('relaxometry_wf'), ['magnitude']),
            (step('fieldmap_wf'), step('relaxometry_wf'), ['total_field']),
            (step('masking_wf'), step('relaxometry_wf'), [('brain_mask', 'mask')]),
            (step('fieldmap_wf'), step('sign_wf'), ['total_field', 'unwrapped']),
            (step('masking_wf'), step('sign_wf'), [('qsm_mask', 'mask')]),
            (step('relaxometry_wf'), step('sign_wf'), ['r2star']),
            # susceptibility: the phase as it was stored goes with its sign
            (step('phase_wf'), step('inversion_wf'), ['phase', 'magnitude', 'magnitude_rss']),
            (step('sign_wf'), step('inversion_wf'), ['total_field', 'sign']),
            (step('masking_wf'), step('inversion_wf'), [('qsm_mask', 'mask')]),
            (step('fieldmap_wf'), step('inversion_wf'), ['noise', *for_holes]),
            (step('relaxometry_wf'), step('inversion_wf'), ['r2star']),
            (step('inversion_wf'), step('reference_wf'), ['chi', 'mask']),
            (step('relaxometry_wf'), step('reference_wf'), ['r2star']),
            (step('phase_wf'), step('reference_wf'), [('magnitude_rss', 'magnitude')]),
            *contrast_links(made),
            *region_links(made, run, anatomy, choices),
        )
    )
    keep_makers(workflow, workflows_of(groups))
    _judge_and_write(workflow, run, output_dir, choices, groups, links, anatomy, omp_nthreads)
    set_body(workflow, run.body)
    return workflow


def _resources(run: GreRun, omp_nthreads: int) -> dict[str, Any]:
    """Memory and threads of a step that works on all echoes."""
    return {'mem_gb': memory_gb(run.shape, 8 + 4 * run.n_echoes), 'omp_nthreads': omp_nthreads}


def _judge_and_write(
    workflow: pe.Workflow,
    run: GreRun,
    output_dir: Path,
    choices: Mapping[str, Choice],
    groups: Sequence[str],
    links: Mapping[str, Path] | None,
    anatomy: AtlasesAndSpaces,
    omp_nthreads: int,
) -> None:
    """Measure and write what the steps of a run make, after it is settled which these are."""
    made = steps_in(workflow)
    # nothing is made only to be judged
    quality_wf = made['quality_wf'] = init_quality_wf(
        run=run,
        mem_gb=memory_gb(run.shape, 20 + 2 * run.n_echoes),
        omp_nthreads=omp_nthreads,
    )
    workflow.connect(between(*quality_links(made, quality_wf)))
    used = used_choices(
        run,
        choices,
        regions='rois_wf' in made and bool(anatomy.atlases),
        spaces='spaces_wf' in made,
        kept=[*made],
    )
    saved = saved_outputs(made, products_of(run), workflows_of(excluded(groups)))
    outputs_wf = init_outputs_wf(
        run=run,
        output_dir=output_dir,
        choices=used,
        products=[key for key in products_of(run) if key in saved.products],
        shown=[*saved.shown],
        steps=[*saved.facts],
        unavailable=unavailable(run, choices, groups),
        links=links,
        extras=len(saved.extras),
        mem_gb=memory_gb(run.shape, 4 + run.n_echoes),
    )
    workflow.connect(between(*saved.links_to(outputs_wf)))


def _phase_steps(
    run: GreRun,
    choices: Mapping[str, Choice],
    phase_sign: str,
    corrections: Mapping[str, str] | None,
    force: tuple[str, ...],
    omp_nthreads: int,
) -> dict[str, pe.Workflow]:
    """From what is stored to the total field and its sign."""
    resources = _resources(run, omp_nthreads)
    if not run.has_phase:
        # in the place of the phase's, with the same outputs but for the phase
        return {'phase_wf': init_magnitude_wf(run=run, mem_gb=resources['mem_gb'])}
    return {
        'phase_wf': init_phase_wf(
            run=run,
            coil=choices['coil'],
            unwrap=choices['unwrap'],
            corrections=corrections,
            force=force,
            mem_gb=memory_gb(run.shape, 10 + 5 * run.n_echoes),
            omp_nthreads=omp_nthreads,
        ),
        'fieldmap_wf': init_fieldmap_wf(
            unwrap=choices['unwrap'],
            field=choices['field'],
            echo_times=run.echo_times,
            imaging_frequency=run.imaging_frequency,
            phase_sign=phase_sign,
            **resources,
        ),
        'sign_wf': init_sign_wf(
            phase_sign=phase_sign, expected=expected_sign(run.metadata), **resources
        ),
    }


def _susceptibility_steps(
    run: GreRun,
    choices: Mapping[str, Choice],
    rounds: int,
    two_pass: bool,
    omp_nthreads: int,
) -> dict[str, pe.Workflow]:
    """From the total field to referenced susceptibility."""
    if not run.has_phase:
        return {}
    settings: dict[str, Any] = {'run': run, 'choices': choices, 'omp_nthreads': omp_nthreads}
    if two_pass:
        inversion_wf = init_two_pass_wf(**settings)
    elif rounds > 1 and 'onestep' not in choices:
        inversion_wf = init_rounds_wf(rounds=rounds, **settings)
    else:
        inversion_wf = init_inversion_wf(**settings)
    reference_wf = init_reference_wf(
        method=choices['reference'],
        labels=run.labels,
        fluid=run.fluid,
        mem_gb=memory_gb(run.shape, 12),
        omp_nthreads=omp_nthreads,
    )
    return {'inversion_wf': inversion_wf, 'reference_wf': reference_wf}


def workflow_name(run_name: str) -> str:
    """Name of a run's workflow, such as ``sub_01_acq_x_wf``."""
    return f'{as_node_name(run_name)}_wf'


def as_node_name(text: str) -> str:
    """Spell labels so that Nipype takes them: ``-`` is ``_`` and ``+``, which BIDS allows, ``__``."""
    return text.replace('-', '_').replace('+', '__')

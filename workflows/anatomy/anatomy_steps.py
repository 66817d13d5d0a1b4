"""What a run has to do with its T1w, with templates and with atlases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nipype.pipeline import engine as pe

from bidsqsm.atlases.selection import AtlasesAndSpaces
from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.rois.region_columns import OPTIONAL_MAPS
from bidsqsm.steps import RUN_STEPS
from bidsqsm.workflows.anatomy.multicontrast_registration import (
    aligned_templates,
    init_alignment_wf,
)
from bidsqsm.workflows.anatomy.output_spaces import init_spaces_wf
from bidsqsm.workflows.anatomy.overlay import init_overlay_wf, overlaid
from bidsqsm.workflows.anatomy.registration import init_anatomical_wf
from bidsqsm.workflows.anatomy.rois import init_rois_wf, spaces_of
from bidsqsm.workflows.anatomy.transform_paths import SPACE_OUTPUTS
from bidsqsm.workflows.connections import Link, inversion_links, outputs_of

#: Those that take the maps of a run.
_TAKERS = ('alignment_wf', 'rois_wf', 'spaces_wf')


def region_steps(
    run: GreRun,
    anatomy: AtlasesAndSpaces,
    choices: Mapping[str, Choice],
    age: float | None,
    mem_gb: float,
    omp_nthreads: int,
) -> dict[str, pe.Workflow]:
    """Workflows for the registration, the regions and the other spaces, as far as there are any."""
    resources: dict[str, Any] = {'mem_gb': mem_gb, 'omp_nthreads': omp_nthreads}
    steps = {}
    away = any(one.space != 'orig' for one in run.segmentations)
    aligned = aligned_templates(run, anatomy, choices['registration'])
    if anatomy.templates or away:
        steps['anatomical_wf'] = init_anatomical_wf(
            run=run,
            templates=anatomy.templates,
            method=choices['registration'] if anatomy.templates else None,
            continued=[template.name for template in aligned],
            **resources,
        )
        steps['overlay_wf'] = init_overlay_wf(images=overlaid(run, anatomy), mem_gb=mem_gb)
    if aligned:
        steps['alignment_wf'] = init_alignment_wf(
            templates=aligned,
            atlases=anatomy.atlases,
            method=choices['registration'],
            **resources,
        )
    if anatomy.atlases or run.segmentations:
        refine = choices['roi_refine']
        steps['rois_wf'] = init_rois_wf(
            run=run,
            atlases=anatomy.atlases,
            refine=None if refine.method.name == 'none' else refine,
            age=age,
            **resources,
        )
    if anatomy.spaces:
        steps['spaces_wf'] = init_spaces_wf(spaces=anatomy.spaces, mem_gb=mem_gb)
    return steps


def region_links(
    made: Mapping[str, pe.Workflow],
    run: GreRun,
    anatomy: AtlasesAndSpaces,
    choices: Mapping[str, Choice],
) -> list[Link]:
    """Links of these among each other and with the other steps of a run."""
    step = made.get
    further = [
        (p.maker, p.output or key, key) for key, p in PRODUCTS.items() if key in OPTIONAL_MAPS
    ]
    links: list[Link] = [
        (step('phase_wf'), step('anatomical_wf'), ['magnitude']),
        (step('anatomical_wf'), step('alignment_wf'), ['contrast', 'brain']),
        # what is measured, brought to the template or registered with it
        *((step('reference_wf'), step(taker), ['chi']) for taker in _TAKERS),
        (step('inversion_wf'), step('rois_wf'), ['mask', 'local_field']),
        *inversion_links(made, 'rois_wf', ['deviation']),
        (step('inversion_wf'), step('alignment_wf'), [('mask', 'qsm_mask')]),
        (step('inversion_wf'), step('spaces_wf'), [('mask', 'qsm_mask')]),
        (step('masking_wf'), step('spaces_wf'), ['brain_mask']),
        *((step('relaxometry_wf'), step(taker), ['r2star']) for taker in _TAKERS),
        (step('relaxometry_wf'), step('rois_wf'), ['t2star']),
        (step('relaxometry_wf'), step('spaces_wf'), ['t2star']),
        (step('fieldmap_wf'), step('rois_wf'), ['noise']),
        (step('sign_wf'), step('rois_wf'), ['total_field']),
        (step('reference_wf'), step('rois_wf'), [('region_name', 'reference_region')]),
        *(
            (maker, step('rois_wf'), [(output, key)])
            for name, output, key in further
            if (maker := step(RUN_STEPS[name].outer_workflow)) and output in outputs_of(maker)
        ),
        (step('phase_wf'), step('overlay_wf'), [('magnitude_rss', 'reference')]),
    ]
    if anatomy.templates:
        # only a template has a brain to hold against that of the magnitude
        links.append((step('anatomical_wf'), step('masking_wf'), ['template_mask']))
    if not run.has_phase:
        # there is no susceptibility to tell where values are known
        links.append((step('masking_wf'), step('rois_wf'), [('brain_mask', 'mask')]))
    return [*links, *_transform_links(made, run, anatomy, choices)]


def _transform_links(
    made: Mapping[str, pe.Workflow],
    run: GreRun,
    anatomy: AtlasesAndSpaces,
    choices: Mapping[str, Choice],
) -> list[Link]:
    """Who takes the transforms of which space, and of which registration: the last one there is."""
    step = made.get
    aligned = [one.name for one in aligned_templates(run, anatomy, choices['registration'])]
    takers = [('overlay_wf', 'into', space) for space, _ in overlaid(run, anatomy).values()]
    takers += [('rois_wf', 'into', space) for space in spaces_of(run, anatomy.atlases)]
    takers += [('spaces_wf', 'out_of', one.name) for one in anatomy.spaces]
    return [
        *(
            (
                step('anatomical_wf'),
                step('alignment_wf'),
                [f'{what}_{space}' for what in SPACE_OUTPUTS],
            )
            for space in aligned
        ),
        *(
            (
                step('alignment_wf' if space in aligned else 'anatomical_wf'),
                step(taker),
                [f'{what}_{space}', f'registrations_{space}'],
            )
            for taker, what, space in dict.fromkeys(takers)
        ),
    ]

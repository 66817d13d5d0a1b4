"""Registration of a run without a T1w once its maps are there: more contrasts than the magnitude."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.atlases.atlas import Atlas, Template
from bidsqsm.atlases.selection import AtlasesAndSpaces
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.anatomy.multicontrast_registration import RegisterContrasts
from bidsqsm.method import Choice
from bidsqsm.rois.typical_chi import typical_chi
from bidsqsm.workflows.anatomy.transform_paths import (
    SPACE_OUTPUTS,
    TransformPath,
    collect,
    pass_on,
)
from bidsqsm.workflows.connections import between

#: Times the voxel size of the registration that is to follow
COARSER_VOXELS = 2.0

#: The run as its magnitude shows it, and the maps that stand beside it.
REGISTERED_IMAGES = ('contrast', 'brain', 'chi', 'qsm_mask', 'r2star')


def aligned_templates(
    run: GreRun, anatomy: AtlasesAndSpaces, method: Choice
) -> tuple[Template, ...]:
    """Templates with which a run is registered by several contrasts.

    These are the ones that a run meets without a T1w and without a transform that was given, by a
    method that takes further contrasts, and of which a further contrast is known: a map, or labels
    of structures whose susceptibility is typical.
    """
    if run.t1w or not method.settings().get('contrast_weight'):
        return ()
    return tuple(
        template
        for template in anatomy.templates
        if f'orig:{template.name}' not in run.transforms
        and (
            template.r2star
            or (run.has_phase and (template.chi or drawing(anatomy.atlases, template)))
        )
    )


def preliminary(method: Choice) -> Choice:
    """The method by which the magnitude alone is registered where more contrasts follow: coarser."""
    coarse = COARSER_VOXELS * method.settings()['resolution']
    bounds = method.method.parameters['resolution'].bounds
    allowed = bounds is None or coarse in bounds
    return replace(method, values={**method.values, 'resolution': coarse}) if allowed else method


def drawing(atlases: Sequence[Atlas], template: Template) -> list[Atlas]:
    """Atlases whose labels draw the susceptibility of a template."""
    return [
        atlas
        for atlas in atlases
        if atlas.template.name == template.name
        and any(typical_chi(label.structure) for label in atlas.labels)
    ]


def init_alignment_wf(
    *,
    templates: Sequence[Template],
    atlases: Sequence[Atlas],
    method: Choice,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'alignment_wf',
) -> pe.Workflow:
    """Register a run with templates by its magnitude, its susceptibility and its R2*.

    Parameters
    ----------
    templates
        Templates by different names.
    atlases
        Atlases, whose labels draw the susceptibility of a template that has no map of it.
    method
        Method of the registration.
    mem_gb
        Peak memory of a step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    contrast, brain
        Even magnitude of the run and the brain in it.
    chi, qsm_mask, r2star
        Maps (ppm, 1/s) and the mask of the first.
    into_<space>, out_of_<space>, registrations_<space>
        What the registration by the magnitude alone gave.

    Outputs
    -------
    into_<space>, out_of_<space>, registrations_<space>
        The same, by all contrasts; by the magnitude alone where those fail.
    extras
        The transforms, to be written.
    summary
        How the registrations went.

    """
    workflow = pe.Workflow(name=name)
    of_spaces = [f'{what}_{one.name}' for one in templates for what in SPACE_OUTPUTS]
    inputnode = pe.Node(
        niu.IdentityInterface(fields=[*REGISTERED_IMAGES, *of_spaces]), name='inputnode'
    )
    outputnode = pe.Node(
        niu.IdentityInterface(fields=['extras', 'summary', *of_spaces]), name='outputnode'
    )
    found: Mapping[str, TransformPath] = {
        template.name: TransformPath().on(
            _register(workflow, inputnode, template, atlases, method, mem_gb, omp_nthreads),
            'orig',
            template.name,
        )
        for template in templates
    }
    for space, path in found.items():
        pass_on(workflow, path, space, outputnode)
    collect(workflow, found, outputnode)
    return workflow


def _register(
    workflow: pe.Workflow,
    inputnode: pe.Node,
    template: Template,
    atlases: Sequence[Atlas],
    method: Choice,
    mem_gb: float,
    omp_nthreads: int,
) -> pe.Node:
    space = template.name
    register = pe.Node(
        RegisterContrasts(
            method=str(method),
            template=str(template.t1w),
            template_name=space,
            **_known(template, atlases),
        ),
        name=f'align_{space}',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )
    first = [
        (f'out_of_{space}', 'first_forward'),
        (f'into_{space}', 'first_backward'),
        (f'registrations_{space}', 'first_facts'),
    ]
    workflow.connect(
        between(
            (inputnode, register, [('contrast', 'in_file'), ('brain', 'in_mask')]),
            (inputnode, register, ['chi', 'qsm_mask', 'r2star']),
            (inputnode, register, first),
        )
    )
    return register


def _known(template: Template, atlases: Sequence[Atlas]) -> dict[str, Any]:
    """Inputs of the registration that tell of a template: its mask, its maps, its labels."""
    images = {
        'template_mask': template.mask,
        'template_chi': template.chi,
        'template_r2star': template.r2star,
    }
    known: dict[str, Any] = {key: str(path) for key, path in images.items() if path is not None}
    if labelled := drawing(atlases, template):
        known['labels'] = [str(atlas.dseg) for atlas in labelled]
        known['names'] = [[asdict(label) for label in atlas.labels] for atlas in labelled]
    return known

"""Two passes over one field: the mask of the first and the map of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.two_pass import CombinePasses, CutHoles
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import between, outputs_of
from bidsqsm.workflows.inversion import init_inversion_wf
from bidsqsm.workflows.memory import memory_gb
from bidsqsm.workflows.onestep import INVERSION_INPUTS

#: Parameters of a method for the mask that hold for the holes as well.
LIMIT_PARAMETERS = ('quality_limit', 'residual_limit')


def init_two_pass_wf(
    *,
    run: GreRun,
    choices: Mapping[str, Choice],
    omp_nthreads: int = 1,
    name: str = 'inversion_wf',
) -> pe.Workflow:
    """Invert a total field twice, the first time with holes in the mask, and make one map of both.

    Parameters
    ----------
    run, choices, omp_nthreads
        As :func:`bidsqsm.workflows.inversion.init_inversion_wf` takes them, and the method for the
        mask, whose limits hold for the holes.
    name
        Name of the workflow.

    Inputs
    ------
    quality, residual
        Quality of the phase, 0 to 1, and relative residual of the field fit, which tell where the
        holes are; the others are those of one inversion.

    Outputs
    -------
    holed_mask
        Voxels whose value is that of the mask with holes.
    two_pass_facts
        How the maps were joined; the others are those of one inversion, the local
        field, the standard deviation and the facts those of the whole mask.

    """
    workflow = pe.Workflow(name=name)
    light = memory_gb(run.shape, 6)
    settings: dict[str, Any] = {'run': run, 'choices': choices, 'omp_nthreads': omp_nthreads}
    whole_wf = init_inversion_wf(**settings, name='whole_wf')
    holed_wf = init_inversion_wf(**settings, name='holed_wf')
    holes_wf = init_holes_wf(method=choices['mask'], mem_gb=light)
    passes_wf = init_passes_wf(mem_gb=light)
    of_whole = sorted(outputs_of(whole_wf) - {'chi', 'mask'})
    made = ['chi', 'mask', 'holed_mask']
    inputnode = pe.Node(
        niu.IdentityInterface(fields=[*INVERSION_INPUTS, 'quality', 'residual']), name='inputnode'
    )
    outputnode = pe.Node(
        niu.IdentityInterface(fields=[*made, *of_whole, 'two_pass_facts']), name='outputnode'
    )
    workflow.connect(
        between(
            (inputnode, whole_wf, INVERSION_INPUTS),
            (inputnode, holes_wf, ['mask', 'quality', 'residual']),
            # but for the mask, both passes are alike
            (inputnode, holed_wf, [one for one in INVERSION_INPUTS if one != 'mask']),
            (holes_wf, holed_wf, ['mask']),
            (whole_wf, passes_wf, ['chi', 'mask']),
            (holed_wf, passes_wf, [('chi', 'holed_chi'), ('mask', 'holed_mask')]),
            (passes_wf, outputnode, [*made, ('facts', 'two_pass_facts')]),
            (whole_wf, outputnode, of_whole),
        )
    )
    return workflow


def init_holes_wf(*, method: Choice, mem_gb: float = 2.0, name: str = 'holes_wf') -> pe.Workflow:
    """Cut voxels of unreliable phase out of the mask.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.two_pass import init_holes_wf
            wf = init_holes_wf(method=STEPS['mask'].choose('combined'))

    Parameters
    ----------
    method
        Method for the mask, whose limits of quality and residual are used if it has any.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    mask
        Mask of trusted voxels, without holes.
    quality
        Quality of the phase, 0 to 1.
    residual
        Relative residual of the field fit.

    Outputs
    -------
    mask
        The mask with holes.
    facts
        Number of voxels that were cut out.

    """
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(
        niu.IdentityInterface(fields=['mask', 'quality', 'residual']), name='inputnode'
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=['mask', 'facts']), name='outputnode')
    limits = {name: value for name, value in method.settings().items() if name in LIMIT_PARAMETERS}
    cut_holes = pe.Node(CutHoles(limits=limits), name='cut_holes', mem_gb=mem_gb)

    workflow.connect(
        [
            (
                inputnode,
                cut_holes,
                [('mask', 'in_mask'), ('quality', 'quality'), ('residual', 'residual')],
            ),
            (cut_holes, outputnode, [('mask', 'mask'), ('facts', 'facts')]),
        ]
    )
    return workflow


def init_passes_wf(*, mem_gb: float = 2.0, name: str = 'passes_wf') -> pe.Workflow:
    """Make one map of two.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.workflows.two_pass import init_passes_wf
            wf = init_passes_wf()

    Parameters
    ----------
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    chi, mask
        Susceptibility from the whole mask, in ppm, and where it has values.
    holed_chi, holed_mask
        Susceptibility from the mask with holes, in ppm, and where it has values.

    Outputs
    -------
    chi
        Susceptibility of both, in ppm, not yet referenced.
    mask
        Voxels that have a susceptibility.
    holed_mask
        Voxels whose value is that of the mask with holes.
    facts
        Share of the voxels that come from the whole mask and by how much they were shifted, in ppm.

    """
    workflow = pe.Workflow(name=name)
    given = ('chi', 'mask', 'holed_chi', 'holed_mask')
    made = ('chi', 'mask', 'holed_mask', 'facts')
    inputnode = pe.Node(niu.IdentityInterface(fields=[*given]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=[*made]), name='outputnode')
    combine_passes = pe.Node(CombinePasses(), name='combine_passes', mem_gb=mem_gb)

    workflow.connect(
        [
            (inputnode, combine_passes, [(name, name) for name in given]),
            (combine_passes, outputnode, [(name, name) for name in made]),
        ]
    )
    return workflow

"""Several orientations of a head: from their local fields to one susceptibility map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.derivatives.products import products_of
from bidsqsm.inputs.orientation_set import OrientationSet
from bidsqsm.interfaces.multi_orientation import InvertJointly, RegisterHead
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import between, set_body
from bidsqsm.workflows.memory import memory_gb
from bidsqsm.workflows.method_selection import used_choices
from bidsqsm.workflows.outputs import init_outputs_wf, saved_outputs
from bidsqsm.workflows.quality import init_quality_wf
from bidsqsm.workflows.reference import init_reference_wf
from bidsqsm.workflows.run import workflow_name

#: What is taken of every run, and where it comes from.
JOINT_INPUTS: Mapping[str, str] = {
    'local_field': 'inversion_wf.outputnode.local_field',
    'mask': 'inversion_wf.outputnode.local_mask',
    'noise': 'fieldmap_wf.outputnode.noise',
    'magnitude': 'phase_wf.outputnode.magnitude_rss',
    'brain_mask': 'masking_wf.outputnode.brain_mask',
}
R2STAR_OUTPUT = 'relaxometry_wf.outputnode.r2star'


def init_orientations_wf(
    *,
    orientations: OrientationSet,
    output_dir: Path,
    choices: Mapping[str, Choice],
    links: Mapping[str, Path] | None = None,
    omp_nthreads: int = 1,
) -> pe.Workflow:
    """Make one map of several orientations and write it.

    Parameters
    ----------
    orientations
        The runs.
    output_dir
        Root of the derivative dataset.
    choices
        Method of every step, with its parameters.
    links
        Datasets by their name in ``DatasetLinks``.
    omp_nthreads
        Threads one process may use.

    Inputs
    ------
    local_field_1, mask_1, noise_1, magnitude_1, brain_mask_1, ...
        Of each run, see :data:`JOINT_INPUTS`.
    r2star
        R2* of the reference, in 1/s; may be left out.

    """
    workflow = pe.Workflow(name=workflow_name(orientations.name))
    numbers = range(1, len(orientations.runs) + 1)
    fields = [f'{what}_{number}' for number in numbers for what in JOINT_INPUTS]
    inputnode = pe.Node(niu.IdentityInterface(fields=[*fields, 'r2star']), name='inputnode')
    gb = memory_gb(orientations.shape, 8 + 12 * len(orientations.runs))
    joint_wf = init_joint_wf(
        method=choices['joint'],
        names=[run.name for run in orientations.runs],
        mem_gb=gb,
        omp_nthreads=omp_nthreads,
    )
    reference_wf = init_reference_wf(
        method=choices['reference'],
        labels=orientations.labels,
        fluid=orientations.fluid,
        mem_gb=memory_gb(orientations.shape, 12),
        omp_nthreads=omp_nthreads,
    )
    quality_wf = init_quality_wf(
        run=orientations, mem_gb=memory_gb(orientations.shape, 20), omp_nthreads=omp_nthreads
    )
    made = {wf.name: wf for wf in (joint_wf, reference_wf, quality_wf)}
    saved = saved_outputs(made, products_of(orientations))
    outputs_wf = init_outputs_wf(
        run=orientations,
        output_dir=output_dir,
        choices=used_choices(orientations, choices),
        products=[*saved.products],
        shown=[*saved.shown],
        steps=[*saved.facts],
        links=links,
        extras=len(saved.extras),
        mem_gb=memory_gb(orientations.shape, 6),
    )
    workflow.connect(
        between(
            (inputnode, joint_wf, fields),
            (joint_wf, reference_wf, ['chi', 'mask']),
            (inputnode, reference_wf, ['r2star']),
            (reference_wf, quality_wf, ['chi']),
            (joint_wf, quality_wf, [('mask', 'qsm_mask')]),
            (inputnode, quality_wf, ['r2star', ('brain_mask_1', 'brain_mask')]),
            *saved.links_to(outputs_wf),
        )
    )
    set_body(workflow, orientations.body)
    return workflow


def init_joint_wf(
    *,
    method: Choice,
    names: list[str],
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'joint_wf',
) -> pe.Workflow:
    """Register the orientations to the first and invert their local fields together.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.multi_orientation import init_joint_wf
            wf = init_joint_wf(method=STEPS['joint'].choose('cosmos'), names=['a', 'b', 'c'])

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    names
        Of the orientations, the reference first.
    mem_gb
        Peak memory of the inversion, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    local_field_1, mask_1, noise_1, magnitude_1, brain_mask_1, ...
        Local field (ppm), where it is trusted, its noise (ppm), magnitude and brain mask.

    Outputs
    -------
    chi
        Susceptibility, in ppm, not yet referenced.
    mask
        Voxels that are trusted in all orientations.
    registered
        Magnitudes on the grid of the reference.
    facts
        Names, angles, condition number, overlap.

    """
    workflow = pe.Workflow(name=name)
    numbers = range(1, len(names) + 1)
    inputnode = pe.Node(
        niu.IdentityInterface(fields=[f'{what}_{n}' for n in numbers for what in JOINT_INPUTS]),
        name='inputnode',
    )
    outputnode = pe.Node(
        niu.IdentityInterface(fields=['chi', 'mask', 'registered', 'facts']), name='outputnode'
    )
    invert_jointly = pe.Node(
        InvertJointly(method=str(method), names=names),
        name='invert_jointly',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )
    for what in ('local_field', 'mask', 'noise', 'magnitude'):
        collect = pe.Node(
            niu.Merge(len(names)), name=f'collect_{what}s', run_without_submitting=True
        )
        for n in numbers:
            workflow.connect(inputnode, f'{what}_{n}', collect, f'in{n}')
        workflow.connect(collect, 'out', invert_jointly, f'{what}s')
    motions = pe.Node(
        niu.Merge(len(names) - 1), name='collect_motions', run_without_submitting=True
    )
    for n in numbers[1:]:
        register = pe.Node(RegisterHead(), name=f'register_{n}', mem_gb=mem_gb / 2)
        workflow.connect(
            [
                (
                    inputnode,
                    register,
                    [
                        ('magnitude_1', 'fixed'),
                        ('brain_mask_1', 'fixed_mask'),
                        (f'magnitude_{n}', 'moving'),
                        (f'brain_mask_{n}', 'moving_mask'),
                    ],
                ),
                (register, motions, [('motion', f'in{n - 1}')]),
            ]
        )
    outputs = [(field, field) for field in ('chi', 'mask', 'registered', 'facts')]
    workflow.connect(
        [
            (motions, invert_jointly, [('out', 'motions')]),
            (invert_jointly, outputnode, outputs),
        ]
    )
    return workflow

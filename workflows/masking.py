"""Brain and QSM masks."""

from __future__ import annotations

from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.masking import MakeMask
from bidsqsm.method import Choice


def init_masking_wf(
    *,
    method: Choice,
    mask: Path | None = None,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'masking_wf',
) -> pe.Workflow:
    """Find the brain and the part of it whose field can be trusted.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.masking import init_masking_wf
            wf = init_masking_wf(method=STEPS['mask'].choose('combined'))

    Parameters
    ----------
    method
        Method of the catalogue with its parameters; not used where a mask is given.
    mask
        A mask on the grid of the run that is taken as it is.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    magnitude
        Magnitude, echoes last.
    quality
        Quality of the phase, 0 to 1.
    residual
        Relative residual of the field fit.
    template_mask
        Brain of a template on the grid of the run; may be left out.

    Outputs
    -------
    brain_mask
        The brain.
    qsm_mask
        Voxels of the brain whose field is trusted.
    magnitude_mask, template_mask, quality_mask
        What the method made the masks from; those that it did not use are left out.
    facts
        Where the masks come from and their volumes.

    """
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(
        niu.IdentityInterface(fields=['magnitude', 'quality', 'residual', 'template_mask']),
        name='inputnode',
    )
    made = ('brain_mask', 'qsm_mask', 'magnitude_mask', 'template_mask', 'quality_mask', 'facts')
    outputnode = pe.Node(niu.IdentityInterface(fields=[*made]), name='outputnode')

    make_mask = pe.Node(
        MakeMask(method=str(method)), name='make_mask', mem_gb=mem_gb, n_procs=omp_nthreads
    )
    if mask is not None:
        make_mask.inputs.in_mask = str(mask)

    workflow.connect(
        [
            (
                inputnode,
                make_mask,
                [
                    ('magnitude', 'in_file'),
                    ('quality', 'quality'),
                    ('residual', 'residual'),
                    ('template_mask', 'template_mask'),
                ],
            ),
            (make_mask, outputnode, [(name, name) for name in made]),
        ]
    )
    return workflow

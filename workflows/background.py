"""From the total to the local field."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.background import RemoveBackground
from bidsqsm.method import Choice


def init_background_wf(
    *,
    method: Choice,
    rounds: int = 1,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'background_wf',
) -> pe.Workflow:
    """Remove the field of sources outside the mask.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.background import init_background_wf
            wf = init_background_wf(method=STEPS['background'].choose('vsharp'))

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    rounds
        How often the background is removed, with this time.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    total_field
        Total field, in ppm.
    mask
        Mask of trusted voxels.
    noise
        Standard deviation of the total field, in ppm.
    magnitude
        Root of the sum of squares of the echoes.
    chi
        Map of the round before, in ppm, whose field is set aside; none in the first.

    Outputs
    -------
    local_field
        Local field, in ppm, zero outside the mask that remains.
    mask
        Mask that remains.
    facts
        Share of the mask that remains.

    """
    workflow = pe.Workflow(name=name)

    inputnode = pe.Node(
        niu.IdentityInterface(fields=['total_field', 'mask', 'noise', 'magnitude', 'chi']),
        name='inputnode',
    )
    outputnode = pe.Node(
        niu.IdentityInterface(fields=['local_field', 'mask', 'facts']), name='outputnode'
    )

    remove_background = pe.Node(
        RemoveBackground(method=str(method), rounds=rounds),
        name='remove_background',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                remove_background,
                [
                    ('total_field', 'in_file'),
                    ('mask', 'in_mask'),
                    ('noise', 'noise'),
                    ('magnitude', 'magnitude'),
                    ('chi', 'chi'),
                ],
            ),
            (
                remove_background,
                outputnode,
                [('local_field', 'local_field'), ('mask', 'mask'), ('facts', 'facts')],
            ),
        ]
    )
    return workflow

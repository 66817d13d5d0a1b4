"""Oxygen in the veins, from their susceptibility."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.contrasts.oxygenation import MeasureVeins
from bidsqsm.method import Choice


def init_oxygenation_wf(
    *,
    method: Choice,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'oxygenation_wf',
) -> pe.Workflow:
    """Find the large veins, and tell venous saturation and oxygen extraction from them.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.contrasts.oxygenation import init_oxygenation_wf
            wf = init_oxygenation_wf(method=STEPS['oxygenation'].choose('susceptometry'))

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    chi
        Susceptibility, in ppm.
    mask
        Voxels that have one.
    r2star
        R2*, in 1/s; may be left out.

    Outputs
    -------
    veins
        Voxels of veins.
    extras
        Label image and table, to be written.
    facts
        Saturation and extraction over all large veins.

    """
    workflow = pe.Workflow(name=name)
    fields = ['veins', 'extras', 'facts']

    inputnode = pe.Node(niu.IdentityInterface(fields=['chi', 'mask', 'r2star']), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    measure_veins = pe.Node(
        MeasureVeins(method=str(method)),
        name='measure_veins',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                measure_veins,
                [('chi', 'in_file'), ('mask', 'in_mask'), ('r2star', 'r2star')],
            ),
            (measure_veins, outputnode, [(field, field) for field in fields]),
        ]
    )
    return workflow

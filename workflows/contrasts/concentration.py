"""Concentrations of iron or of a contrast agent."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.contrasts.concentration import EstimateConcentration
from bidsqsm.method import Choice


def init_concentration_wf(
    *,
    method: Choice,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'concentration_wf',
) -> pe.Workflow:
    """Turn susceptibility into a concentration.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.contrasts.concentration import init_concentration_wf
            wf = init_concentration_wf(method=STEPS['concentration'].choose('iron'))

    Parameters
    ----------
    method
        Method of the catalogue with its parameters: what is looked for.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    chi
        Susceptibility, in ppm, referenced.
    mask
        Voxels that have a susceptibility.

    Outputs
    -------
    iron
        In mg/kg wet weight, where the method makes it.
    gadolinium
        In mmol/L; likewise.
    facts
        The line between susceptibility and concentration, and the share of voxels below it.

    """
    workflow = pe.Workflow(name=name)
    fields = [*method.method.makes, 'facts']

    inputnode = pe.Node(niu.IdentityInterface(fields=['chi', 'mask']), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    estimate_concentration = pe.Node(
        EstimateConcentration(method=str(method)),
        name='estimate_concentration',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (inputnode, estimate_concentration, [('chi', 'in_file'), ('mask', 'in_mask')]),
            (estimate_concentration, outputnode, [(field, field) for field in fields]),
        ]
    )
    return workflow

"""Paramagnetic and diamagnetic susceptibility from susceptibility and decay."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.contrasts.separation import SeparateSources
from bidsqsm.method import Choice


def init_separation_wf(
    *,
    method: Choice,
    field_strength: float,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'separation_wf',
) -> pe.Workflow:
    """Split susceptibility by the sign of its sources.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.contrasts.separation import init_separation_wf
            wf = init_separation_wf(
                method=STEPS['separation'].choose('closed'), field_strength=3.0
            )

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    field_strength
        B0, in T.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    chi
        Susceptibility relative to the reference region, in ppm.
    mask
        Mask of the map.
    local_field
        Local field, in ppm.
    noise
        Standard deviation of the field, in ppm.
    r2star
        R2*, in 1/s.
    r2prime
        R2', in 1/s (left open where no R2 is known).

    Outputs
    -------
    paramagnetic
        Susceptibility of paramagnetic sources, in ppm, not negative.
    diamagnetic
        Susceptibility of diamagnetic sources, in ppm, not positive.
    facts
        The rate that was used, and how far the sum of both is from the map.

    """
    workflow = pe.Workflow(name=name)
    taken = ['local_field', 'noise', 'r2star', 'r2prime']
    made = ['paramagnetic', 'diamagnetic', 'facts']

    inputnode = pe.Node(niu.IdentityInterface(fields=['chi', 'mask', *taken]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=made), name='outputnode')

    separate_sources = pe.Node(
        SeparateSources(method=str(method), field_strength=field_strength),
        name='separate_sources',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                separate_sources,
                [('chi', 'in_file'), ('mask', 'in_mask'), *((field, field) for field in taken)],
            ),
            (separate_sources, outputnode, [(field, field) for field in made]),
        ]
    )
    return workflow

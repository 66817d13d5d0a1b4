"""Paramagnetic and diamagnetic sources of a voxel, from all of its echoes."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.contrasts.decompose import Decompose
from bidsqsm.method import Choice


def init_decompose_wf(
    *,
    method: Choice,
    echo_times: tuple[float, ...],
    imaging_frequency: float,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'decompose_wf',
) -> pe.Workflow:
    """Tell paramagnetic from diamagnetic sources within each voxel.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.contrasts.decompose import init_decompose_wf
            wf = init_decompose_wf(
                method=STEPS['decompose'].choose('three-pool'),
                echo_times=(0.005, 0.01, 0.015, 0.02),
                imaging_frequency=123.2,
            )

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    echo_times
        Echo times, in s.
    imaging_frequency
        In MHz.
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
    magnitude
        Magnitude, echoes last.

    Outputs
    -------
    paramagnetic
        Susceptibility of the paramagnetic sources, in ppm.
    diamagnetic
        Susceptibility of the diamagnetic sources, in ppm.
    facts
        Voxels fitted, misfit, and how far the sum is from the susceptibility.

    """
    workflow = pe.Workflow(name=name)
    fields = ['paramagnetic', 'diamagnetic', 'facts']

    inputnode = pe.Node(
        niu.IdentityInterface(fields=['chi', 'mask', 'magnitude']), name='inputnode'
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    decompose = pe.Node(
        Decompose(
            method=str(method), echo_times=list(echo_times), imaging_frequency=imaging_frequency
        ),
        name='decompose',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                decompose,
                [('chi', 'in_file'), ('mask', 'in_mask'), ('magnitude', 'magnitude')],
            ),
            (decompose, outputnode, [(field, field) for field in fields]),
        ]
    )
    return workflow

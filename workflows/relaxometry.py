"""R2* from the decay of the magnitude."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.relaxometry import FitRelaxation
from bidsqsm.method import Choice


def init_relaxometry_wf(
    *,
    method: Choice,
    echo_times: tuple[float, ...],
    imaging_frequency: float,
    gradient_correction: Choice,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'relaxometry_wf',
) -> pe.Workflow:
    """Fit R2*, T2* and S0 to the magnitude of two or more echoes.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.relaxometry import init_relaxometry_wf
            wf = init_relaxometry_wf(
                method=STEPS['relaxometry'].choose('auto'), echo_times=(0.005, 0.01, 0.015),
                imaging_frequency=123.2,
                gradient_correction=STEPS['gradient_correction'].choose('none'),
            )

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    echo_times
        Echo times, in s.
    imaging_frequency
        Frequency of the scanner, in MHz.
    gradient_correction
        What is done about the gradient of the field across a voxel.
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
    mask
        Voxels to fit.
    total_field
        Total field, in ppm, of either sign.

    Outputs
    -------
    r2star
        R2*, in 1/s.
    t2star
        T2*, in s.
    s0
        Signal at echo time zero, unit of the magnitude.
    r2star_error
        Error of the fit.
    n_echoes
        Number of echoes used.
    facts
        What was decided from the data.

    """
    workflow = pe.Workflow(name=name)
    given = ['magnitude', 'mask', 'total_field']
    fields = ['r2star', 't2star', 's0', 'r2star_error', 'n_echoes', 'facts']

    inputnode = pe.Node(niu.IdentityInterface(fields=given), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    fit_relaxation = pe.Node(
        FitRelaxation(
            method=str(method),
            echo_times=list(echo_times),
            imaging_frequency=imaging_frequency,
            gradient_correction=str(gradient_correction),
        ),
        name='fit_relaxation',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (inputnode, fit_relaxation, [('magnitude', 'in_file'), ('mask', 'in_mask')]),
            (fit_relaxation, outputnode, [(field, field) for field in fields]),
        ]
    )
    if gradient_correction.method.name != 'none':
        workflow.connect(inputnode, 'total_field', fit_relaxation, 'in_field')
    return workflow

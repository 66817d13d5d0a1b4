"""From the total field, or the phase, to the susceptibility map."""

from __future__ import annotations

from collections.abc import Sequence

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.onestep import InvertTotalField
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import between

#: What an inversion takes, of one step or of two.
INVERSION_INPUTS = (
    'total_field',
    'mask',
    'noise',
    'phase',
    'sign',
    'magnitude',
    'magnitude_rss',
    'r2star',
)


def init_onestep_wf(
    *,
    method: Choice,
    echo_times: Sequence[float],
    imaging_frequency: float,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'onestep_wf',
) -> pe.Workflow:
    """Make a susceptibility map without a step for the background field.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.onestep import init_onestep_wf
            wf = init_onestep_wf(
                method=STEPS['onestep'].choose('sstv'), echo_times=[0.02], imaging_frequency=123.2
            )

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    echo_times
        Echo times, in s.
    imaging_frequency
        Frequency of the scanner, in MHz.
    mem_gb
        Peak memory of the inversion, in GB.
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
    phase
        Phase of every echo, in rad, with the sign it was stored with.
    sign
        +1 or -1, by which the phase grows with the field.
    magnitude
        Magnitude of every echo.
    magnitude_rss
        Root of the sum of squares of the echoes.
    r2star
        R2*, in 1/s; may be left out.

    Outputs
    -------
    chi
        Susceptibility, in ppm, not yet referenced.
    mask
        Mask of voxels that have a susceptibility.
    deviation
        Standard deviation of susceptibility, in ppm.
    local_field
        Field that the map makes inside the mask, in ppm.
    facts
        What was decided from the data.

    """
    workflow = pe.Workflow(name=name)

    inputnode = pe.Node(niu.IdentityInterface(fields=[*INVERSION_INPUTS]), name='inputnode')
    outputs = ['chi', 'mask', 'deviation', 'local_field', 'facts']
    outputnode = pe.Node(niu.IdentityInterface(fields=outputs), name='outputnode')

    invert_total_field = pe.Node(
        InvertTotalField(
            method=str(method),
            echo_times=list(echo_times),
            imaging_frequency=imaging_frequency,
        ),
        name='invert_total_field',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        between(
            (inputnode, invert_total_field, [('total_field', 'in_file'), ('mask', 'in_mask')]),
            (inputnode, invert_total_field, ['noise', 'phase', 'sign', 'r2star']),
            (
                inputnode,
                invert_total_field,
                [('magnitude', 'echoes'), ('magnitude_rss', 'magnitude')],
            ),
            (invert_total_field, outputnode, outputs),
        )
    )
    return workflow

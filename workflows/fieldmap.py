"""From prepared phase to the total field."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.fieldmap import FitField
from bidsqsm.interfaces.unwrap import UnwrapPhase
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import between


def init_fieldmap_wf(
    *,
    unwrap: Choice,
    field: Choice,
    echo_times: tuple[float, ...],
    imaging_frequency: float,
    phase_sign: str = 'auto',
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'fieldmap_wf',
) -> pe.Workflow:
    """Unwrap the phase and fit one field to its echoes.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.fieldmap import init_fieldmap_wf
            wf = init_fieldmap_wf(
                unwrap=STEPS['unwrap'].choose('romeo'), field=STEPS['field'].choose('linear'),
                echo_times=(0.005, 0.01), imaging_frequency=123.2,
            )

    Parameters
    ----------
    unwrap, field
        Methods of unwrapping and of echo combination, with their parameters.
    echo_times
        Echo times, in s.
    imaging_frequency
        Frequency of the scanner, in MHz.
    phase_sign
        ``auto``, or ``+1`` or ``-1`` for a field fit that asks which way the phase runs.
    mem_gb
        Peak memory of one step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    phase
        Prepared phase, in rad, echoes last.
    magnitude
        Magnitude, echoes last.

    Outputs
    -------
    unwrapped
        Unwrapped phase, in rad, echoes last.
    quality
        Quality of the phase, 0 to 1.
    total_field
        Total field, in ppm, with the sign of the phase.
    noise
        Standard deviation of the total field, in ppm.
    residual
        Relative residual of the fit.
    water, fat, fat_fraction, waterfat_r2star
        Signal of water and of fat, the share of fat and their R2*, in 1/s; where the method of
        the field makes them.
    unwrap_facts, field_facts
        What each step decided from the data.

    """
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(niu.IdentityInterface(fields=['phase', 'magnitude']), name='inputnode')
    outputnode = pe.Node(
        niu.IdentityInterface(
            fields=[
                'unwrapped',
                'quality',
                'total_field',
                'noise',
                'residual',
                *field.method.makes,
                'unwrap_facts',
                'field_facts',
            ]
        ),
        name='outputnode',
    )

    unwrap_phase = pe.Node(
        UnwrapPhase(method=str(unwrap), echo_times=list(echo_times)),
        name='unwrap_phase',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )
    fit_field = pe.Node(
        FitField(
            method=str(field),
            echo_times=list(echo_times),
            imaging_frequency=imaging_frequency,
            phase_sign=phase_sign if field.method.takes('phase_sign') else 'auto',
        ),
        name='fit_field',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        between(
            (inputnode, unwrap_phase, [('phase', 'in_file'), 'magnitude']),
            (inputnode, fit_field, ['magnitude']),
            (unwrap_phase, fit_field, [('unwrapped', 'in_file')]),
            (unwrap_phase, outputnode, ['unwrapped', 'quality', ('facts', 'unwrap_facts')]),
            (fit_field, outputnode, ['total_field', 'noise', 'residual', *field.method.makes]),
            (fit_field, outputnode, [('facts', 'field_facts')]),
        )
    )
    return workflow

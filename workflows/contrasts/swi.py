"""Susceptibility-weighted images: from phase, from unwrapped phase or from susceptibility."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.contrasts.swi import SWI_IMAGES, WeightMagnitude
from bidsqsm.method import Choice


def init_swi_wf(
    *,
    method: Choice,
    echo_times: tuple[float, ...],
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str | None = None,
) -> pe.Workflow:
    """Weight a magnitude by phase or susceptibility, and project it over a slab.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.contrasts.swi import init_swi_wf
            wf = init_swi_wf(
                method=STEPS['swi'].choose('phase-mask'), echo_times=(0.005, 0.01, 0.015)
            )

    Parameters
    ----------
    method
        Method of the catalogue with its parameters, of the step ``swi``, ``clear_swi`` or
        ``true_swi``.
    echo_times
        Echo times, in s.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow; made from that of the step if not given.

    Inputs
    ------
    magnitude
        Magnitude, echoes last.
    map
        What weighs it: phase in rad, echoes last (``swi``), unwrapped phase that grows with the
        field (``clear_swi``), or susceptibility in ppm (``true_swi``).
    sign
        +1 or -1, by which a phase as it was stored grows with the field (``swi``).
    mask
        The brain.

    Outputs
    -------
    swi, swi_diamagnetic, minip, minip_diamagnetic
        Images of either sign and their projections (``swi``).
    clear_swi, clear_minip
        CLEAR-SWI and its projection.
    true_swi, true_minip
        True SWI and its projection.
    facts
        What was decided from the data.

    """
    workflow = pe.Workflow(name=name or f'{method.step}_wf')
    fields = [*SWI_IMAGES[method.step], 'facts']

    inputnode = pe.Node(
        niu.IdentityInterface(fields=['magnitude', 'map', 'sign', 'mask']), name='inputnode'
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    weight_magnitude = pe.Node(
        WeightMagnitude(step=method.step, method=str(method), echo_times=list(echo_times)),
        name='weight_magnitude',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                weight_magnitude,
                [
                    ('magnitude', 'in_file'),
                    ('map', 'in_map'),
                    ('sign', 'sign'),
                    ('mask', 'in_mask'),
                ],
            ),
            (weight_magnitude, outputnode, [(field, field) for field in fields]),
        ]
    )
    return workflow

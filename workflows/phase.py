"""From stored phase to radians, and the sign that makes them grow with the field."""

from __future__ import annotations

import json
from collections.abc import Mapping

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.inputs.run import PARTS, GreRun
from bidsqsm.interfaces.phase import PreparePhase, ReadMagnitude
from bidsqsm.interfaces.sign import DecideSign
from bidsqsm.method import Choice


def init_phase_wf(
    *,
    run: GreRun,
    coil: Choice,
    unwrap: Choice,
    corrections: Mapping[str, str] | None = None,
    force: tuple[str, ...] = (),
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'phase_wf',
) -> pe.Workflow:
    """Read a run, combine its channels and prepare its phase.

    Parameters
    ----------
    run
        The run, for its files and metadata.
    coil
        Method that combines receive channels; used where the run has more than one.
    unwrap
        Method that the removal of the receive phase unwraps with.
    corrections
        Whether to remove ``alternation``, ``bipolar`` and ``offset``: ``auto``, ``yes`` or ``no``.
    force
        Checks that are not to stop the run, such as ``filtered-phase``.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Outputs
    -------
    phase
        Phase, in rad, echoes last, free of receive and readout terms.
    magnitude
        Magnitude, echoes last.
    magnitude_rss
        Root of the sum of squares of the magnitude over echoes.
    facts
        What the values were taken for and what was removed.

    """
    workflow = pe.Workflow(name=name)
    fields = ['phase', 'magnitude', 'magnitude_rss', 'facts']
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    prepare_phase = pe.Node(
        PreparePhase(
            run=run.to_json(),
            known=_without_paths(run),
            in_files=[str(path) for path in run.files],
            coil=str(coil),
            unwrap=str(unwrap),
            corrections=dict(corrections or {}),
            force=list(force),
        ),
        name='prepare_phase',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect([(prepare_phase, outputnode, [(field, field) for field in fields])])
    return workflow


def init_magnitude_wf(*, run: GreRun, mem_gb: float = 4.0, name: str = 'phase_wf') -> pe.Workflow:
    """Read a run that has no phase, in the place of what prepares that.

    Parameters
    ----------
    run
        The run, for its files and metadata.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Outputs
    -------
    magnitude
        Magnitude, echoes last.
    magnitude_rss
        Root of the sum of squares of the magnitude over echoes.
    facts
        That there was no phase, and how channels were combined.

    """
    workflow = pe.Workflow(name=name)
    fields = ['magnitude', 'magnitude_rss', 'facts']
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    read_magnitude = pe.Node(
        ReadMagnitude(
            run=run.to_json(),
            known=_without_paths(run),
            in_files=[str(path) for path in run.files],
        ),
        name='read_magnitude',
        mem_gb=mem_gb,
    )

    workflow.connect([(read_magnitude, outputnode, [(field, field) for field in fields])])
    return workflow


def _without_paths(run: GreRun) -> str:
    # a dataset that is moved or mounted elsewhere is not to be computed again
    paths = {
        *PARTS,
        't1w',
        'mask',
        'labels',
        't1w_mask',
        'transforms',
        'segmentations',
        'r2_source',
    }
    known = json.loads(run.to_json())
    return json.dumps({key: value for key, value in known.items() if key not in paths})


def init_sign_wf(
    *,
    phase_sign: str = 'auto',
    expected: int = 0,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'sign_wf',
) -> pe.Workflow:
    """Turn phase and field over where they fall as the true field grows.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.workflows.phase import init_sign_wf
            wf = init_sign_wf()

    Parameters
    ----------
    phase_sign
        ``auto`` (from the data), ``+1`` or ``-1``.
    expected
        Sign that the maker of the scanner uses; 0 where it is not known.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    total_field
        Total field, in ppm, with the sign of the phase.
    unwrapped
        Unwrapped phase, in rad, echoes last.
    mask
        Mask of trusted voxels.
    r2star
        R2*, in 1/s (left open where there is but one echo).

    Outputs
    -------
    total_field
        Total field, in ppm, positive where the field is stronger.
    unwrapped
        Unwrapped phase that grows with the field, in rad, echoes last.
    sign
        +1 or -1, by which the stored phase grows with the field.
    facts
        How the sign was found.

    """
    workflow = pe.Workflow(name=name)
    given = ['total_field', 'unwrapped', 'mask', 'r2star']
    fields = ['total_field', 'unwrapped', 'sign', 'facts']

    inputnode = pe.Node(niu.IdentityInterface(fields=given), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')

    decide_sign = pe.Node(
        DecideSign(phase_sign=phase_sign, expected=expected),
        name='decide_sign',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (
                inputnode,
                decide_sign,
                [
                    ('total_field', 'in_file'),
                    ('unwrapped', 'unwrapped'),
                    ('mask', 'in_mask'),
                    ('r2star', 'r2star'),
                ],
            ),
            (decide_sign, outputnode, [(field, field) for field in fields]),
        ]
    )
    return workflow

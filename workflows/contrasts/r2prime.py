"""The reversible part of R2*, where R2 is known."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.inputs.r2_source import MESE
from bidsqsm.inputs.run import R2Source
from bidsqsm.interfaces.contrasts.r2prime import CarryR2, FitSpinEcho, SubtractR2
from bidsqsm.method import Choice


def init_r2prime_wf(
    *,
    r2_source: R2Source,
    method: Choice,
    mem_gb: float = 4.0,
    omp_nthreads: int = 1,
    name: str = 'r2prime_wf',
) -> pe.Workflow:
    """Bring R2 to a run, and take it from R2*.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from pathlib import Path
            from tempfile import NamedTemporaryFile
            from bidsqsm.catalog import STEPS
            from bidsqsm.inputs.run import R2Source
            from bidsqsm.workflows.contrasts.r2prime import init_r2prime_wf
            with NamedTemporaryFile(suffix='_T2map.nii.gz') as image:
                wf = init_r2prime_wf(
                    r2_source=R2Source('T2map', (Path(image.name),)),
                    method=STEPS['relaxometry'].choose('auto'),
                )

    Parameters
    ----------
    r2_source
        What tells R2.
    method
        Method that fits spin echoes, where R2 comes from those.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    r2star
        R2*, in 1/s.
    magnitude
        Magnitude, echoes last.
    mask
        Brain.

    Outputs
    -------
    r2
        R2 on the grid of the run, in 1/s.
    r2prime
        R2', in 1/s.
    t2prime
        T2', in s.
    facts
        Where R2 came from, how it was placed, and the share of voxels where it is above R2*.

    """
    workflow = pe.Workflow(name=name)
    fields = ['r2', 'r2prime', 't2prime', 'facts']
    inputnode = pe.Node(
        niu.IdentityInterface(fields=['r2star', 'magnitude', 'mask']), name='inputnode'
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')
    resources = {'mem_gb': mem_gb, 'n_procs': omp_nthreads}

    carry_r2 = pe.Node(CarryR2(scale=r2_source.scale), name='carry_r2', **resources)
    subtract_r2 = pe.Node(SubtractR2(), name='subtract_r2', **resources)
    if r2_source.kind == MESE:
        fit_spin_echo = pe.Node(
            FitSpinEcho(
                in_files=[str(path) for path in r2_source.files],
                echo_times=list(r2_source.echo_times),
                method=str(method),
            ),
            name='fit_spin_echo',
            **resources,
        )
        workflow.connect(
            [
                (
                    fit_spin_echo,
                    carry_r2,
                    [
                        ('r2', 'in_file'),
                        ('contrast', 'moving'),
                        ('brain', 'moving_brain'),
                        ('facts', 'about'),
                    ],
                ),
            ]
        )
    else:
        carry_r2.inputs.in_file = str(r2_source.files[0])
        carry_r2.inputs.kind = r2_source.kind

    workflow.connect(
        [
            (inputnode, carry_r2, [('magnitude', 'magnitude'), ('mask', 'in_mask')]),
            (inputnode, subtract_r2, [('r2star', 'r2star'), ('mask', 'in_mask')]),
            (carry_r2, subtract_r2, [('r2', 'r2'), ('facts', 'about')]),
            (carry_r2, outputnode, [('r2', 'r2')]),
            (subtract_r2, outputnode, [(field, field) for field in fields[1:]]),
        ]
    )
    return workflow

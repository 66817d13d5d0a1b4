"""Several rounds of background removal and inversion."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.workflows.connections import between, outputs_of
from bidsqsm.workflows.inversion import init_inversion_wf
from bidsqsm.workflows.onestep import INVERSION_INPUTS


def init_rounds_wf(
    *,
    run: GreRun,
    choices: Mapping[str, Choice],
    rounds: int,
    omp_nthreads: int = 1,
    name: str = 'inversion_wf',
) -> pe.Workflow:
    """Invert a total field again and again, each time with the field of the map before set aside.

    Parameters
    ----------
    run, choices, omp_nthreads
        As :func:`bidsqsm.workflows.inversion.init_inversion_wf` takes them.
    rounds
        How often.
    name
        Name of the workflow.

    Inputs and outputs are those of one inversion.

    """
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(niu.IdentityInterface(fields=[*INVERSION_INPUTS]), name='inputnode')
    each = [
        init_inversion_wf(
            run=run,
            choices=choices,
            round_number=number,
            omp_nthreads=omp_nthreads,
            name=f'round{number}_wf',
        )
        for number in range(1, rounds + 1)
    ]
    last, fields = each[-1], sorted(outputs_of(each[-1]))
    outputnode = pe.Node(niu.IdentityInterface(fields=fields), name='outputnode')
    workflow.connect(
        between(
            *((inputnode, one, INVERSION_INPUTS) for one in each),
            *((before, after, ['chi']) for before, after in pairwise(each)),
            (last, outputnode, fields),
        )
    )
    return workflow

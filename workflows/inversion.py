"""From the total field, or the phase, to susceptibility: one door to every way of inverting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.inputs.run import GreRun
from bidsqsm.method import Choice
from bidsqsm.workflows.background import init_background_wf
from bidsqsm.workflows.connections import between
from bidsqsm.workflows.dipole import init_dipole_wf
from bidsqsm.workflows.memory import memory_gb
from bidsqsm.workflows.onestep import INVERSION_INPUTS, init_onestep_wf

#: What every inversion gives, and the facts of its steps besides.
OUTPUTS = ('chi', 'mask', 'deviation', 'local_field', 'local_mask')


def inverting_steps(choices: Mapping[str, Choice]) -> tuple[str, ...]:
    """The steps that an inversion consists of."""
    return ('onestep',) if 'onestep' in choices else ('background', 'dipole')


def init_inversion_wf(
    *,
    run: GreRun,
    choices: Mapping[str, Choice],
    round_number: int = 1,
    omp_nthreads: int = 1,
    name: str = 'inversion_wf',
) -> pe.Workflow:
    """Make a susceptibility map of a total field, in one step or in two.

    Parameters
    ----------
    run
        The run, for its grid, its echo times and its frequency.
    choices
        Method of ``onestep``, or else of ``background`` and of ``dipole``.
    round_number
        How often the field is inverted, with this time; see
        :func:`bidsqsm.workflows.rounds.init_rounds_wf`.
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
    phase, sign
        Phase of every echo as stored, in rad, and the +1 or -1 by which it grows with the field.
    magnitude, magnitude_rss
        Magnitude of every echo, and the root of the sum of their squares.
    r2star
        R2*, in 1/s; may be left out.
    chi
        Map of the round before, in ppm, whose field is set aside while the background is removed;
        none in the first.

    Outputs
    -------
    chi
        Susceptibility, in ppm, not yet referenced.
    mask
        Voxels that have a susceptibility.
    deviation
        Standard deviation of susceptibility, in ppm.
    local_field
        Field of the sources inside the mask, in ppm.
    local_mask
        Voxels where the local field is known.
    background_facts, dipole_facts, onestep_facts
        What the steps decided from the data, of those that there are.

    """
    workflow = pe.Workflow(name=name)
    steps = inverting_steps(choices)
    inputnode = pe.Node(niu.IdentityInterface(fields=[*INVERSION_INPUTS, 'chi']), name='inputnode')
    outputnode = pe.Node(
        niu.IdentityInterface(fields=[*OUTPUTS, *(f'{step}_facts' for step in steps)]),
        name='outputnode',
    )
    if 'onestep' in steps:
        onestep_wf = init_onestep_wf(
            method=choices['onestep'],
            echo_times=run.echo_times,
            imaging_frequency=run.imaging_frequency,
            mem_gb=memory_gb(run.shape, 8 + 4 * run.n_echoes),
            omp_nthreads=omp_nthreads,
        )
        workflow.connect(
            between(
                (inputnode, onestep_wf, INVERSION_INPUTS),
                (onestep_wf, outputnode, ['chi', 'mask', 'deviation', 'local_field']),
                # the field of a map is known wherever the map is
                (onestep_wf, outputnode, [('mask', 'local_mask'), ('facts', 'onestep_facts')]),
            )
        )
        return workflow
    resources: dict[str, Any] = {'mem_gb': memory_gb(run.shape, 12), 'omp_nthreads': omp_nthreads}
    background_wf = init_background_wf(
        method=choices['background'], rounds=round_number, **resources
    )
    dipole_wf = init_dipole_wf(method=choices['dipole'], **resources)
    workflow.connect(
        between(
            (inputnode, background_wf, ['total_field', 'mask', 'noise', 'chi']),
            (inputnode, background_wf, [('magnitude_rss', 'magnitude')]),
            (background_wf, dipole_wf, ['local_field', 'mask']),
            # what the removal of the background cost at the rim may still have a susceptibility
            (inputnode, dipole_wf, [('mask', 'support'), ('magnitude_rss', 'magnitude')]),
            (inputnode, dipole_wf, ['noise', 'r2star']),
            (background_wf, outputnode, ['local_field', ('mask', 'local_mask')]),
            (dipole_wf, outputnode, ['chi', 'mask', 'deviation']),
            (background_wf, outputnode, [('facts', 'background_facts')]),
            (dipole_wf, outputnode, [('facts', 'dipole_facts')]),
        )
    )
    return workflow

"""The reference of the susceptibility map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.reference import ReferenceChi
from bidsqsm.method import Choice


def init_reference_wf(
    *,
    method: Choice,
    labels: Path | None = None,
    fluid: Sequence[int] | None = None,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'reference_wf',
) -> pe.Workflow:
    """Give susceptibility relative to the mean of a region.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.reference import init_reference_wf
            wf = init_reference_wf(method=STEPS['reference'].choose('none'))

    Parameters
    ----------
    method
        Method of the catalogue with its parameters.
    labels
        Label image on the grid of the run, where there is one.
    fluid
        Values of its labels of fluid, empty where it has none: it is left aside then. All of them
        where not known.
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
        Mask of the map.
    r2star
        R2*, in 1/s (left open where there is but one echo).
    magnitude
        Of the scan, in which voids are no fluid (left open where orientations are brought together).

    Outputs
    -------
    chi
        Susceptibility relative to the region, in ppm.
    region
        The region.
    region_name
        Its name.
    facts
        Name of the reference and the value subtracted, in ppm.

    """
    workflow = pe.Workflow(name=name)

    inputnode = pe.Node(
        niu.IdentityInterface(fields=['chi', 'mask', 'r2star', 'magnitude']), name='inputnode'
    )
    outputnode = pe.Node(
        niu.IdentityInterface(fields=['chi', 'region', 'region_name', 'facts']), name='outputnode'
    )

    reference_chi = pe.Node(
        ReferenceChi(method=str(method)),
        name='reference_chi',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )
    if labels is not None and (fluid is None or fluid):
        reference_chi.inputs.labels = str(labels)
        if fluid:
            reference_chi.inputs.fluid = list(fluid)

    workflow.connect(
        [
            (
                inputnode,
                reference_chi,
                [
                    ('chi', 'in_file'),
                    ('mask', 'in_mask'),
                    ('r2star', 'r2star'),
                    ('magnitude', 'magnitude'),
                ],
            ),
            (
                reference_chi,
                outputnode,
                [
                    ('chi', 'chi'),
                    ('region', 'region'),
                    ('region_name', 'region_name'),
                    ('facts', 'facts'),
                ],
            ),
        ]
    )
    return workflow

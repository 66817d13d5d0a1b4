"""Quality metrics of a run."""

from __future__ import annotations

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.quality import FILES, MeasureQuality
from bidsqsm.io.inputs import GreRun
from bidsqsm.io.metrics import about_run


def init_quality_wf(
    *,
    run: GreRun,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'quality_wf',
) -> pe.Workflow:
    """Measure the quality of a run on whatever images it makes.

    Parameters
    ----------
    run
        The run, for its name and how it was acquired.
    mem_gb
        Peak memory of the step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    magnitude, unwrapped, quality, residual, noise, total_field, local_field, chi, r2star,
    decay_misfit, brain_mask, support, qsm_mask, magnitude_mask, template_mask
        See :class:`bidsqsm.qsm.quality.maps.Maps`; any may be left out.
    labels, table
        Regions on the grid of the run, and what was measured in them.

    Outputs
    -------
    metrics
        JSON with all metrics.
    extras
        Files to be written.

    """
    workflow = pe.Workflow(name=name)
    fields = [*FILES, 'labels', 'table']
    inputnode = pe.Node(niu.IdentityInterface(fields=fields), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=['metrics', 'extras']), name='outputnode')

    measure_quality = pe.Node(
        MeasureQuality(about=about_run(run), echo_times=[*run.echo_times]),
        name='measure_quality',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect([
        (inputnode, measure_quality, [(field, field) for field in fields]),
        (measure_quality, outputnode, [('metrics', 'metrics'), ('extras', 'extras')]),
    ])  # fmt: skip
    return workflow

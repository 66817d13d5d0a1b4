"""Quality metrics of a run."""

from __future__ import annotations

from collections.abc import Mapping

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.derivatives.metrics_files import about_run
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.quality import FILES, MeasureQuality
from bidsqsm.workflows.connections import Link, inversion_links


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
    inversion_facts
        What the inversion decided, with the spectra of the field.

    Outputs
    -------
    metrics
        JSON with all metrics.
    extras
        Files to be written.

    """
    workflow = pe.Workflow(name=name)
    fields = [*FILES, 'labels', 'table', 'inversion_facts']
    inputnode = pe.Node(niu.IdentityInterface(fields=fields), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=['metrics', 'extras']), name='outputnode')

    measure_quality = pe.Node(
        MeasureQuality(about=about_run(run), echo_times=[*run.echo_times]),
        name='measure_quality',
        mem_gb=mem_gb,
        n_procs=omp_nthreads,
    )

    workflow.connect(
        [
            (inputnode, measure_quality, [(field, field) for field in fields]),
            (measure_quality, outputnode, [('metrics', 'metrics'), ('extras', 'extras')]),
        ]
    )
    return workflow


def quality_links(made: Mapping[str, pe.Workflow], quality_wf: pe.Workflow) -> list[Link]:
    """What the quality of a run is measured on, of the workflows that it is made of."""
    step = made.get
    return [
        *inversion_links({**made, 'quality_wf': quality_wf}, 'quality_wf'),
        (step('phase_wf'), quality_wf, ['magnitude']),
        (step('sign_wf'), quality_wf, ['unwrapped', 'total_field']),
        (step('fieldmap_wf'), quality_wf, ['quality', 'residual', 'noise']),
        (step('inversion_wf'), quality_wf, ['local_field', ('mask', 'qsm_mask')]),
        (step('reference_wf'), quality_wf, ['chi']),
        (step('relaxometry_wf'), quality_wf, ['r2star', ('r2star_error', 'decay_misfit')]),
        (step('masking_wf'), quality_wf, ['brain_mask', ('qsm_mask', 'support')]),
        (step('masking_wf'), quality_wf, ['magnitude_mask', 'template_mask']),
        (step('rois_wf'), quality_wf, [('shown_labels', 'labels'), ('shown_table', 'table')]),
    ]

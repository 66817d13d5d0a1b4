"""Labels of atlases on the grid of a run, their refinement, and the tables of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.atlases.atlas import Atlas
from bidsqsm.atlases.label_image import Segmentation
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.anatomy.derivative_lists import CollectRois
from bidsqsm.interfaces.anatomy.refinement import RefineRois
from bidsqsm.interfaces.anatomy.resampling import ResampleLabels
from bidsqsm.interfaces.anatomy.rois import MeasureRois
from bidsqsm.method import Choice
from bidsqsm.rois.region_columns import OPTIONAL_MAPS

#: What is measured, and what is needed to measure it.
ROI_INPUTS = (
    'chi',
    'mask',
    'r2star',
    't2star',
    'local_field',
    'total_field',
    'noise',
    'deviation',
    'inversion_facts',
    'reference_region',
    *OPTIONAL_MAPS,
)


def init_rois_wf(
    *,
    run: GreRun,
    atlases: Sequence[Atlas] = (),
    refine: Choice | None = None,
    age: float | None = None,
    mem_gb: float = 2.0,
    omp_nthreads: int = 1,
    name: str = 'rois_wf',
) -> pe.Workflow:
    """Measure the regions of atlases, and of segmentations that others made of the subject.

    The labels of an atlas are measured as registration places them and, where there is a
    refinement, once more with the borders that the subject's own maps show.

    Parameters
    ----------
    run
        The run, with its segmentations.
    atlases
        Atlases with their templates.
    refine
        Method of the refinement with its parameters; None for no refinement.
    age
        Of the subject, in years.
    mem_gb
        Peak memory of a step, in GB.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow.

    Inputs
    ------
    chi, mask, r2star, t2star, local_field, total_field, noise, reference_region
        Maps (ppm, 1/s, s, ppm, ppm, ppm), the mask of the first, what its zero is; the mask alone is
        needed.
    deviation, inversion_facts
        Standard deviation of susceptibility, in ppm, and what the inversion decided.
    into_<space>, registrations_<space>
        Transforms of points from the run to a space, and facts of the registrations.

    Outputs
    -------
    extras
        Label images and tables, to be written.
    shown_labels, shown_table
        Those of the first atlas, refined where it was.

    """
    workflow = pe.Workflow(name=name)
    spaces = spaces_of(run, atlases)
    of_spaces = [f'{what}_{space}' for space in spaces for what in ('into', 'registrations')]
    inputnode = pe.Node(niu.IdentityInterface(fields=[*ROI_INPUTS, *of_spaces]), name='inputnode')
    outputnode = pe.Node(
        niu.IdentityInterface(fields=['extras', 'shown_labels', 'shown_table']), name='outputnode'
    )
    members: list[tuple[pe.Node, pe.Node, dict[str, Any]]] = []
    sources: list[Atlas | Segmentation] = [*atlases, *run.segmentations]
    for source in sources:
        carry = _carry(workflow, inputnode, source, mem_gb)
        about = about_of(source)
        plain = _measure(workflow, inputnode, run, source, carry, age, '', mem_gb)
        members.append((carry, plain, about))
        if refine is not None and isinstance(source, Atlas):
            better = pe.Node(
                RefineRois(method=str(refine)),
                name=f'refine_{source.name}',
                mem_gb=mem_gb,
                n_procs=omp_nthreads,
            )
            workflow.connect(
                [
                    (
                        inputnode,
                        better,
                        [('chi', 'chi'), ('mask', 'in_mask'), ('r2star', 'r2star')],
                    ),
                    (carry, better, [('labels', 'labels')]),
                ]
            )
            measure = _measure(workflow, inputnode, run, source, better, age, '_refined', mem_gb)
            plain.inputs.judged = False  # one warning for a region is enough
            # first, since the report shows the first
            members.insert(-1, (better, measure, refined(about, refine)))
    _collect(workflow, members, outputnode)
    return workflow


def spaces_of(run: GreRun, atlases: Sequence[Atlas]) -> list[str]:
    """Spaces in which there are labels, without the run's own."""
    spaces = [atlas.template.name for atlas in atlases]
    spaces += [one.space for one in run.segmentations if one.space != 'orig']
    return [*dict.fromkeys(spaces)]


def about_of(source: Atlas | Segmentation) -> dict[str, Any]:
    """Entities and JSON content of a source of labels."""
    name = source.name
    content: dict[str, Any]
    if isinstance(source, Segmentation):
        content = {
            'Description': f'Labels of {name}, made elsewhere, on the grid of the run.',
            'Segmentation': source.path.as_uri(),
        }
        return {'entities': {'atlas': name}, 'content': content}
    content = {
        'Description': f'Labels of the atlas {name}, carried over by registration with '
        f'{source.template.name}.',
        'Atlas': {'Name': name, 'License': source.license, 'Source': source.source},
    }
    description = {'Name': name, 'License': source.license, 'ReferencesAndLinks': [source.source]}
    return {'entities': {'atlas': name}, 'content': content, 'description': description}


def refined(about: Mapping[str, Any], refine: Choice) -> dict[str, Any]:
    """The same for labels that were refined."""
    text = f'{about["content"]["Description"]} Borders refined: {refine.method.title}.'
    content = {**about['content'], 'Description': text}
    return {'entities': {**about['entities'], 'desc': 'refined'}, 'content': content}


def _carry(
    workflow: pe.Workflow, inputnode: pe.Node, source: Atlas | Segmentation, mem_gb: float
) -> pe.Node:
    if isinstance(source, Atlas):
        path, space = source.dseg, source.template.name
    else:
        path, space = source.path, source.space
    carry = pe.Node(
        ResampleLabels(in_file=str(path), keep=[label.index for label in source.labels]),
        name=f'carry_{source.name}',
        mem_gb=mem_gb,
    )
    workflow.connect(inputnode, 'mask', carry, 'reference')
    if space != 'orig':
        workflow.connect(
            [
                (
                    inputnode,
                    carry,
                    [(f'into_{space}', 'transforms'), (f'registrations_{space}', 'registrations')],
                ),
            ]
        )
    return carry


def _measure(
    workflow: pe.Workflow,
    inputnode: pe.Node,
    run: GreRun,
    source: Atlas | Segmentation,
    labels: pe.Node,
    age: float | None,
    ending: str,
    mem_gb: float,
) -> pe.Node:
    measure = pe.Node(
        MeasureRois(
            names=[asdict(label) for label in source.labels],
            imaging_frequency=float(run.imaging_frequency),
        ),
        name=f'measure_{source.name}{ending}',
        mem_gb=mem_gb,
    )
    if age is not None:
        measure.inputs.age = age
    maps = [(name, 'in_mask' if name == 'mask' else name) for name in ROI_INPUTS]
    workflow.connect(
        [
            (inputnode, measure, maps),
            (labels, measure, [('labels', 'labels')]),
        ]
    )
    return measure


def _collect(
    workflow: pe.Workflow,
    members: Sequence[tuple[pe.Node, pe.Node, dict[str, Any]]],
    outputnode: pe.Node,
) -> None:
    """Gather labels and tables; a member is what makes the ones, the others, and what both are."""
    collect = pe.Node(CollectRois(about=[about for _, _, about in members]), name='collect_rois')
    inputs = {
        'labels': [(labels, 'labels') for labels, _, _ in members],
        'tables': [(measure, 'table') for _, measure, _ in members],
        'all_facts': [(measure, 'facts') for _, measure, _ in members],
    }
    for target, sources in inputs.items():
        merge = pe.Node(niu.Merge(len(sources)), name=f'merge_{target}')
        for number, (node, output) in enumerate(sources, start=1):
            workflow.connect(node, output, merge, f'in{number}')
        workflow.connect(merge, 'out', collect, target)
    names = ('extras', 'shown_labels', 'shown_table')
    workflow.connect([(collect, outputnode, [(name, name) for name in names])])

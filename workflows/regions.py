"""What a run has to do with its T1w, with templates and with atlases."""

from __future__ import annotations

from collections.abc import Mapping

from nipype.pipeline import engine as pe

from bidsqsm.interfaces.carrying import IN_MASKS, IN_SPACES
from bidsqsm.io.inputs import GreRun
from bidsqsm.io.regions import Anatomy
from bidsqsm.methods import Choice
from bidsqsm.rois.table import FURTHER
from bidsqsm.workflows.alignment import IMAGES, aligned_templates, init_alignment_wf
from bidsqsm.workflows.anatomical import init_anatomical_wf
from bidsqsm.workflows.links import PRODUCTS
from bidsqsm.workflows.overlay import init_overlay_wf, overlaid
from bidsqsm.workflows.rois import init_rois_wf, spaces_of
from bidsqsm.workflows.spaces import init_spaces_wf
from bidsqsm.workflows.ways import WAYS

#: Where the maps that are measured or brought to templates come from.
SOURCES: Mapping[str, tuple[str, ...]] = {
    'chi': ('reference_wf.chi',),
    'mask': ('onestep_wf.mask', 'dipole_wf.mask'),
    'qsm_mask': ('onestep_wf.mask', 'dipole_wf.mask'),
    'brain_mask': ('masking_wf.brain_mask',),
    'r2star': ('relaxometry_wf.r2star',),
    't2star': ('relaxometry_wf.t2star',),
    'local_field': ('onestep_wf.local_field', 'background_wf.local_field'),
    'noise': ('fieldmap_wf.noise',),
    'reference_region': ('reference_wf.region_name',),
    **{key: (PRODUCTS[key],) for key in FURTHER if key in PRODUCTS},
}
#: Workflows that make files which are none of the products.
EXTRAS = (
    *('anatomical_wf', 'alignment_wf', 'rois_wf', 'spaces_wf', 'oxygenation_wf'),
    'quality_wf',
)


def region_steps(
    run: GreRun,
    anatomy: Anatomy,
    choices: Mapping[str, Choice],
    age: float | None,
    mem_gb: float,
    omp_nthreads: int,
) -> dict[str, pe.Workflow]:
    """Workflows for the registration, the regions and the other spaces, as far as there are any."""
    resources = {'mem_gb': mem_gb, 'omp_nthreads': omp_nthreads}
    steps = {}
    away = any(one.space != 'orig' for one in run.segmentations)
    aligned = aligned_templates(run, anatomy, choices['registration'])
    if anatomy.templates or away:
        steps['anatomical_wf'] = init_anatomical_wf(
            run=run,
            templates=anatomy.templates,
            method=choices['registration'] if anatomy.templates else None,
            continued=[template.name for template in aligned],
            **resources,
        )
        steps['overlay_wf'] = init_overlay_wf(images=overlaid(run, anatomy), mem_gb=mem_gb)
    if aligned:
        steps['alignment_wf'] = init_alignment_wf(
            templates=aligned,
            atlases=anatomy.atlases,
            method=choices['registration'],
            **resources,
        )
    if anatomy.atlases or run.segmentations:
        refine = choices['roi_refine']
        steps['rois_wf'] = init_rois_wf(
            run=run,
            atlases=anatomy.atlases,
            refine=None if refine.method.name == 'none' else refine,
            age=age,
            **resources,
        )
    if anatomy.spaces:
        steps['spaces_wf'] = init_spaces_wf(spaces=anatomy.spaces, mem_gb=mem_gb)
    return steps


def region_links(
    run: GreRun, anatomy: Anatomy, choices: Mapping[str, Choice]
) -> list[tuple[str, str]]:
    """Which output of a step goes to which input of these."""
    aligned = [one.name for one in aligned_templates(run, anatomy, choices['registration'])]
    measured = [name for name in SOURCES if name not in ('brain_mask', 'qsm_mask')]
    links = [('phase_wf.magnitude', 'anatomical_wf.magnitude')]
    if anatomy.templates:
        links.append(('anatomical_wf.template_mask', 'masking_wf.template_mask'))
    if not run.has_phase:
        links.append(('masking_wf.brain_mask', 'rois_wf.mask'))
    links += [(f'anatomical_wf.{name}', f'alignment_wf.{name}') for name in ('contrast', 'brain')]
    for space in aligned:
        links += [(f'anatomical_wf.{way}_{space}', f'alignment_wf.{way}_{space}') for way in WAYS]
    images = [name for name in IMAGES if name in SOURCES]
    for taker, names in (
        ('alignment_wf', images),
        ('rois_wf', measured),
        ('spaces_wf', (*IN_MASKS, *IN_SPACES)),
    ):
        links += [(source, f'{taker}.{name}') for name in names for source in SOURCES[name]]
    links.append(('phase_wf.magnitude_rss', 'overlay_wf.reference'))
    for space, _ in overlaid(run, anatomy).values():
        links += _ways('overlay_wf', 'into', space, space in aligned)
    for space in spaces_of(run, anatomy.atlases):
        links += _ways('rois_wf', 'into', space, space in aligned)
    for template in anatomy.spaces:
        links += _ways('spaces_wf', 'out_of', template.name, template.name in aligned)
    return [*dict.fromkeys(links)]


def _ways(taker: str, way: str, space: str, aligned: bool) -> list[tuple[str, str]]:
    maker = 'alignment_wf' if aligned else 'anatomical_wf'
    names = (f'{way}_{space}', f'registrations_{space}')
    return [(f'{maker}.{name}', f'{taker}.{name}') for name in names]

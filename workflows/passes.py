"""Two passes over one field: the mask of the first and the map of both."""

from __future__ import annotations

from collections.abc import Iterable

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.interfaces.passes import CombinePasses, CutHoles
from bidsqsm.methods import Choice

#: Parameters of a method for the mask that hold for the holes as well.
LIMITS = ('quality_limit', 'residual_limit')

#: Steps that a run in two passes goes through twice; what the last of them make goes to one map.
INVERTING = ('background_wf', 'dipole_wf', 'onestep_wf')
_LAST = ('dipole_wf', 'onestep_wf')


def pass_links(links: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Links of a run in two passes, from those of a run in one.

    What is inverted goes through each pass, with a mask of its own; the maps of both become one,
    which goes where that of one pass went.
    """
    own = {'masking_wf.qsm_mask': 'holes_wf.mask'}
    own |= {f'background_wf.{x}': f'holed_background_wf.{x}' for x in ('local_field', 'mask')}
    made = {f'{last}.{x}': f'passes_wf.{x}' for last in _LAST for x in ('chi', 'mask')}
    found = []
    for source, target in links:
        if target.partition('.')[0] in INVERTING:
            found += [(source, target), (own.get(source, source), f'holed_{target}')]
        else:
            found.append((made.get(source, source), target))
    for last in _LAST:
        found += [(f'{last}.{x}', f'passes_wf.{x}') for x in ('chi', 'mask')]
        found += [(f'holed_{last}.{x}', f'passes_wf.holed_{x}') for x in ('chi', 'mask')]
    found += [(f'fieldmap_wf.{x}', f'holes_wf.{x}') for x in ('quality', 'residual')]
    return [*dict.fromkeys(found), ('masking_wf.qsm_mask', 'holes_wf.mask')]


def init_holes_wf(*, method: Choice, mem_gb: float = 2.0, name: str = 'holes_wf') -> pe.Workflow:
    """Cut voxels of unreliable phase out of the mask.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.catalog import STEPS
            from bidsqsm.workflows.passes import init_holes_wf
            wf = init_holes_wf(method=STEPS['mask'].choose('combined'))

    Parameters
    ----------
    method
        Method for the mask, whose limits of quality and residual are used if it has any.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    mask
        Mask of trusted voxels, without holes.
    quality
        Quality of the phase, 0 to 1.
    residual
        Relative residual of the field fit.

    Outputs
    -------
    mask
        The mask with holes.
    facts
        Number of voxels that were cut out.

    """
    workflow = pe.Workflow(name=name)
    inputnode = pe.Node(
        niu.IdentityInterface(fields=['mask', 'quality', 'residual']), name='inputnode'
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=['mask', 'facts']), name='outputnode')
    limits = {name: value for name, value in method.settings().items() if name in LIMITS}
    cut_holes = pe.Node(CutHoles(limits=limits), name='cut_holes', mem_gb=mem_gb)

    workflow.connect([
        (inputnode, cut_holes, [('mask', 'in_mask'), ('quality', 'quality'),
                                ('residual', 'residual')]),
        (cut_holes, outputnode, [('mask', 'mask'), ('facts', 'facts')]),
    ])  # fmt: skip
    return workflow


def init_passes_wf(*, mem_gb: float = 2.0, name: str = 'passes_wf') -> pe.Workflow:
    """Make one map of two.

    Workflow Graph
        .. workflow::
            :graph2use: orig
            :simple_form: yes

            from bidsqsm.workflows.passes import init_passes_wf
            wf = init_passes_wf()

    Parameters
    ----------
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    chi, mask
        Susceptibility from the whole mask, in ppm, and where it has values.
    holed_chi, holed_mask
        Susceptibility from the mask with holes, in ppm, and where it has values.

    Outputs
    -------
    chi
        Susceptibility of both, in ppm, not yet referenced.
    mask
        Voxels that have a susceptibility.
    holed_mask
        Voxels whose value is that of the mask with holes.
    facts
        Share of the voxels that come from the whole mask and by how much they were shifted, in ppm.

    """
    workflow = pe.Workflow(name=name)
    given = ('chi', 'mask', 'holed_chi', 'holed_mask')
    made = ('chi', 'mask', 'holed_mask', 'facts')
    inputnode = pe.Node(niu.IdentityInterface(fields=[*given]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=[*made]), name='outputnode')
    combine_passes = pe.Node(CombinePasses(), name='combine_passes', mem_gb=mem_gb)

    workflow.connect([
        (inputnode, combine_passes, [(name, name) for name in given]),
        (combine_passes, outputnode, [(name, name) for name in made]),
    ])  # fmt: skip
    return workflow

"""Maps and masks on the grids of templates."""

from __future__ import annotations

from collections.abc import Sequence

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.atlases.atlas import Template
from bidsqsm.interfaces.anatomy.resampling import IN_MASKS, IN_SPACES, ToTemplate


def init_spaces_wf(
    *, spaces: Sequence[Template], mem_gb: float = 2.0, name: str = 'spaces_wf'
) -> pe.Workflow:
    """Bring maps and masks into the spaces of templates, in one interpolation each.

    Parameters
    ----------
    spaces
        The templates.
    mem_gb
        Peak memory of a step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    chi, r2star, t2star, brain_mask, qsm_mask
        On the grid of the run.
    out_of_<space>, registrations_<space>
        Transforms of points from a space to the run, and facts of the registrations.

    Outputs
    -------
    extras
        The images, to be written.

    """
    workflow = pe.Workflow(name=name)
    of_spaces = [f'{what}_{one.name}' for one in spaces for what in ('out_of', 'registrations')]
    inputnode = pe.Node(
        niu.IdentityInterface(fields=[*IN_MASKS, *IN_SPACES, *dict.fromkeys(of_spaces)]),
        name='inputnode',
    )
    outputnode = pe.Node(niu.IdentityInterface(fields=['extras']), name='outputnode')
    merge_spaces = pe.Node(niu.Merge(len(spaces)), name='merge_spaces')
    for number, space in enumerate(spaces, start=1):
        to_template = pe.Node(
            ToTemplate(template=str(space.t1w), space=space.name),
            name=f'to_template_{number}',
            mem_gb=mem_gb,
        )
        if space.resolution is not None:
            to_template.inputs.resolution = space.resolution
        workflow.connect(
            [
                (inputnode, to_template, [(key, key) for key in (*IN_MASKS, *IN_SPACES)]),
                (
                    inputnode,
                    to_template,
                    [
                        (f'out_of_{space.name}', 'transforms'),
                        (f'registrations_{space.name}', 'registrations'),
                    ],
                ),
                (to_template, merge_spaces, [('extras', f'in{number}')]),
            ]
        )
    workflow.connect(merge_spaces, 'out', outputnode, 'extras')
    return workflow

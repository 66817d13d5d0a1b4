"""The T1w and a template on the grid of a run, for the report to show whether they fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.atlases.selection import AtlasesAndSpaces
from bidsqsm.inputs.run import GreRun
from bidsqsm.interfaces.anatomy.resampling import ResampleImages


def overlaid(run: GreRun, anatomy: AtlasesAndSpaces) -> dict[str, tuple[str, Path]]:
    """Images to carry to a run: the space and the file of each.

    These are the T1w and the first template, whose regions the report shows.
    """
    found = {}
    if run.t1w:
        found['own_t1w'] = ('T1w', Path(run.t1w))
    if anatomy.templates:
        template = anatomy.templates[0]
        found['template_t1w'] = (template.name, template.t1w)
    return found


def init_overlay_wf(
    *,
    images: Mapping[str, tuple[str, Path]],
    mem_gb: float = 2.0,
    name: str = 'overlay_wf',
) -> pe.Workflow:
    """Bring images of heads onto the grid of a run, in one interpolation each.

    Parameters
    ----------
    images
        Space and file of each, by a name of :data:`bidsqsm.interfaces.anatomy.resampling.HEADS`.
    mem_gb
        Peak memory of the step, in GB.
    name
        Name of the workflow.

    Inputs
    ------
    reference
        Image on the grid of the run.
    into_<space>, registrations_<space>
        Transforms of points from the run to a space, and facts of the registrations.

    Outputs
    -------
    own_t1w, template_t1w
        The images, as far as there are any; left out where a registration was lost.

    """
    workflow = pe.Workflow(name=name)
    of_spaces = [
        f'{what}_{space}' for space, _ in images.values() for what in ('into', 'registrations')
    ]
    inputnode = pe.Node(niu.IdentityInterface(fields=['reference', *of_spaces]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(fields=[*images]), name='outputnode')
    carry_heads = pe.Node(
        ResampleImages(**{key: str(path) for key, (_, path) in images.items()}),
        name='carry_heads',
        mem_gb=mem_gb,
    )
    workflow.connect(
        [
            (inputnode, carry_heads, [('reference', 'reference')]),
            (carry_heads, outputnode, [(key, key) for key in images]),
        ]
    )
    for key, (space, _) in images.items():
        workflow.connect(
            [
                (
                    inputnode,
                    carry_heads,
                    [
                        (f'into_{space}', f'{key}_transforms'),
                        (f'registrations_{space}', f'{key}_registrations'),
                    ],
                ),
            ]
        )
    return workflow

"""Orientations of one head, brought onto the grid of the first."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import draw
from bidsqsm.reports.drawing.planes import PLANES
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.drawing.styles import MASK_STYLES
from bidsqsm.reports.panels.spec import PanelSpec


def draw_registered(scene: RunImages) -> bytes:
    """The magnitude of each orientation, with the mask of the susceptibility."""
    mask = scene.load('qsm_mask').values > 0
    label, colour = MASK_STYLES['qsm_mask']
    rows = []
    for index, run in enumerate(scene.run.runs):
        volume = scene.load('registered', index)
        limits = robust_limits(volume.values)
        rows.append(
            [
                scene.tile(
                    volume,
                    plane,
                    limits,
                    whole=True,
                    title=run.name.partition('_')[2] if plane == PLANES[0] else '',
                    outlines=((scene.outline(mask, plane, whole=True), colour),),
                )
                for plane in PLANES
            ]
        )
    return draw(rows, legend=[(label, colour)])


REGISTERED_PANEL = PanelSpec(
    key='registered',
    step='joint',
    needs=('registered',),
    suffix='T2starw',
    title='Orientations on one grid',
    caption=(
        'Magnitude of each orientation, brought onto the first. Ventricles and the rim of the '
        'brain should lie in the same place in every row, with respect to the outline.'
    ),
    alt='Registered magnitudes in three planes of',
    draw=draw_registered,
)

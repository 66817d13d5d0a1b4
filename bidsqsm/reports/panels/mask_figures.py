"""Outlines of the masks of a run, on its magnitude and on its phase."""

from __future__ import annotations

import numpy as np

from bidsqsm.reports.drawing.figure import Tile, draw
from bidsqsm.reports.drawing.planes import Volume
from bidsqsm.reports.drawing.run_images import PLANES, RunImages, robust_limits

_QSM = '#35c3ff'
#: The outlines of masks, later ones on top: label and colour.
OUTLINES = {
    'quality_mask': ('good phase', '#e4572e'),
    'template_mask': ('template', '#cc79a7'),
    'magnitude_mask': ('magnitude', '#00b388'),
    'brain_mask': ('brain', '#ffd23f'),
    'holed_mask': ('first pass', '#ffffff'),
    'qsm_mask': ('susceptibility', _QSM),
}


def draw_masks(scene: RunImages) -> bytes:
    """Outlines on the magnitude and, where it was prepared, on the phase of the middle echo."""
    base = scene.magnitude()
    rows = [_row(scene, base, robust_limits(base.values))]
    if 'phase' in scene.products:
        phase = scene.load('phase', (len(scene.run.echo_times) - 1) // 2)
        rows.append(_row(scene, phase, (-np.pi, np.pi)))
    shown = [style for name, style in OUTLINES.items() if name in scene.products]
    return draw(rows, legend=shown)


def _row(scene: RunImages, base: Volume, limits: tuple[float, float]) -> list[Tile]:
    masks = [
        (scene.load(name).values > 0, colour)
        for name, (_, colour) in OUTLINES.items()
        if name in scene.products
    ]
    return [
        scene.tile(
            base,
            plane,
            limits,
            whole=True,
            outlines=tuple(
                (scene.outline(mask, plane, whole=True), colour) for mask, colour in masks
            ),
        )
        for plane in PLANES
    ]


def draw_registered(scene: RunImages) -> bytes:
    """The magnitude of each orientation, with the mask of the susceptibility."""
    mask = scene.load('qsm_mask').values > 0
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
                    outlines=((scene.outline(mask, plane, whole=True), _QSM),),
                )
                for plane in PLANES
            ]
        )
    return draw(rows, legend=[('susceptibility', _QSM)])

"""Outlines of the masks of a run, on its magnitude and on its phase."""

from __future__ import annotations

import numpy as np

from bidsqsm.reports.drawing.figure import Tile, draw
from bidsqsm.reports.drawing.planes import PLANES, Volume
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.drawing.styles import MASK_STYLES
from bidsqsm.reports.panels.spec import PanelSpec


def draw_masks(scene: RunImages) -> bytes:
    """Outlines on the magnitude and, where it was prepared, on the phase of the middle echo."""
    base = scene.magnitude()
    rows = [_row(scene, base, robust_limits(base.values))]
    if 'phase' in scene.products:
        phase = scene.load('phase', (len(scene.run.echo_times) - 1) // 2)
        rows.append(_row(scene, phase, (-np.pi, np.pi)))
    shown = [style for name, style in MASK_STYLES.items() if name in scene.products]
    return draw(rows, legend=shown)


MASK_PANEL = PanelSpec(
    key='mask',
    step='mask',
    needs=('brain_mask', 'qsm_mask'),
    suffix='mask',
    title='Masks',
    caption=(
        'The outline should follow the brain, cerebellum and brain stem included. Where brain '
        'and susceptibility part, phase was too unreliable, or too near the edge, for a '
        'susceptibility. What the masks were made from is outlined below them, as far as it was '
        'used. On the phase, below: fringes that are closed and clean should lie within, noise '
        'and crowded fringes without.'
    ),
    alt='Outlines of the masks on magnitude and phase in three planes of',
    draw=draw_masks,
)


def _row(scene: RunImages, base: Volume, limits: tuple[float, float]) -> list[Tile]:
    masks = [
        (scene.load(name).values > 0, colour)
        for name, (_, colour) in MASK_STYLES.items()
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

"""Rates of decay: R2*, and R2 with R2'."""

from __future__ import annotations

import numpy as np

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec


def draw_r2star(scene: RunImages) -> bytes:
    """R2* in three planes, up to 50 to 150 per second."""
    low, high = robust_limits(scene.inside(scene.load('r2star')).values)
    # a few wild voxels at the rim of the brain must not darken the rest
    return scene.three('r2star', (low, float(np.clip(high, 50, 150))), '1/s', 'brain_mask')


R2STAR_PANEL = PanelSpec(
    key='r2star',
    step='relaxometry',
    needs=('r2star',),
    suffix='R2starmap',
    title='R2*',
    caption=(
        'High in iron-rich nuclei and veins, and wherever the field is steep, as above the '
        'sinuses.'
    ),
    alt='Relaxation rate R2* in three planes of',
    draw=draw_r2star,
)


def draw_r2prime(scene: RunImages) -> bytes:
    """R2 above R2', whichever of them is there, each in three planes."""
    rows, bars = [], []
    for key in ('r2', 'r2prime'):
        if key in scene.products:
            volume = scene.inside(scene.load(key), 'brain_mask')
            high = float(np.clip(robust_limits(volume.values)[1], 20, 100))
            rows.append([scene.tile(volume, plane, (0, high)) for plane in PLANES])
            bars.append(Bar((0, high), '1/s'))
    return draw(rows, bars)


R2PRIME_PANEL = PanelSpec(
    key='r2prime',
    step='r2prime',
    needs=('r2prime',),
    suffix='R2map',
    title="R2 and R2'",
    caption=(
        'Top: R2 where it was given or fitted to spin echoes, which should lie on the brain of '
        "the run. Bottom: R2', what R2* has beyond it. High in iron-rich nuclei and veins; an "
        'outline of the brain or the ventricles there means that R2 lies out of place.'
    ),
    alt="Relaxation rates R2 and R2' in three planes of",
    draw=draw_r2prime,
)

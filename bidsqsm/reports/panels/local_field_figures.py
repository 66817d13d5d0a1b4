"""The field of the tissue, and what was taken from the total field for it."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES, Volume
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec

_LOCAL_FIELD_PPM = (-0.05, 0.05)


def draw_local_field(scene: RunImages) -> bytes:
    """Local field above the background field, each in three planes."""
    local = scene.inside(scene.load('local_field'))
    rows = [
        [scene.tile(local, plane, _LOCAL_FIELD_PPM, title=f'local, {plane}') for plane in PLANES]
    ]
    bars = [Bar(_LOCAL_FIELD_PPM, 'ppm')]
    if 'total_field' in scene.products:
        rest = scene.load('total_field').values - local.values
        limits = robust_limits(rest, symmetric=True)
        background = Volume(rest, local.voxel_size)
        rows.append(
            [scene.tile(background, plane, limits, title='background') for plane in PLANES]
        )
        bars.append(Bar(limits, 'ppm'))
    return draw(rows, bars)


LOCAL_FIELD_PANEL = PanelSpec(
    key='local',
    step='background',
    needs=('local_field',),
    suffix='fieldmap',
    title='Local field and background',
    caption=(
        'Top: the field of the tissue alone. Veins and nuclei show as dipoles, bright and dark '
        'side by side; a slow gradient towards the edge is background that was left. Bottom: '
        'what was taken away, on its own scale. It should be smooth; a nucleus or a vein in it '
        'is tissue that the map lacks.'
    ),
    alt='Local field and background field in three planes of',
    draw=draw_local_field,
)

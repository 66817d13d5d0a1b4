"""What DECOMPOSE made of the sources in each voxel, as a picture."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

_LIMITS = {'decompose_paramagnetic': (0.0, 0.1), 'decompose_diamagnetic': (-0.1, 0.0)}


def draw_decompose(scene: RunImages) -> bytes:
    """Paramagnetic above, diamagnetic below, each in three planes."""
    rows, bars = [], []
    for key, limits in _LIMITS.items():
        if key in scene.products:
            volume = scene.inside(scene.load(key))
            rows.append([scene.tile(volume, plane, limits) for plane in PLANES])
            bars.append(Bar(limits, 'ppm'))
    return draw(rows, bars)


DECOMPOSE_PANEL = PanelSpec(
    key='decompose',
    step='decompose',
    needs=('decompose_paramagnetic', 'decompose_diamagnetic'),
    suffix='Chimap',
    title='Sources within each voxel (DECOMPOSE)',
    caption=(
        'Top: paramagnetic sources, as iron, bright. Bottom: diamagnetic ones, as myelin and '
        'calcium, dark. A source of one kind alone should be blank in the other row; speckle is '
        'noise of the magnitude, and patches above the sinuses are the steep field there.'
    ),
    alt='Paramagnetic and diamagnetic susceptibility by DECOMPOSE in three planes of',
    draw=draw_decompose,
)

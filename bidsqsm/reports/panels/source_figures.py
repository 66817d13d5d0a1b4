"""The picture of separated sources."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES, Volume
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

SOURCE_WINDOW_PPM = (0.0, 0.1)


def draw_sources(scene: RunImages) -> bytes:
    """Paramagnetic sources above diamagnetic ones, both bright."""
    rows = []
    for key, sign in (('chi_paramagnetic', 1), ('chi_diamagnetic', -1)):
        volume = scene.inside(scene.load(key))
        size = Volume(sign * volume.values, volume.voxel_size)
        rows.append([scene.tile(size, plane, SOURCE_WINDOW_PPM) for plane in PLANES])
    return draw(rows, [Bar(SOURCE_WINDOW_PPM, 'ppm'), Bar(SOURCE_WINDOW_PPM, '-ppm')])


SEPARATION_PANEL = PanelSpec(
    key='separation',
    step='separation',
    needs=('chi_paramagnetic', 'chi_diamagnetic'),
    suffix='Chimap',
    title='Paramagnetic and diamagnetic sources',
    caption=(
        'Top: iron, bright in nuclei and veins, faint in white matter. Bottom: myelin and '
        'calcium, turned to positive values, bright in white matter. A structure that is bright '
        'in both beyond what its susceptibility map shows has a high rate of decay for another '
        'reason, such as a steep field above the sinuses. Where no R2 was given, R2* stands in '
        'for R2\u2032 (see the decisions): the sum of both is the susceptibility still, their size '
        'is an estimate.'
    ),
    alt='Paramagnetic and diamagnetic susceptibility in three planes of',
    draw=draw_sources,
)

"""The picture of separated sources."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import Volume
from bidsqsm.reports.drawing.run_images import PLANES, RunImages

SOURCE_WINDOW_PPM = (0.0, 0.1)


def draw_sources(scene: RunImages) -> bytes:
    """Paramagnetic sources above diamagnetic ones, both bright."""
    rows = []
    for key, sign in (('chi_paramagnetic', 1), ('chi_diamagnetic', -1)):
        found = scene.inside(scene.load(key))
        size = Volume(sign * found.values, found.voxel_size)
        rows.append([scene.tile(size, plane, SOURCE_WINDOW_PPM) for plane in PLANES])
    return draw(rows, [Bar(SOURCE_WINDOW_PPM, 'ppm'), Bar(SOURCE_WINDOW_PPM, '-ppm')])

"""Pictures of susceptibility-weighted images and their projections."""

from __future__ import annotations

from collections.abc import Callable

from bidsqsm.reports.drawing.figure import draw
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits


def weighted(*keys: str) -> Callable[[RunImages], bytes]:
    """Make a picture of some images, a row for each at three heights, each at its own brightness."""

    def make(scene: RunImages) -> bytes:
        volumes = [scene.inside(scene.load(key), 'brain_mask') for key in keys]
        limits = [robust_limits(volume.values) for volume in volumes]
        return draw(
            [
                [
                    scene.tile(volume, 'axial', limit, index=level)
                    for level in scene.look.levels[1::2]
                ]
                for volume, limit in zip(volumes, limits, strict=True)
            ]
        )

    return make

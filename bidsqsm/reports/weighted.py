"""Pictures of susceptibility-weighted images and their projections."""

from __future__ import annotations

from collections.abc import Callable

from bidsqsm.reports.figures import draw
from bidsqsm.reports.scene import Scene, robust_limits


def weighted(*keys: str) -> Callable[[Scene], bytes]:
    """Make a picture of some images side by side, at three heights, each at its own brightness."""

    def make(scene: Scene) -> bytes:
        volumes = [scene.inside(scene.load(key), 'brain_mask') for key in keys]
        limits = [robust_limits(volume.values) for volume in volumes]
        pairs = [*zip(volumes, limits, strict=True)]
        return draw([
            [scene.tile(volume, 'axial', limit, index=level) for volume, limit in pairs]
            for level in scene.look.levels[1::2]
        ])  # fmt: skip

    return make

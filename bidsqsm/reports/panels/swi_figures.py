"""Pictures of susceptibility-weighted images and their projections."""

from __future__ import annotations

from collections.abc import Callable

from bidsqsm.reports.drawing.figure import draw
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec


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


SWI_PANEL = PanelSpec(
    key='swi',
    step='swi',
    needs=('swi',),
    suffix='swi',
    title='Susceptibility-weighted images',
    caption=(
        'From the top: image and minimum over a slab for a stronger field (veins and bleeds '
        'dark), then both for a weaker one (calcification dark). Patches above sinuses and ear '
        'canals are wraps that the filter left.'
    ),
    alt='Susceptibility-weighted images of either sign, axial, of',
    draw=weighted('swi', 'minip', 'swi_diamagnetic', 'minip_diamagnetic'),
)

CLEAR_SWI_PANEL = PanelSpec(
    key='clear_swi',
    step='clear_swi',
    needs=('clear_swi',),
    suffix='swi',
    title='CLEAR-SWI',
    caption=(
        'Image and, below, minimum over a slab. Evenly bright from front to back; veins and '
        'iron are dark, and so is what lies above sinuses and ear canals, where the field is '
        'too steep for the filter.'
    ),
    alt='CLEAR-SWI and its projection, axial, of',
    draw=weighted('clear_swi', 'clear_minip'),
)

TRUE_SWI_PANEL = PanelSpec(
    key='true_swi',
    step='true_swi',
    needs=('true_swi',),
    suffix='swi',
    title='True SWI',
    caption=(
        'Image and, below, minimum over a slab. Veins are dark whichever way they run; streaks '
        'come from the susceptibility map.'
    ),
    alt='True SWI and its projection, axial, of',
    draw=weighted('true_swi', 'true_minip'),
)

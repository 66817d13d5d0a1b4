"""What the fit over the echoes gave: total field, its noise and residual, and fat."""

from __future__ import annotations

from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES
from bidsqsm.reports.drawing.run_images import RunImages, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec


def draw_total_field(scene: RunImages) -> bytes:
    """Total field of the brain in three planes."""
    values = scene.inside(scene.load('total_field'), 'brain_mask').values
    limits = robust_limits(values, symmetric=True)
    return scene.three('total_field', limits, 'ppm', 'brain_mask')


TOTAL_FIELD_PANEL = PanelSpec(
    key='total',
    step='field',
    needs=('total_field',),
    suffix='fieldmap',
    title='Total field',
    caption=(
        'The fit over all echoes, in ppm of the main field. The air of sinuses and ear canals '
        'dominates; tissue is a faint texture on top.'
    ),
    alt='Total field in three planes of',
    draw=draw_total_field,
)


def draw_reliability(scene: RunImages) -> bytes:
    """Noise above residual, whichever of them is there, each in three planes."""
    rows, bars = [], []
    for key, unit in (('noise', 'ppm'), ('residual', 'relative')):
        if key in scene.products:
            volume = scene.inside(scene.load(key))
            limits = robust_limits(volume.values)
            rows.append([scene.tile(volume, plane, limits, cmap='magma') for plane in PLANES])
            bars.append(Bar(limits, unit, 'magma'))
    return draw(rows, bars)


RELIABILITY_PANEL = PanelSpec(
    key='reliability',
    step='field',
    needs=('noise', 'residual'),
    suffix='fieldmap',
    title='Noise and residual of the field',
    caption=(
        'Top: standard deviation of the total field. Bottom: part of the signal that the fit does '
        'not explain. Both should be low and even inside the mask; bright structures there point '
        'to flow, motion or an unwrapping error.'
    ),
    alt='Noise and residual of the field fit in three planes of',
    draw=draw_reliability,
)


def draw_fat(scene: RunImages) -> bytes:
    """Fat fraction of the head in three planes."""
    volume = scene.load('fat_fraction')
    tiles = [scene.tile(volume, plane, (0, 1), whole=True) for plane in PLANES]
    return draw([tiles], [Bar((0, 1), 'share of the signal')])


FAT_FRACTION_PANEL = PanelSpec(
    key='fat',
    step='field',
    needs=('fat_fraction',),
    suffix='probseg',
    title='Fat fraction',
    caption=(
        'Bright in scalp, neck and marrow, dark in the brain. A patch that is bright where tissue '
        'is watery, or dark amid fat, with a sharp edge that follows no anatomy, is a swap of '
        'water and fat: the field is wrong there.'
    ),
    alt='Fat fraction in three planes of',
    draw=draw_fat,
)

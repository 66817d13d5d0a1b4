"""What the panels of a report show of a scene: maps, masks and fields."""

from __future__ import annotations

import numpy as np

from bidsqsm.io.products import PRODUCTS
from bidsqsm.reports.figures import Bar, draw
from bidsqsm.reports.scene import PLANES, Scene, raw_volume, robust_limits

_BRAIN, _QSM = '#ffd23f', '#35c3ff'
#: The outlines of masks, later ones on top: label and colour.
_OUTLINES = {
    'quality_mask': ('good phase', '#7a8699'),
    'template_mask': ('template', '#ff5fa2'),
    'magnitude_mask': ('magnitude', '#6fdc6f'),
    'brain_mask': ('brain', _BRAIN),
    'holed_mask': ('first pass', '#ff8c42'),
    'qsm_mask': ('susceptibility', _QSM),
}
CHI = (-0.1, 0.1)
LOCAL = (-0.05, 0.05)


def magnitude(scene: Scene) -> bytes:
    volumes = [raw_volume(scene.run, echo, 'magnitude') for echo in scene.echoes]
    limits = robust_limits(volumes[0].values)
    return draw(
        [
            [
                scene.tile(volume, 'axial', limits, title=scene.time(echo), whole=True)
                for echo, volume in zip(scene.echoes, volumes, strict=True)
            ]
        ]
    )


def phase(scene: Scene) -> bytes:
    if not scene.run.has_phase:
        return b''
    raw = []
    for echo in scene.echoes:
        volume = raw_volume(scene.run, echo, 'phase')
        limits = (float(np.nanmin(volume.values)), float(np.nanmax(volume.values)))
        title = f'{scene.time(echo)}: stored'
        raw.append(scene.tile(volume, 'axial', limits, title=title, smooth=False, whole=True))
    prepared = [
        scene.tile(
            scene.load('phase', echo),
            'axial',
            (-np.pi, np.pi),
            title='prepared',
            smooth=False,
            whole=True,
        )
        for echo in (scene.echoes if 'phase' in scene.products else [])
    ]
    if not prepared:
        return draw([raw])
    return draw([raw, prepared], [None, Bar((-np.pi, np.pi), 'rad')])


def unwrapped(scene: Scene) -> bytes:
    volumes = [scene.inside(scene.load('unwrapped', echo), 'brain_mask') for echo in scene.echoes]
    cuts = [scene.tile(volume, 'axial', (0, 1)).image for volume in volumes]
    limits = robust_limits(np.asarray(cuts[-1]), symmetric=True)
    tiles = [
        scene.tile(volume, 'axial', limits, title=scene.time(echo))
        for echo, volume in zip(scene.echoes, volumes, strict=True)
    ]
    return draw([tiles], [Bar(limits, 'rad')])


def masks(scene: Scene) -> bytes:
    key = 'magnitude_rss'
    base = scene.load(key) if key in scene.products else raw_volume(scene.run, 0, 'magnitude')
    masks = [
        (scene.load(name), *style) for name, style in _OUTLINES.items() if name in scene.products
    ]
    limits = robust_limits(base.values)
    tiles = [
        scene.tile(
            base,
            plane,
            limits,
            whole=True,
            outlines=tuple(
                (mask.plane(plane, scene.look.index(plane), scene.look.whole) > 0, colour)
                for mask, _, colour in masks
            ),
        )
        for plane in PLANES
    ]
    return draw([tiles], legend=[(label, colour) for _, label, colour in masks])


def total_field(scene: Scene) -> bytes:
    values = scene.inside(scene.load('total_field'), 'brain_mask').values
    limits = robust_limits(values, symmetric=True)
    return scene.three('total_field', limits, 'ppm', 'brain_mask')


def levels(scene: Scene) -> bytes:
    chi = scene.inside(scene.load('chi'))
    tiles = [scene.tile(chi, 'axial', CHI, index=level) for level in scene.look.levels]
    return draw([tiles[:3], tiles[3:]], [Bar(CHI, 'ppm')] * 2)


def r2star(scene: Scene) -> bytes:
    low, high = robust_limits(scene.inside(scene.load('r2star')).values)
    # a few wild voxels at the rim of the brain must not darken the rest
    return scene.three('r2star', (low, float(np.clip(high, 50, 150))), '1/s', 'brain_mask')


def concentration(scene: Scene) -> bytes:
    key = 'iron' if 'iron' in scene.products else 'gadolinium'
    _, high = robust_limits(scene.inside(scene.load(key)).values)
    return scene.three(key, (0.0, high), PRODUCTS[key].units or '')


def r2prime(scene: Scene) -> bytes:
    rows, bars = [], []
    for key in ('r2', 'r2prime'):
        if key in scene.products:
            volume = scene.inside(scene.load(key), 'brain_mask')
            high = float(np.clip(robust_limits(volume.values)[1], 20, 100))
            rows.append([scene.tile(volume, plane, (0, high)) for plane in PLANES])
            bars.append(Bar((0, high), '1/s'))
    return draw(rows, bars)


def reliability(scene: Scene) -> bytes:
    rows, bars = [], []
    for key, unit in (('noise', 'ppm'), ('residual', 'relative')):
        if key in scene.products:
            volume = scene.inside(scene.load(key))
            limits = robust_limits(volume.values)
            rows.append([scene.tile(volume, plane, limits, cmap='magma') for plane in PLANES])
            bars.append(Bar(limits, unit, 'magma'))
    return draw(rows, bars)


def fat(scene: Scene) -> bytes:
    volume = scene.load('fat_fraction')
    tiles = [scene.tile(volume, plane, (0, 1), whole=True) for plane in PLANES]
    return draw([tiles], [Bar((0, 1), 'share of the signal')])


def registered(scene: Scene) -> bytes:
    mask = scene.load('qsm_mask')
    rows = []
    for index, run in enumerate(getattr(scene.run, 'runs', ())):
        volume = scene.load('registered', index)
        limits = robust_limits(volume.values)
        rows.append([
            scene.tile(
                volume, plane, limits, whole=True,
                title=run.name.partition('_')[2] if plane == PLANES[0] else '',
                outlines=((mask.plane(plane, scene.look.index(plane), scene.look.whole) > 0, _QSM),),
            )
            for plane in PLANES
        ])  # fmt: skip
    return draw(rows, legend=[('susceptibility', _QSM)])

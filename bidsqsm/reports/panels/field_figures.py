"""What the panels of a report show of a scene: fields and rates."""

from __future__ import annotations

import numpy as np

from bidsqsm.derivatives.products import PRODUCTS
from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import Volume
from bidsqsm.reports.drawing.run_images import PLANES, RunImages, robust_limits

_LOCAL_FIELD_PPM = (-0.05, 0.05)  # ppm


def total_field(scene: RunImages) -> bytes:
    values = scene.inside(scene.load('total_field'), 'brain_mask').values
    limits = robust_limits(values, symmetric=True)
    return scene.three('total_field', limits, 'ppm', 'brain_mask')


def local_field(scene: RunImages) -> bytes:
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


def r2star(scene: RunImages) -> bytes:
    low, high = robust_limits(scene.inside(scene.load('r2star')).values)
    # a few wild voxels at the rim of the brain must not darken the rest
    return scene.three('r2star', (low, float(np.clip(high, 50, 150))), '1/s', 'brain_mask')


def concentration(scene: RunImages) -> bytes:
    key = 'iron' if 'iron' in scene.products else 'gadolinium'
    _, high = robust_limits(scene.inside(scene.load(key)).values)
    return scene.three(key, (0.0, high), PRODUCTS[key].units or '')


def r2prime(scene: RunImages) -> bytes:
    rows, bars = [], []
    for key in ('r2', 'r2prime'):
        if key in scene.products:
            volume = scene.inside(scene.load(key), 'brain_mask')
            high = float(np.clip(robust_limits(volume.values)[1], 20, 100))
            rows.append([scene.tile(volume, plane, (0, high)) for plane in PLANES])
            bars.append(Bar((0, high), '1/s'))
    return draw(rows, bars)


def reliability(scene: RunImages) -> bytes:
    rows, bars = [], []
    for key, unit in (('noise', 'ppm'), ('residual', 'relative')):
        if key in scene.products:
            volume = scene.inside(scene.load(key))
            limits = robust_limits(volume.values)
            rows.append([scene.tile(volume, plane, limits, cmap='magma') for plane in PLANES])
            bars.append(Bar(limits, unit, 'magma'))
    return draw(rows, bars)


def fat(scene: RunImages) -> bytes:
    volume = scene.load('fat_fraction')
    tiles = [scene.tile(volume, plane, (0, 1), whole=True) for plane in PLANES]
    return draw([tiles], [Bar((0, 1), 'share of the signal')])

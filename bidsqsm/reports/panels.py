"""The panels of a run's report: what each shows, from which products, and what to look for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bidsqsm.io.orientations import OrientationSet
from bidsqsm.io.run import GreRun
from bidsqsm.reports.figures import Bar, draw
from bidsqsm.reports.scene import PLANES, Scene, raw_volume, robust_limits

LOGGER = logging.getLogger(__name__)

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
_CHI = (-0.1, 0.1)
_LOCAL = (-0.05, 0.05)


@dataclass(frozen=True)
class Panel:
    """A picture with its words; ``error`` stands in for a picture that could not be made."""

    key: str
    suffix: str
    title: str
    caption: str
    alt: str
    image: bytes = b''
    error: str = ''


def make_panels(run: GreRun, products: Mapping[str, Path]) -> list[Panel]:
    """Draw every panel whose products are there, in the order of the processing.

    A panel that fails carries the error in place of the picture; the others are
    drawn all the same.
    """
    scene = Scene(run, products)
    panels = []
    for key, kind in _KINDS.items():
        if not any(need in products for need in kind.needs) and kind.needs:
            continue
        if isinstance(run, OrientationSet) and not kind.needs:
            continue  # what is stored is shown with each of its runs
        image, error = b'', ''
        try:
            image = kind.make(scene)
        except Exception as problem:  # noqa: BLE001, whatever breaks a picture, the page stays
            LOGGER.warning('%s: the figure "%s" failed: %s', run.name, kind.title, problem)
            error = f'{type(problem).__name__}: {problem}'
        panels.append(
            Panel(
                key, kind.suffix, kind.title, kind.caption, f'{kind.alt} {run.name}.', image, error
            )
        )
    return panels


def _magnitude(scene: Scene) -> bytes:
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


def _phase(scene: Scene) -> bytes:
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


def _unwrapped(scene: Scene) -> bytes:
    volumes = [scene.inside(scene.load('unwrapped', echo), 'brain_mask') for echo in scene.echoes]
    cuts = [scene.tile(volume, 'axial', (0, 1)).image for volume in volumes]
    limits = robust_limits(np.asarray(cuts[-1]), symmetric=True)
    tiles = [
        scene.tile(volume, 'axial', limits, title=scene.time(echo))
        for echo, volume in zip(scene.echoes, volumes, strict=True)
    ]
    return draw([tiles], [Bar(limits, 'rad')])


def _masks(scene: Scene) -> bytes:
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


def _total_field(scene: Scene) -> bytes:
    values = scene.inside(scene.load('total_field'), 'brain_mask').values
    limits = robust_limits(values, symmetric=True)
    return scene.three('total_field', limits, 'ppm', 'brain_mask')


def _levels(scene: Scene) -> bytes:
    chi = scene.inside(scene.load('chi'))
    tiles = [scene.tile(chi, 'axial', (-0.1, 0.1), index=level) for level in scene.look.levels]
    return draw([tiles[:3], tiles[3:]], [Bar((-0.1, 0.1), 'ppm')] * 2)


def _r2star(scene: Scene) -> bytes:
    low, high = robust_limits(scene.inside(scene.load('r2star')).values)
    # a few wild voxels at the rim of the brain must not darken the rest
    return scene.three('r2star', (low, float(np.clip(high, 50, 150))), '1/s', 'brain_mask')


def _reliability(scene: Scene) -> bytes:
    rows, bars = [], []
    for key, unit in (('noise', 'ppm'), ('residual', 'relative')):
        if key in scene.products:
            volume = scene.inside(scene.load(key))
            limits = robust_limits(volume.values)
            rows.append([scene.tile(volume, plane, limits, cmap='magma') for plane in PLANES])
            bars.append(Bar(limits, unit, 'magma'))
    return draw(rows, bars)


def _fat(scene: Scene) -> bytes:
    volume = scene.load('fat_fraction')
    tiles = [scene.tile(volume, plane, (0, 1), whole=True) for plane in PLANES]
    return draw([tiles], [Bar((0, 1), 'share of the signal')])


def _registered(scene: Scene) -> bytes:
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


@dataclass(frozen=True)
class _Kind:
    """A panel: drawn where any of the products it needs is there, or always if it needs none."""

    needs: tuple[str, ...]
    suffix: str
    title: str
    caption: str
    alt: str
    make: Callable[[Scene], bytes]


_KINDS: Mapping[str, _Kind] = {
    'magnitude': _Kind(
        (),
        'MEGRE',
        'Magnitude',
        'As stored, first, middle and last echo at one brightness. The signal should fade evenly; '
        'black holes above sinuses and ear canals grow with the echo time, ghosts tell of motion.',
        'Axial magnitude images of three echoes of',
        _magnitude,
    ),
    'phase': _Kind(
        (),
        'MEGRE',
        'Phase before and after preparation',
        'Top: as stored. Bottom: in radians, receive offset removed. Fringes should be closed or '
        'end at the rim; a fringe that ends inside the brain is a singularity of the coil '
        'combination.',
        'Axial phase images of three echoes, before and after preparation, of',
        _phase,
    ),
    'unwrapped': _Kind(
        ('unwrapped',),
        'MEGRE',
        'Unwrapped phase',
        'Smooth inside the brain and growing in proportion to the echo time. A sharp edge that '
        'follows no anatomy is a jump of 2π that was missed.',
        'Axial unwrapped phase of three echoes of',
        _unwrapped,
    ),
    'total': _Kind(
        ('total_field',),
        'fieldmap',
        'Total field',
        'The fit over all echoes, in ppm of the main field. The air of sinuses and ear canals '
        'dominates; tissue is a faint texture on top.',
        'Total field in three planes of',
        _total_field,
    ),
    'fat': _Kind(
        ('fat_fraction',),
        'probseg',
        'Fat fraction',
        'Bright in scalp, neck and marrow, dark in the brain. A patch that is bright where tissue '
        'is watery, or dark amid fat, with a sharp edge that follows no anatomy, is a swap of '
        'water and fat: the field is wrong there.',
        'Fat fraction in three planes of',
        _fat,
    ),
    'mask': _Kind(
        ('brain_mask', 'qsm_mask'),
        'mask',
        'Masks',
        'The outline should follow the brain, cerebellum and brain stem included. Where brain and '
        'susceptibility part, phase was too unreliable, or too near the edge, for a susceptibility. '
        'What the masks were made from is outlined below them, as far as it was used.',
        'Outlines of the masks on the magnitude in three planes of',
        _masks,
    ),
    'registered': _Kind(
        ('registered',),
        'T2starw',
        'Orientations on one grid',
        'Magnitude of each orientation, brought onto the first. Ventricles and the rim of the brain '
        'should lie in the same place in every row, with respect to the outline.',
        'Registered magnitudes in three planes of',
        _registered,
    ),
    'local': _Kind(
        ('local_field',),
        'fieldmap',
        'Local field',
        'The field of the tissue alone. Veins and nuclei show as dipoles, bright and dark side by '
        'side; a slow gradient towards the edge is background that was left.',
        'Local field in three planes of',
        lambda scene: scene.three('local_field', _LOCAL, 'ppm'),
    ),
    'chi': _Kind(
        ('chi',),
        'Chimap',
        'Susceptibility',
        'Iron-rich nuclei and veins are bright (paramagnetic), calcium and myelin dark '
        '(diamagnetic). Nuclei darker than white matter would mean a phase of the wrong sign.',
        'Susceptibility map in three planes, from -0.1 to 0.1 ppm, of',
        lambda scene: scene.three('chi', _CHI, 'ppm'),
    ),
    'levels': _Kind(
        ('chi',),
        'Chimap',
        'Susceptibility, level by level',
        'From the cerebellum upwards: dentate nuclei, then substantia nigra and red nuclei, then '
        'pallidum, putamen and caudate. Streaks that leave a vein or a lesion are artefacts.',
        'Susceptibility map in six axial slices, from -0.1 to 0.1 ppm, of',
        _levels,
    ),
    'r2star': _Kind(
        ('r2star',),
        'R2starmap',
        'R2*',
        'High in iron-rich nuclei and veins, and wherever the field is steep, as above the '
        'sinuses.',
        'Relaxation rate R2* in three planes of',
        _r2star,
    ),
    'reliability': _Kind(
        ('noise', 'residual'),
        'fieldmap',
        'Noise and residual of the field',
        'Top: standard deviation of the total field. Bottom: part of the signal that the fit does '
        'not explain. Both should be low and even inside the mask; bright structures there point '
        'to flow, motion or an unwrapping error.',
        'Noise and residual of the field fit in three planes of',
        _reliability,
    ),
}

"""What the panels of the echoes show: magnitude, phase and unwrapped phase of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from bidsqsm.qsm.grid import Mask
from bidsqsm.qsm.quality.wraps import residual_wraps
from bidsqsm.reports.drawing.figure import Bar, Pictures, Tile, draw
from bidsqsm.reports.drawing.run_images import RunImages, raw_volume, robust_limits
from bidsqsm.reports.panels.spec import PanelSpec

_ECHOES_PER_ROW = 5  # echoes that stand in one row
_PHASE_WINDOW = (-np.pi, np.pi)
_WRAP = '#ff8c42'

T = TypeVar('T')


def in_rows(items: Sequence[T]) -> list[Sequence[T]]:
    """Items in one row, or in rows of about the same length where they are many."""
    rows = -(-len(items) // _ECHOES_PER_ROW)
    length = -(-len(items) // rows)
    return [items[start : start + length] for start in range(0, len(items), length)]


def _rows(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Tiles of one plane in rows; the first of each row tells the sides of all."""
    return [
        [row[0], *(replace(tile, sides=('', '', '', '')) for tile in row[1:])]
        for row in in_rows(tiles)
    ]


def draw_magnitude(scene: RunImages) -> Pictures:
    """Every echo at the brightness of the first."""
    tiles: list[Tile] = []
    for echo in scene.echoes:
        volume = raw_volume(scene.run, echo, 'magnitude')
        limits = tiles[0].limits if tiles else robust_limits(volume.values)
        tiles.append(scene.tile(volume, 'axial', limits, title=scene.time(echo), whole=True))
    return Pictures({'': draw(_rows(tiles))}, scene.echoes_note)


MAGNITUDE_PANEL = PanelSpec(
    key='magnitude',
    step='coil',
    needs=('stored',),
    suffix='MEGRE',
    title='Magnitude',
    caption=(
        'As stored, every echo at the brightness of the first. The signal should fade evenly; '
        'black holes above sinuses and ear canals grow with the echo time, ghosts tell of '
        'motion.'
    ),
    alt='Axial magnitude image of each echo of',
    draw=draw_magnitude,
)


def draw_phase(scene: RunImages) -> Pictures:
    """Every echo as stored and, below it, as prepared."""
    rows: list[list[Tile]] = []
    bars: list[Bar | None] = []
    for echoes in in_rows(scene.echoes):
        rows += _rows([_stored_tile(scene, echo) for echo in echoes])
        bars.append(None)
        if 'phase' in scene.products:
            rows += _rows(
                [
                    scene.tile(
                        scene.load('phase', echo), 'axial', _PHASE_WINDOW, smooth=False, whole=True
                    )
                    for echo in echoes
                ]
            )
            bars.append(Bar(_PHASE_WINDOW, 'rad'))
    return Pictures({'': draw(rows, bars)}, scene.echoes_note)


PHASE_PANEL = PanelSpec(
    key='phase',
    step='phase',
    needs=('stored phase',),
    suffix='MEGRE',
    title='Phase before and after preparation',
    caption=(
        'Top: as stored. Bottom: in radians, receive offset removed. Fringes should be closed or '
        'end at the rim; a fringe that ends inside the brain is a singularity of the coil '
        'combination.'
    ),
    alt='Axial phase image of each echo, before and after preparation, of',
    draw=draw_phase,
)


def _stored_tile(scene: RunImages, echo: int) -> Tile:
    volume = raw_volume(scene.run, echo, 'phase')
    limits = (float(np.nanmin(volume.values)), float(np.nanmax(volume.values)))
    title = scene.time(echo)
    return scene.tile(volume, 'axial', limits, title=title, smooth=False, whole=True)


def draw_unwrapped(scene: RunImages) -> Pictures:
    """Every echo with the wraps that were left; once more where there are most of them."""
    region = scene.region(scene.load('unwrapped', 0))
    wraps = {
        echo: residual_wraps(scene.load('unwrapped', echo).values, region) for echo in scene.echoes
    }
    brain = scene.load('brain_mask') if 'brain_mask' in scene.products else None
    rows: list[list[Tile]] = []
    bars: list[Bar | None] = []
    for index, titles in _levels(scene, wraps).items():
        tiles = [
            scene.tile(
                scene.load('unwrapped', echo),
                'axial',
                (0, 1),
                title=title,
                index=index,
                outlines=((scene.outline(wraps[echo], 'axial', index=index), _WRAP),),
                within=brain,
            )
            for echo, title in zip(scene.echoes, titles, strict=True)
        ]
        limits = robust_limits(np.asarray(tiles[-1].image), symmetric=True)
        rows += _rows([replace(tile, limits=limits) for tile in tiles])
        bars += [Bar(limits, 'rad')] * (len(rows) - len(bars))
    counts = [int(mask.sum()) for mask in wraps.values()]
    note = f'{_wrap_counts(scene.echoes, counts)} {scene.echoes_note}'.strip()
    return Pictures({'': draw(rows, bars)}, note)


UNWRAPPED_PANEL = PanelSpec(
    key='unwrapped',
    step='unwrap',
    needs=('unwrapped',),
    suffix='MEGRE',
    title='Unwrapped phase and wraps left in it',
    caption=(
        'Smooth inside the brain and growing in proportion to the echo time. Outlined in orange '
        'are both sides of a step of more than three quarters of a turn between neighbours: a '
        'sheet that follows no anatomy is a turn that was missed; a few above the sinuses, '
        'where the field is steep, matter little.'
    ),
    alt='Axial unwrapped phase of each echo, wraps that were left outlined, of',
    draw=draw_unwrapped,
)


def _levels(scene: RunImages, wraps: Mapping[int, Mask]) -> dict[int, list[str]]:
    """Axial slices to show, with the titles of the echoes: the nuclei, and where most wraps are."""
    levels = {scene.look.index('axial'): [scene.time(echo) for echo in wraps]}
    areas = np.sum([mask.sum(axis=(0, 1)) for mask in wraps.values()], axis=0)
    if areas.any() and int(areas.argmax()) not in levels:
        counts = [int(mask[..., areas.argmax()].sum()) for mask in wraps.values()]
        levels[int(areas.argmax())] = [f'{count} marked' if count else 'none' for count in counts]
    return levels


def _wrap_counts(echoes: Sequence[int], counts: Sequence[int]) -> str:
    if not any(counts):
        return 'None is left inside the mask of the susceptibility.'
    words = ', '.join(
        f'{count} in echo {echo + 1}' for echo, count in zip(echoes, counts, strict=True) if count
    )
    return (
        f'Voxels marked inside the mask of the susceptibility: {words}. '
        'Below, the slice that holds most of them.'
    )

"""Susceptibility in slices: through the nuclei, from end to end, and with veins and calcifications."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Mask
from bidsqsm.reports.drawing.figure import Bar, Drawn, Tile, draw
from bidsqsm.reports.drawing.planes import Array, Volume
from bidsqsm.reports.drawing.run_images import PLANES, RunImages

CHI = (-0.1, 0.1)
#: ppm: blood that gave up half of its oxygen has 0.45 in a vein along the field; small
#: calcifications have -0.2 to -0.5 once their voxels are shared with tissue.
WIDE_CHI_PPM = (-0.5, 0.5)
_SLAB_MM = 16.0  # mm
_ROWS = (('axial', 6), ('axial', 6), ('coronal', 6), ('sagittal', 5))
_MARGIN_SHARE = 0.1  # share of the brain at either end that is not shown


def draw_levels(scene: RunImages) -> bytes:
    """Six axial slices, from the dentate nuclei upwards."""
    chi = scene.inside(scene.load('chi'))
    tiles = [scene.tile(chi, 'axial', CHI, index=level) for level in scene.look.levels]
    return draw([tiles[:3], tiles[3:]], [Bar(CHI, 'ppm')] * 2)


def draw_mosaic(scene: RunImages) -> bytes:
    """Slices at equal distances through the whole brain, in three planes."""
    chi = scene.inside(scene.load('chi'))
    inside = np.isfinite(chi.values)
    rows = []
    for plane in dict(_ROWS):
        lengths = [length for name, length in _ROWS if name == plane]
        places = iter(_spread(inside, PLANES.index(plane), sum(lengths)))
        rows += [[(plane, next(places)) for _ in range(length)] for length in lengths]
    return draw([_mosaic_row(scene, chi, row) for row in rows], [Bar(CHI, 'ppm')])


def _mosaic_row(scene: RunImages, chi: Volume, row: Sequence[tuple[str, int]]) -> list[Tile]:
    # letters once a row: the tiles are small
    none = {'sides': ('', '', '', '')}
    return [
        scene.tile(chi, plane, CHI, index=index, **(none if number else {}))
        for number, (plane, index) in enumerate(row)
    ]


def _spread(inside: Mask, axis: int, count: int) -> list[int]:
    """Indices at equal distances along an axis, from end to end of what is inside."""
    others = tuple(a for a in range(3) if a != axis)
    hit = np.flatnonzero(inside.any(axis=others))
    ends = (_MARGIN_SHARE, 1 - _MARGIN_SHARE)
    low, high = (hit[0] + share * (hit[-1] - hit[0]) for share in ends)
    return [int(index) for index in np.round(np.linspace(low, high, count))]


def draw_extremes(scene: RunImages) -> Drawn:
    """Highest and lowest susceptibility in slabs about the nuclei, in a wide window."""
    chi = scene.load('chi')
    inside = scene.region(chi)
    rows = [[_slab(scene, chi, inside, plane, sign) for plane in PLANES] for sign in (1.0, -1.0)]
    return Drawn({'': draw(rows, [Bar(WIDE_CHI_PPM, 'ppm')] * 2)}, _beyond(chi.values[inside]))


def _slab(scene: RunImages, chi: Volume, inside: Mask, plane: str, sign: float) -> Tile:
    """The highest value of a slab, or the lowest for a negative sign; none outside of the mask."""
    axis, middle = PLANES.index(plane), scene.look.index(plane)
    half = max(1, round(_SLAB_MM / 2 / chi.voxel_size[axis]))
    where = [slice(None)] * 3
    where[axis] = slice(max(0, middle - half), middle + half)
    slab = np.where(inside[tuple(where)], sign * chi.values[tuple(where)], -np.inf)
    highest = slab.max(axis=axis, keepdims=True)
    flat = np.where(np.isfinite(highest), sign * highest, np.nan)
    title = f'{"highest" if sign > 0 else "lowest"} in {_SLAB_MM:.0f} mm'
    return scene.tile(Volume(flat, chi.voxel_size), plane, WIDE_CHI_PPM, index=0, title=title)


def _beyond(values: Array) -> str:
    """What lies outside of the window."""
    high, low = values > WIDE_CHI_PPM[1], values < WIDE_CHI_PPM[0]
    if not (high.any() or low.any()):
        return 'No voxel lies beyond the window.'
    told = [
        f'{int(found.sum())} {where} it (to {end:.2f} ppm)'.replace('-', '\N{MINUS SIGN}')
        for found, where, end in (
            (high, 'above', values.max(initial=0)),
            (low, 'below', values.min(initial=0)),
        )
        if found.any()
    ]
    return f'Voxels beyond the window: {" and ".join(told)}.'

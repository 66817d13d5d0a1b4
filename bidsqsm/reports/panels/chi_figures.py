"""Susceptibility in slices: through the nuclei, from end to end, and with veins and calcifications."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Mask
from bidsqsm.reports.drawing.figure import Bar, Pictures, Tile, draw
from bidsqsm.reports.drawing.planes import PLANES, Array, Volume
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import CHI_WINDOW_PPM
from bidsqsm.reports.panels.spec import PanelSpec

#: ppm: blood that gave up half of its oxygen has 0.45 in a vein along the field; small
#: calcifications have -0.2 to -0.5 once their voxels are shared with tissue.
WIDE_CHI_PPM = (-0.5, 0.5)
_SLAB_MM = 16.0
_ROWS = (('axial', 6), ('axial', 6), ('coronal', 6), ('sagittal', 5))
_MARGIN_SHARE = 0.1  # share of the brain at either end that is not shown


def draw_chi(scene: RunImages) -> bytes:
    """Three planes through the nuclei."""
    return scene.three('chi', CHI_WINDOW_PPM, 'ppm')


CHI_PANEL = PanelSpec(
    key='chi',
    step='reference',
    needs=('chi',),
    suffix='Chimap',
    title='Susceptibility',
    caption=(
        'Iron-rich nuclei and veins are bright (paramagnetic), calcium and myelin dark '
        '(diamagnetic). Nuclei darker than white matter would mean a phase of the wrong sign.'
    ),
    alt='Susceptibility map in three planes, from -0.1 to 0.1 ppm, of',
    draw=draw_chi,
)


def draw_levels(scene: RunImages) -> bytes:
    """Six axial slices, from the dentate nuclei upwards."""
    chi = scene.inside(scene.load('chi'))
    tiles = [scene.tile(chi, 'axial', CHI_WINDOW_PPM, index=level) for level in scene.look.levels]
    return draw([tiles[:3], tiles[3:]], [Bar(CHI_WINDOW_PPM, 'ppm')] * 2)


CHI_LEVELS_PANEL = PanelSpec(
    key='levels',
    step='reference',
    needs=('chi',),
    suffix='Chimap',
    title='Susceptibility, level by level',
    caption=(
        'From the cerebellum upwards: dentate nuclei, then substantia nigra and red nuclei, then '
        'pallidum, putamen and caudate. Streaks that leave a vein or a lesion are artefacts.'
    ),
    alt='Susceptibility map in six axial slices, from -0.1 to 0.1 ppm, of',
    draw=draw_levels,
)


def draw_mosaic(scene: RunImages) -> bytes:
    """Slices at equal distances through the whole brain, in three planes."""
    chi = scene.inside(scene.load('chi'))
    inside = np.isfinite(chi.values)
    rows = []
    for plane in dict(_ROWS):
        lengths = [length for name, length in _ROWS if name == plane]
        places = iter(_even_indices(inside, PLANES.index(plane), sum(lengths)))
        rows += [[(plane, next(places)) for _ in range(length)] for length in lengths]
    return draw([_mosaic_row(scene, chi, row) for row in rows], [Bar(CHI_WINDOW_PPM, 'ppm')])


CHI_MOSAIC_PANEL = PanelSpec(
    key='chimosaic',
    step='reference',
    needs=('chi',),
    suffix='Chimap',
    title='Susceptibility, from end to end',
    caption=(
        'Slices at equal distances: axial from the bottom up, coronal from back to front, '
        'sagittal from left to right. Contrast should be alike everywhere; look for streaks '
        'through many slices, bands near top and bottom, and a bright or dark rim.'
    ),
    alt='Susceptibility map in axial, coronal and sagittal slices, from -0.1 to 0.1 ppm, of',
    draw=draw_mosaic,
)


def _mosaic_row(scene: RunImages, chi: Volume, row: Sequence[tuple[str, int]]) -> list[Tile]:
    # letters once a row: the tiles are small
    none = {'sides': ('', '', '', '')}
    return [
        scene.tile(chi, plane, CHI_WINDOW_PPM, index=index, **(none if number else {}))
        for number, (plane, index) in enumerate(row)
    ]


def _even_indices(inside: Mask, axis: int, count: int) -> list[int]:
    """Indices at equal distances along an axis, from end to end of what is inside."""
    others = tuple(a for a in range(3) if a != axis)
    hit = np.flatnonzero(inside.any(axis=others))
    ends = (_MARGIN_SHARE, 1 - _MARGIN_SHARE)
    low, high = (hit[0] + share * (hit[-1] - hit[0]) for share in ends)
    return [int(index) for index in np.round(np.linspace(low, high, count))]


def draw_extremes(scene: RunImages) -> Pictures:
    """Highest and lowest susceptibility in slabs about the nuclei, in a wide window."""
    chi = scene.load('chi')
    inside = scene.region(chi)
    rows = [[_slab(scene, chi, inside, plane, sign) for plane in PLANES] for sign in (1.0, -1.0)]
    return Pictures(
        {'': draw(rows, [Bar(WIDE_CHI_PPM, 'ppm')] * 2)}, _outlier_counts(chi.values[inside])
    )


VESSELS_PANEL = PanelSpec(
    key='vessels',
    step='reference',
    needs=('chi',),
    suffix='Chimap',
    title='Veins and calcifications',
    caption=(
        'The susceptibility from -0.5 to 0.5 ppm, where neither veins nor small calcifications '
        'are cut off. Top: the highest value along the line of sight, which joins veins to '
        'lines; a bright spot that is part of none may be a microbleed. Bottom: the lowest; a '
        'dark spot is calcium. A dark halo about a bright spot, or the reverse, is an artefact.'
    ),
    alt='Highest and lowest susceptibility in slabs in three planes, from -0.5 to 0.5 ppm, of',
    draw=draw_extremes,
)


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


def _outlier_counts(values: Array) -> str:
    """What lies outside of the window."""
    high, low = values > WIDE_CHI_PPM[1], values < WIDE_CHI_PPM[0]
    if not (high.any() or low.any()):
        return 'No voxel lies beyond the window.'
    parts = [
        f'{int(mask.sum())} {where} it (to {end:.2f} ppm)'.replace('-', '\N{MINUS SIGN}')
        for mask, where, end in (
            (high, 'above', values.max(initial=0)),
            (low, 'below', values.min(initial=0)),
        )
        if mask.any()
    ]
    return f'Voxels beyond the window: {" and ".join(parts)}.'

"""Outlines of the regions of an atlas where the nuclei are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bidsqsm.atlases.structures import whole_of
from bidsqsm.reports.drawing.figure import Bar, Tile, draw
from bidsqsm.reports.drawing.planes import SIDES, Volume, plane_of
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.drawing.styles import CHI_WINDOW_PPM, OTHER_REGION_COLOUR, REGION_COLOURS
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.rois.region_table import read_table
from bidsqsm.rois.spelling import spelled

#: What is cut where it is largest, a level for each
_GROUPS = (
    ('dentate_nucleus',),
    ('substantia_nigra', 'red_nucleus', 'subthalamic_nucleus'),
    ('pallidum', 'putamen', 'thalamus'),
    ('caudate',),
)
_APART, _AROUND = 5.0, 12.0  # mm: between levels, around the regions


def draw_regions(scene: RunImages) -> bytes:
    """Draw the outlines on chi and on the magnitude; nothing where the run has no region."""
    labels = scene.load('roi_labels')
    regions = regions_in(labels, _structures(scene))
    if not regions:
        return b''
    levels = levels_of(regions, labels.voxel_size[2])
    box = _box(labels)
    rows, bars = [], []
    for base, limits, bar in _bases(scene):
        rows.append([_tile(base, limits, regions, level, box) for level in levels])
        bars.append(bar)
    visible = [name for name in regions if regions[name][..., levels].any()]
    return draw(
        rows,
        bars,
        [(spelled(name), REGION_COLOURS.get(name, OTHER_REGION_COLOUR)) for name in visible],
    )


REGIONS_PANEL = PanelSpec(
    key='regions',
    step='roi_refine',
    needs=('roi_labels',),
    suffix='dseg',
    title='Regions of the atlas',
    caption=(
        'Outlines on the susceptibility map, if there is one, and on the magnitude, from the '
        'cerebellum upwards; left and right have the same colour. They should follow the nuclei '
        'in every row. Outlines beside a nucleus, on both sides in the same direction, mean '
        'that the registration is off; then the values are those of something else.'
    ),
    alt='Outlines of deep gray matter nuclei on susceptibility and magnitude, axial, of',
    draw=draw_regions,
)


def regions_in(labels: Volume, structures: Mapping[int, str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks of the known structures that a label image has, and of all ``other regions``."""
    values = np.maximum(labels.values, 0).astype(np.int32)
    names = [*REGION_COLOURS, 'other regions']
    # the number of its name for each label, by which all voxels are sorted in one go
    number_of = np.full(int(values.max()) + 1, len(names) - 1, np.uint8)
    number_of[0] = len(names)
    for label, structure in structures.items():
        if 0 < label < number_of.size and structure in REGION_COLOURS:
            number_of[label] = names.index(structure)
    numbers = number_of[values]
    masks = {name: numbers == number for number, name in enumerate(names)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def levels_of(regions: Mapping[str, npt.NDArray[np.bool_]], thickness: float) -> list[int]:
    """Axial slices through the largest areas of the nuclei; spread over the rest where few are known.

    Parameters
    ----------
    regions
        Masks (nx, ny, nz).
    thickness
        Of a slice, in mm.

    """
    areas = {name: mask.sum(axis=(0, 1)) for name, mask in regions.items()}
    apart = max(1, round(_APART / thickness))
    free = np.ones(len(next(iter(areas.values()))), bool)
    levels: list[int] = []

    def take(level: int) -> None:
        levels.append(level)
        free[max(0, level - apart + 1) : level + apart] = False

    for group in _GROUPS:
        shares = [areas[name] / areas[name].max() for name in group if name in areas]
        if shares and (score := np.sum(shares, axis=0) * free).any():
            take(int(score.argmax()))
    if len(levels) < 3:
        labelled = np.flatnonzero(np.sum([*areas.values()], axis=0))
        for level in np.quantile(labelled, (0.375, 0.625, 0.125, 0.875), method='nearest'):
            if len(levels) < 4 and free[level]:
                take(int(level))
    return sorted(levels)


def _structures(scene: RunImages) -> dict[int, str]:
    """Structure of every value of the label image; parts count to the whole."""
    if 'roi_table' not in scene.products:
        return {}
    table = read_table(scene.products['roi_table'])
    return {
        int(index): whole_of(structure)
        for index, structure in zip(table['index'], table['structure'], strict=True)
    }


def _bases(scene: RunImages) -> list[tuple[Volume, tuple[float, float], Bar | None]]:
    bases: list[tuple[Volume, tuple[float, float], Bar | None]] = []
    if 'chi' in scene.products:
        bases.append((scene.inside(scene.load('chi')), CHI_WINDOW_PPM, Bar(CHI_WINDOW_PPM, 'ppm')))
    base = scene.magnitude()
    return [*bases, (base, scene.tissue_limits(base), None)]


def _box(labels: Volume) -> tuple[slice, slice, slice]:
    """What is worth showing: the regions and what lies around them."""
    inside = labels.values > 0
    sides = []
    for axis in (0, 1):
        hit = np.flatnonzero(inside.any(axis=(1 - axis, 2)))
        margin = round(_AROUND / labels.voxel_size[axis])
        sides.append(slice(max(0, int(hit[0]) - margin), int(hit[-1]) + margin + 1))
    return sides[0], sides[1], slice(0, inside.shape[2])


def _tile(
    base: Volume,
    limits: tuple[float, float],
    regions: Mapping[str, npt.NDArray[np.bool_]],
    level: int,
    box: tuple[slice, slice, slice],
) -> Tile:
    outlines = [
        (plane_of(mask, 'axial', level, box), REGION_COLOURS.get(name, OTHER_REGION_COLOUR))
        for name, mask in regions.items()
    ]
    image = base.plane('axial', level, box)
    return Tile(image, base.pixel('axial'), limits, SIDES['axial'], outlines=tuple(outlines[::-1]))

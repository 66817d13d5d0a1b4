"""Veins on projections of the susceptibility map."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Mask
from bidsqsm.qsm.oxygenation.vein_detection import core_of
from bidsqsm.reports.drawing.figure import Bar, draw
from bidsqsm.reports.drawing.planes import PLANES, Volume
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

_VEIN_WINDOW_PPM = (0.0, 0.4)  # ppm: from tissue to blood that gave up a third of its oxygen
_VEIN, _CORE = '#35c3ff', '#ffd23f'


def draw_veins(scene: RunImages) -> bytes:
    """Draw the highest susceptibility along each axis, with the veins and their core outlined."""
    chi, veins = scene.inside(scene.load('chi')), scene.load('vein_mask')
    values = np.nan_to_num(chi.values, nan=0.0)
    inside = veins.values > 0
    tiles = []
    for axis, plane in enumerate(PLANES):
        masks = [(_projection(mask, axis, chi), colour) for mask, colour in _outlines(inside)]
        index = scene.look.index(plane)
        outlines = tuple(
            (mask.plane(plane, index, scene.look.box) > 0, colour) for mask, colour in masks
        )
        tiles.append(
            scene.tile(_projection(values, axis, chi), plane, _VEIN_WINDOW_PPM, outlines=outlines)
        )
    return draw(
        [tiles], [Bar(_VEIN_WINDOW_PPM, 'ppm')], [('vein', _VEIN), ('core: blood alone', _CORE)]
    )


VEINS_PANEL = PanelSpec(
    key='veins',
    step='oxygenation',
    needs=('vein_mask',),
    suffix='mask',
    title='Veins',
    caption=(
        'Highest susceptibility along the line of sight, with the outline of what was taken for '
        'veins and of their core, whose voxels hold blood alone and tell the oxygen. Nuclei, '
        'microbleeds and streaks should lie outside. A vein along the edge of the mask may be cut '
        'by it, and its saturation too high.'
    ),
    alt='Projections of the susceptibility map with outlines of veins, in three planes, of',
    draw=draw_veins,
)


def _outlines(veins: Mask) -> list[tuple[Mask, str]]:
    return [(veins, _VEIN), (core_of(veins), _CORE)]


def _projection(values: npt.NDArray[Any], axis: int, like: Volume) -> Volume:
    """The highest value along an axis, in every plane across it."""
    highest = values.max(axis=axis, keepdims=True)
    return Volume(np.broadcast_to(highest, values.shape), like.voxel_size)

"""How the values of the maps are spread, as histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bidsqsm.reports.drawing.charts import axes_in
from bidsqsm.reports.drawing.figure import INK, as_png, figure_of
from bidsqsm.reports.drawing.planes import Array
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

_BINS = 120
_COLOUR, _LINE = '#56b4e9', '#e69f00'
_ROW_INCHES = 1.75  # inches: a row
_SHOWN_PERCENTILE = 99.5  # percentile of the sizes up to which values are shown


@dataclass(frozen=True)
class _MapAxis:
    """A map: what it is called, its unit, from ours to that, and whether it has both signs."""

    title: str
    unit: str
    scale: float
    signed: bool


_MAPS: Mapping[str, _MapAxis] = {
    'chi': _MapAxis('susceptibility', 'ppb', 1000, True),
    'local_field': _MapAxis('local field', 'ppb', 1000, True),
    'r2star': _MapAxis('R2*', '1/s', 1, False),
    'noise': _MapAxis('noise of the field', 'ppb', 1000, False),
}


def draw_histograms(scene: RunImages) -> bytes:
    """Draw the spread of every map that is there, inside the mask of the susceptibility."""
    samples = {key: _values(scene, key) for key in _MAPS if key in scene.products}
    samples = {key: values for key, values in samples.items() if values.size}
    if not samples:
        return b''
    rows = -(-len(samples) // 2)
    figure = figure_of(rows * _ROW_INCHES)
    for place, (key, values) in enumerate(samples.items()):
        axes = axes_in(figure, (rows, 2), divmod(place, 2))
        axis = _MAPS[key]
        limits = _limits(values, signed=axis.signed)
        heights, edges = np.histogram(values, _BINS, limits)
        axes.stairs(heights, edges, fill=True, color=_COLOUR)
        axes.set_yticks([])  # the shape is what tells
        middle = float(np.median(values))
        axes.axvline(middle, color=_LINE, linewidth=1)
        axes.set_xlim(*limits)
        axes.set_xlabel(f'{axis.title}, {axis.unit}', fontsize=8.5, color=INK, labelpad=2)
        axes.set_title(_summary(values, middle, axis.unit), fontsize=7.5, color=INK, pad=3)
    return as_png(figure, [_COLOUR, _LINE])


HISTOGRAMS_PANEL = PanelSpec(
    key='histograms',
    step='quality',
    needs=('chi', 'local_field', 'r2star', 'noise'),
    suffix='MEGRE',
    title='Histograms',
    caption=(
        'Voxels inside the mask of the susceptibility; the line is the median. Susceptibility '
        'should lie within some tens of ppb of zero, white matter below gray, with a thin tail '
        'of veins and nuclei to the right; the local field evenly to both sides of zero. Wide '
        'or lopsided ones tell of background or wraps, a second peak of the noise of a mask '
        'that is too large.'
    ),
    alt='Histograms of susceptibility, local field, R2* and noise inside the mask of',
    draw=draw_histograms,
)


def _values(scene: RunImages, key: str) -> Array:
    volume = scene.load(key)
    values = volume.values[scene.region(volume)] * _MAPS[key].scale
    return np.asarray(values[np.isfinite(values)])


def _limits(values: Array, *, signed: bool) -> tuple[float, float]:
    high = max(float(np.percentile(np.abs(values), _SHOWN_PERCENTILE)), 1e-6)
    return (-high if signed else 0.0, high)


def _summary(values: Array, middle: float, unit: str) -> str:
    low, high = np.percentile(values, (5, 95))
    text = f'median {middle:.3g} {unit}, 5 to 95 %: {low:.3g} to {high:.3g}'
    return text.replace('-', '\N{MINUS SIGN}')

"""Values of the regions: a chart with a box for every side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from bidsqsm.reports.drawing.figure import INK, as_png, figure_of
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec
from bidsqsm.rois.literature import RANGES, rank_of
from bidsqsm.rois.region_table import read_table
from bidsqsm.rois.regions import BOTH
from bidsqsm.rois.spelling import spelled, without_side

_CHART_ROWS = 40  # rows of a chart
_BOX = 0.3  # of a row: height of a box
_DIM, _BAND = '#a9b1bd', '#3a4350'
_ROW, _FOOT, _NAMES = 0.36, 0.85, 1.75  # inches: a row, below all rows, beside them
#: Of each side: colour, marker and place in the row
_SIDES: Mapping[str, tuple[str, str, str, float]] = {
    'L': ('left', '#56b4e9', 'o', -0.2),
    'R': ('right', '#e69f00', 'D', 0.2),
    '': ('middle', '#f2f4f7', 's', 0.0),
}


@dataclass
class ValueLine:
    """A row of the chart: a structure with its sides, which are rows of the table."""

    name: str
    structure: str
    sides: dict[str, pd.Series] = field(default_factory=dict)


def lines_of(table: pd.DataFrame) -> list[ValueLine]:
    """The sides of each structure together, published ones first, in the order of the table.

    Where one side has several labels of a structure, the row that combines them has its name
    and they have their own.
    """
    single = table[table['hemisphere'] != BOTH]
    last = {(row['structure'], row['hemisphere']): row['index'] for _, row in single.iterrows()}
    lines: dict[str, ValueLine] = {}
    for _, row in single.iterrows():
        side, structure = row['hemisphere'], row['structure']
        whole = structure and last[structure, side] == row['index']
        name = spelled(structure) if whole else without_side(row['name'])
        line = lines.setdefault(name, ValueLine(name, structure if whole else ''))
        if side in line.sides:
            line = lines.setdefault(row['name'], ValueLine(row['name'], ''))
        line.sides[side] = row
    return sorted(lines.values(), key=lambda line: rank_of(line.structure))


def draw_values(scene: RunImages) -> bytes:
    """Draw a box of the values of every region; nothing where none was measured."""
    lines = lines_of(read_table(scene.products['roi_table']))
    if not any(is_measured(row) for line in lines for row in line.sides.values()):
        return b''
    shown, more = lines[:_CHART_ROWS], len(lines) - _CHART_ROWS
    height = _ROW * len(shown) + _FOOT + 0.1
    figure = figure_of(height)
    wide = 1 - (_NAMES + 0.15) / figure.get_figwidth()
    left = _NAMES / figure.get_figwidth()
    axes = figure.add_axes((left, _FOOT / height, wide, _ROW * len(shown) / height))
    _style(axes, shown)
    for place, line in enumerate(shown):
        _draw_line(axes, place, line)
    below, above = axes.get_xlim()
    axes.set_xlim(below - 0.02 * (above - below), above)
    for place, line in enumerate(shown):
        _name_missing(axes, place, line)
    said = 'susceptibility relative to the whole brain, ppb'
    axes.set_xlabel(said + (f'; {more} more regions in the table' if more > 0 else ''))
    axes.xaxis.label.set(color=INK, fontsize=8.5)
    _legend(figure, shown)
    return as_png(figure, [_BAND, *(colour for _, colour, *_ in _SIDES.values())])


REGION_VALUES_PANEL = PanelSpec(
    key='values',
    step='roi_refine',
    needs=('roi_table',),
    suffix='dseg',
    title='Values of the regions',
    caption=(
        'Susceptibility relative to the whole brain: a box from the 25th to the 75th percentile '
        'of the voxels with a line at the median, whiskers from the 5th to the 95th, a mark for '
        'the mean; shaded, where means of healthy adults lie. Left and right should be much the '
        'same. A mean outside of the shade is a reason to look at the outlines above, or at the '
        'patient.'
    ),
    alt='Boxes of the susceptibility of each region, left and right, of',
    draw=draw_values,
)


def _style(axes: Any, lines: Sequence[ValueLine]) -> None:
    axes.set_facecolor('none')
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.tick_params(labelsize=8.5, labelcolor=INK, color=_DIM, length=2)
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x', color=_BAND, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.axvline(0, color=_DIM, linewidth=0.7)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_line(axes: Any, place: int, line: ValueLine) -> None:
    row = next(iter(line.sides.values()))
    low, high = 1000 * row['chi_range_low'], 1000 * row['chi_range_high']
    if math.isfinite(low):
        axes.add_patch(Rectangle((low, place - 0.44), high - low, 0.88, color=_BAND, linewidth=0))
        axes.update_datalim([(low, place), (high, place)])
    for side, row in line.sides.items():
        if is_measured(row):
            _draw_box(axes, place, row, side)
    axes.autoscale_view(scaley=False)


def _draw_box(axes: Any, place: int, row: pd.Series, side: str) -> None:
    _, colour, marker, beside = _SIDES[side]
    # all values relative to the whole brain, as the ranges are
    shift = row['mean_wholebrain'] - row['mean']
    names = ('p05', 'p25', 'median', 'p75', 'p95')
    p05, p25, median, p75, p95 = (1000 * (row[name] + shift) for name in names)
    y, half = place + beside, _BOX / 2
    for ends in ((p05, p25), (p75, p95)):
        axes.plot(ends, [y, y], color=colour, linewidth=1)
    for end in (p05, p95):
        axes.plot([end, end], [y - half / 2, y + half / 2], color=colour, linewidth=1)
    axes.add_patch(Rectangle((p25, y - half), p75 - p25, _BOX, facecolor='black', alpha=0.55))
    axes.add_patch(
        Rectangle((p25, y - half), p75 - p25, _BOX, fill=False, edgecolor=colour, linewidth=1)
    )
    axes.plot([median, median], [y - half, y + half], color=colour, linewidth=2)
    mean = 1000 * row['mean_wholebrain']
    axes.plot(
        [mean],
        [y],
        marker,
        color=colour,
        markersize=4,
        markeredgecolor='black',
        markeredgewidth=0.6,
    )


def _name_missing(axes: Any, place: int, line: ValueLine) -> None:
    missing = [_SIDES[side][0] for side, row in line.sides.items() if not is_measured(row)]
    if missing:
        which = '' if len(missing) == len(line.sides) else f'{" and ".join(missing)} '
        axes.text(
            axes.get_xlim()[1],
            place,
            f'{which}not measured',
            ha='right',
            va='center',
            fontsize=7.5,
            color=_DIM,
        )


def _legend(figure: Figure, lines: Sequence[ValueLine]) -> None:
    sides = {side for line in lines for side, row in line.sides.items() if is_measured(row)}
    entries: list[Any] = [
        Line2D([], [], color=colour, marker=marker, markersize=4.5, linewidth=1, label=name)
        for side, (name, colour, marker, _) in _SIDES.items()
        if side in sides
    ]
    if any(line.structure in RANGES for line in lines):
        entries.append(Patch(color=_BAND, label='published means of healthy adults'))
    figure.legend(
        handles=entries,
        loc='lower center',
        ncols=len(entries),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )


def is_measured(row: pd.Series) -> bool:
    """Whether a row of the table has a susceptibility."""
    return bool(np.isfinite(row['mean_wholebrain']))

"""The plot of vials of known concentrations and the line through them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from bidsqsm.qsm.concentration.vial_line import Line
from bidsqsm.rois.region_columns import MEASURED_MAPS

_DOT, _LINE = '#1f4e79', '#c0504d'
_WIDE, _TALL = 4.2, 3.6  # inches of a panel


def draw_calibration(
    table: pd.DataFrame, lines: Mapping[str, Line], substance: str, unit: str
) -> dict[str, bytes]:
    """Draw what was measured against what is known, a panel for each map.

    Parameters
    ----------
    table, lines
        Of :func:`bidsqsm.rois.vials.calibrate`.
    substance, unit
        What is in the vials, for the axis.

    Returns
    -------
    pictures
        The same plot as ``png`` and ``svg``; the bytes depend on the values alone.

    """
    figure = Figure(figsize=(_WIDE * len(lines), _TALL), dpi=150, layout='constrained')
    for place, (key, line) in enumerate(lines.items(), start=1):
        axes = figure.add_subplot(1, len(lines), place)
        _draw(axes, table, key, line)
        axes.set_xlabel(f'{substance}, {unit}')
    pictures = {}
    with rc_context({'svg.hashsalt': 'bidsqsm'}):
        for kind, about in (('png', {'Software': None}), ('svg', {'Date': None})):
            out = io.BytesIO()
            figure.savefig(out, format=kind, metadata=about)
            pictures[kind] = out.getvalue()
    return pictures


def _draw(axes: Any, table: pd.DataFrame, key: str, line: Line) -> None:
    x = table['concentration'].to_numpy(float)
    span = np.array([x.min(), x.max()])
    axes.plot(span, line.at(span), color=_LINE, linewidth=1.2)
    axes.errorbar(
        x,
        table[f'{key}_mean'],
        yerr=table[f'{key}_sd'],
        color=_DOT,
        linestyle='none',
        marker='o',
        markersize=4,
        elinewidth=0.8,
        capsize=2,
    )
    axes.set_ylabel(f'{MEASURED_MAPS[key].title}, {MEASURED_MAPS[key].units}')
    low, high = line.slope_interval
    said = f'slope {line.slope:.4g} ({low:.4g} to {high:.4g})\nR² {line.r2:.4f}, n = {line.n}'
    upwards = line.slope >= 0
    axes.text(
        0.03 if upwards else 0.97,
        0.97,
        said,
        transform=axes.transAxes,
        va='top',
        ha='left' if upwards else 'right',
        fontsize=8,
    )
    axes.margins(0.08, 0.15)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)

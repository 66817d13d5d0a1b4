"""Small charts on the dark ground of the pictures."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

GRID, DIM = '#3a4350', '#a9b1bd'
_LEFT, _RIGHT, _ABOVE, _BELOW = 0.5, 0.12, 0.24, 0.42  # inches: about a chart


def axes_in(figure: Figure, shape: tuple[int, int], place: tuple[int, int]) -> Any:
    """Make the axes of one chart of a table of charts.

    Parameters
    ----------
    figure
        Where to.
    shape
        Rows and columns of the table.
    place
        Row and column of this one, from the top left.

    """
    wide, tall = figure.get_size_inches()
    width, height = wide / shape[1], tall / shape[0]
    left = place[1] * width + _LEFT
    bottom = tall - (place[0] + 1) * height + _BELOW
    axes = figure.add_axes(
        (
            left / wide,
            bottom / tall,
            (width - _LEFT - _RIGHT) / wide,
            (height - _ABOVE - _BELOW) / tall,
        )
    )
    axes.set_facecolor('none')
    axes.tick_params(labelsize=7.5, labelcolor=DIM, color=DIM, length=2, pad=2)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == 'bottom')
        spine.set_color(DIM)
        spine.set_linewidth(0.7)
    return axes

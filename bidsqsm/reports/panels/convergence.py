"""How the iterations of a run came to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.reports.drawing.charts import axes_in
from bidsqsm.reports.drawing.figure import INK, as_png, figure_of
from bidsqsm.reports.drawing.run_images import RunImages
from bidsqsm.reports.panels.spec import PanelSpec

_CURVE, _TOLERANCE = '#56b4e9', '#e69f00'
_TALL, _ACROSS, _MOST = 1.9, 3, 9  # inches of a row, charts in it, charts in all


@dataclass(frozen=True)
class History:
    """What an iteration measured, after some of its steps at equal distances where it made many."""

    step: str
    solver: str
    iterations: int
    changes: tuple[float, ...]
    tolerance: float | None

    @property
    def places(self) -> npt.NDArray[np.floating]:
        """Numbers of the steps, from 1, after which it was measured."""
        return np.round(np.linspace(1, self.iterations, len(self.changes)))


def histories(decisions: RunFacts) -> Iterator[History]:
    """The iterations of all steps that kept what they measured."""
    for step, facts in decisions.items():
        for told in facts.convergence:
            changes = tuple(float(change) for change in told.changes or ())
            if len(changes) > 1 and told.iterations is not None:
                yield History(step, f'{told.solver}', told.iterations, changes, told.tolerance)


def draw_convergence(scene: RunImages) -> bytes:
    """Draw a curve for each iteration, on a logarithmic scale; nothing where none is known."""
    curves = [*histories(scene.decisions)][:_MOST]
    if not curves:
        return b''
    columns = min(_ACROSS, len(curves))
    rows = -(-len(curves) // columns)
    figure = figure_of(rows * _TALL)
    for place, history in enumerate(curves):
        _draw_one(figure, history, (rows, max(columns, 2)), divmod(place, columns))
    return as_png(figure, [_CURVE, _TOLERANCE])


CONVERGENCE_PANEL = PanelSpec(
    key='convergence',
    step='quality',
    needs=('decisions',),
    suffix='Chimap',
    title='Convergence',
    caption=(
        'What each iteration measured after every step, such as how far the map is from its limit, '
        'on a logarithmic scale; dashed, where it may stop. It should fall steadily and end at '
        'the dashed line; one that ends above it, or goes up and down, has not settled.'
    ),
    alt='Curves of the convergence of the iterations of',
    draw=draw_convergence,
)


def _draw_one(
    figure: Figure, history: History, shape: tuple[int, int], place: tuple[int, int]
) -> None:
    axes = axes_in(figure, shape, place)
    # a logarithm has no zero: what did not change at all is left out of the line
    changes = [change if change > 0 else float('nan') for change in history.changes]
    axes.semilogy(history.places, changes, color=_CURVE, linewidth=1.3)
    axes.plot(
        [history.iterations], [changes[-1]], 'o', color=_CURVE, markersize=3.5, clip_on=False
    )
    if history.tolerance:
        axes.axhline(history.tolerance, color=_TOLERANCE, linewidth=1, linestyle='--')
        axes.annotate(
            f'tolerance {history.tolerance:.2g}',
            (0.02, history.tolerance),
            xycoords=('axes fraction', 'data'),
            xytext=(0, -2),
            textcoords='offset points',
            ha='left',
            va='top',
            fontsize=7,
            color=_TOLERANCE,
        )
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, history.tolerance / 2), high)  # room for the words
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(1, history.iterations)
    axes.set_xlabel('iteration', fontsize=8, color=INK, labelpad=2)
    axes.set_title(f'{history.step}: {history.solver}', fontsize=8.5, color=INK, pad=4)

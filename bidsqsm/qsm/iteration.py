"""How an iterative solver stops, and how that becomes known."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

LOGGER = logging.getLogger(__name__)

#: Changes from which a rate can be read, those of the first steps being unlike the others
FEWEST_CHANGES = 10


@dataclass(frozen=True)
class Convergence:
    """Where an iteration stopped.

    Attributes
    ----------
    name
        The solver.
    changes
        What was measured after every iteration, e.g. how far the map still has to go.
    tol
        The value of the measure at which the iteration may stop; None where the number of
        iterations is part of the method.

    """

    name: str
    changes: tuple[float, ...]
    tol: float | None

    @property
    def iterations(self) -> int:
        """Number of iterations that were made."""
        return len(self.changes)

    @property
    def converged(self) -> bool:
        """Whether the iteration came as far as it was meant to."""
        return self.tol is None or (bool(self.changes) and self.changes[-1] <= self.tol)

    @property
    def sentence(self) -> str:
        """What to tell the user."""
        if self.tol is None:
            return f'{self.name} made its {self.iterations} iterations.'
        last = f'{self.changes[-1]:.1e}' if self.changes else 'nothing measured'
        state = 'converged' if self.converged else 'did not converge'
        return (
            f'{self.name} {state}: it stopped after {self.iterations} iterations at {last}, '
            f'with a tolerance of {self.tol:.1e}.'
        )


_ENDINGS: ContextVar[list[Convergence] | None] = ContextVar('endings', default=None)


@contextmanager
def watched() -> Iterator[list[Convergence]]:
    """Collect the endings of all iterations in this block."""
    endings: list[Convergence] = []
    token = _ENDINGS.set(endings)
    try:
        yield endings
    finally:
        _ENDINGS.reset(token)


def ended(ending: Convergence) -> None:
    """Make an ending known to the log and to whoever watches."""
    LOGGER.info('%s', ending.sentence)
    if (endings := _ENDINGS.get()) is not None:
        endings.append(ending)


def iterate(
    step: Callable[[], float], *, name: str, tol: float | None, max_iter: int, least: int = 1
) -> Convergence:
    """Repeat a step until what it returns has fallen to a tolerance.

    Parameters
    ----------
    step
        Does one iteration and returns its measure, e.g. the relative change of the map.
    name
        The solver, for the log and the sidecar.
    tol
        Value of the measure at which to stop; None to make ``max_iter`` iterations by design.
    max_iter
        Iterations after which to stop regardless.
    least
        Iterations to make at least, where the first measures mean little.

    Raises
    ------
    ValueError
        If the measure becomes NaN or infinite: the iteration diverged and has no result.

    Examples
    --------
    >>> changes = iter([1.0, 0.1, 0.01, 0.001])
    >>> ending = iterate(lambda: next(changes), name='example', tol=0.05, max_iter=100)
    >>> ending.iterations, ending.converged
    (3, True)

    """
    changes: list[float] = []
    enough = -1.0 if tol is None else tol
    while len(changes) < max_iter and not (len(changes) >= least and changes[-1] <= enough):
        changes.append(step())
        if not math.isfinite(changes[-1]):
            raise ValueError(
                f'{name} diverged after {len(changes)} iterations: check the field and its mask '
                'for wild values, or take another weight or step'
            )
    ending = Convergence(name, tuple(changes), tol)
    ended(ending)
    return ending


def settle(
    step: Callable[[], float],
    *,
    name: str,
    tol: float,
    max_iter: int,
    least: int = FEWEST_CHANGES,
) -> Convergence:
    """Repeat a step until what it works on has come near to where the iteration leads.

    A small change says little of an iteration that is slow: it may go on for long. So the measure is
    :func:`distance_left`, a change times the number of such changes that are still to come.

    Parameters
    ----------
    step
        Does one iteration and returns the relative change that it made.
    name
        The solver, for the log and the sidecar.
    tol
        Relative distance to the limit of the iteration at which to stop.
    max_iter
        Iterations after which to stop regardless.
    least
        Iterations to make at least.

    Examples
    --------
    >>> maps = [1 - 0.9**n for n in range(200)]  # they come to 1
    >>> steps = iter(range(1, 200))
    >>> def change():
    ...     n = next(steps)
    ...     return (maps[n] - maps[n - 1]) / maps[n]
    >>> ending = settle(change, name='example', tol=0.01, max_iter=100)
    >>> round(1 - maps[ending.iterations], 3)
    0.01

    """
    changes: list[float] = []

    def left() -> float:
        changes.append(step())
        return distance_left(changes)

    return iterate(left, name=name, tol=tol, max_iter=max_iter, least=least)


def distance_left(changes: Sequence[float]) -> float:
    """How far an iteration is from its limit, from how its changes fall.

    The last half of them is taken for a geometric sequence c r^n, after the last of which
    c r / (1 - r) is still to come. Where they fall like a power of n the rate comes closer to
    one as n grows, and the sum is still of the right size. A rate cannot be told from one better
    than the number of changes allows.

    Examples
    --------
    >>> round(distance_left([0.5**n for n in range(1, 21)]) / 0.5**20, 3)
    1.0

    """
    count = len(changes)
    if changes[-1] == 0:
        return 0.0
    recent = np.asarray(changes[min(count // 2, max(count - FEWEST_CHANGES, 0)) :])
    # a straight line through the logarithms: changes of an iteration that overshoots go up and down
    places = np.arange(recent.size) - (recent.size - 1) / 2
    logarithms = np.log(np.maximum(recent, 1e-30))
    slope = places @ logarithms / max(places @ places, 1e-30)
    rate = min(float(np.exp(slope)), 1 - 1 / (4 * count))
    last = float(np.exp(logarithms.mean() + slope * places[-1]))
    return last * rate / (1 - rate)

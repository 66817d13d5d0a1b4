"""How an iterative solver stops, and how that becomes known."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Convergence:
    """Where an iteration stopped.

    Attributes
    ----------
    name
        The solver.
    changes
        What was measured after every iteration, e.g. the relative change of the map.
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

"""What a person sees while runs are processed: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from bidsqsm.cli.terminal import say
from bidsqsm.files.plain_text import escaped
from bidsqsm.steps import words_of_node

LOGGER = logging.getLogger('bidsqsm.progress')


class Progress:
    """Follows the nodes of all runs; every event also goes to the log.

    Parameters
    ----------
    nodes
        Number of nodes of each run.

    """

    def __init__(self, nodes: Mapping[str, int]) -> None:
        self._left = dict(nodes)
        self._total = sum(nodes.values())
        self._done = 0
        self._running: dict[tuple[str, str], float] = {}
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task('starting', total=self._total, runs=self._runs())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, run: str, node: str) -> None:
        """Tell that a node of a run has started."""
        self._running[run, node] = time.monotonic()
        LOGGER.info('%s: %s started', run, words_of_node(node))
        self._show()

    def end(self, run: str, node: str) -> None:
        """Tell that a node ended well, or did not need to run again."""
        since = self._running.pop((run, node), None)
        took = 'reused' if since is None else f'done in {time.monotonic() - since:.1f} s'
        LOGGER.info('%s: %s %s', run, words_of_node(node), took)
        open_before = self._left.get(run, 0) > 0
        self._count(run, 1)
        if open_before and self._left[run] == 0:
            self.tell(f'{run} ok ({self._runs()})')

    def fail(self, run: str, status: str, reason: str) -> None:
        """Tell that a run ends here, as ``failed`` or ``skipped``."""
        for key in [key for key in self._running if key[0] == run]:
            del self._running[key]
        self._count(run, self._left.get(run, 0))
        self.tell(f'{run} {status}: {reason} ({self._runs()})', logging.ERROR)

    def tell(self, text: str, level: int = logging.INFO) -> None:
        """Print a line that stays, and log it."""
        text = escaped(text)
        LOGGER.log(level, '%s', text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            say(f'{time.strftime("%H:%M:%S")} {text}')

    def _count(self, run: str, nodes: int) -> None:
        nodes = min(nodes, self._left.get(run, 0))  # a failed run may still have a branch going
        self._left[run] = self._left.get(run, 0) - nodes
        self._done += nodes
        self._show()

    def _runs(self) -> str:
        finished = sum(left == 0 for left in self._left.values())
        return f'{finished} of {len(self._left)} runs'

    def _show(self) -> None:
        if self._bar is None:
            return
        now = escaped(
            ', '.join(f'{run} {words_of_node(node)}' for run, node in list(self._running)[-2:])
        )
        self._bar.update(
            self._task, completed=self._done, description=now or 'waiting', runs=self._runs()
        )


def _bar() -> Any:
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    return Bar(
        BarColumn(bar_width=30),
        TextColumn('{task.percentage:3.0f}%'),
        TextColumn('{task.fields[runs]}'),
        TimeElapsedColumn(),
        TextColumn('{task.description}', markup=False),
        transient=True,
    )

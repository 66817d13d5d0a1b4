"""How each run ended, as a file and as the last line and exit code of the app."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bidsqsm import __version__
from bidsqsm.cohort.run_files import FAILED, OK, SKIPPED, STATUS
from bidsqsm.files.json_files import write_json

_LIBRARIES = ('nipype', 'numpy', 'scipy', 'numba', 'nibabel', 'pybids', 'matplotlib')


@dataclass
class Status:
    """How a run ended.

    Parameters
    ----------
    name
        Name of the run, such as ``sub-01_run-1``.
    status
        ``ok``, ``failed`` (the program or the machine) or ``skipped`` (the data).
    reason
        One sentence; None where all went well.
    warnings
        What to look at although all went well.
    seconds
        Time that its steps took, those that were reused not counted.
    crash
        File with the traceback, if there is one.
    warned_by
        The workflow of the run, such as ``sign_wf``, that each warning came from; those that
        came with the input are not in it.

    """

    name: str
    status: str = OK
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    crash: str | None = None
    warned_by: dict[str, str] = field(default_factory=dict)

    def warn(self, warnings: Iterable[str], workflow: str) -> None:
        """Book what a workflow of the run warned of."""
        for text in warnings:
            if text not in self.warnings:
                self.warnings.append(text)
                self.warned_by[text] = workflow

    def fail(self, reason: str) -> None:
        """Book a failure, unless there was an earlier one, which is the cause."""
        if self.status == OK:
            self.status, self.reason = FAILED, reason

    def content(self, command: str) -> dict[str, object]:
        """What the status file and the report tell."""
        return {**asdict(self), 'versions': versions(), 'command': command}

    def write(self, folder: Path, command: str) -> Path:
        """Write the status as JSON, whole or not at all."""
        return write_json(folder / f'{self.name}{STATUS}', self.content(command))


@cache
def versions() -> dict[str, str]:
    """Versions of the app, of Python and of the libraries that results depend on."""
    found = {'bidsqsm': __version__, 'python': platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = 'unknown'
    return found


def outcome(statuses: Sequence[Status], seconds: float = 0.0) -> tuple[str, int]:
    """Last line and exit code of a call, from how its runs ended.

    A skipped run was asked for and not made, and counts as a failure.

    Examples
    --------
    >>> outcome([Status('sub-01'), Status('sub-02')], 75)
    ('bidsqsm finished: 2 runs ok (1 min 15 s)', 0)
    >>> outcome([Status('sub-01'), Status('sub-02', SKIPPED, 'no phase')])
    ('bidsqsm failed: 1 run ok, 1 skipped; sub-02: no phase', 1)

    """
    ok, failed, skipped = (
        [s for s in statuses if s.status == kind] for kind in (OK, FAILED, SKIPPED)
    )
    count = f'{len(ok)} run{"" if len(ok) == 1 else "s"} ok'
    if statuses and len(ok) == len(statuses):
        return f'bidsqsm finished: {count} ({duration(seconds)})', 0
    parts = [count]
    parts += [f'{len(failed)} failed'] if failed else []
    parts += [f'{len(skipped)} skipped'] if skipped else []
    first = [*failed, *skipped][:1]
    why = ''.join(f'; {status.name}: {status.reason}' for status in first)
    return f'bidsqsm failed: {", ".join(parts)}{why}', 1


def cohort_outcome(states: Sequence[str], flagged: int, page: Path, seconds: float = 0.0) -> str:
    """Last line of a call at the level ``group``, from how the runs ended.

    Examples
    --------
    >>> cohort_outcome(['ok', 'ok', 'failed'], 1, Path('out/group.html'), 2)
    'bidsqsm finished: 2 runs of 3 in the cohort ok, 1 failed; 1 to look at: out/group.html (2 s)'

    """
    counts = Counter(states)
    others = ''.join(f', {n} {state}' for state, n in sorted(counts.items()) if state != OK)
    return (
        f'bidsqsm finished: {counts[OK]} run{"" if counts[OK] == 1 else "s"} of {len(states)} in the '
        f'cohort ok{others}; {flagged} to look at: {page} ({duration(seconds)})'
    )


def duration(seconds: float) -> str:
    """Time in words.

    Examples
    --------
    >>> duration(42.4), duration(3700)
    ('42 s', '1 h 1 min')

    """
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return f'{whole // 3600} h {whole % 3600 // 60} min'

"""The BIDS validator, run over the input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bidsqsm.errors import DatasetError

PROGRAM = 'bids-validator-deno'


class Issue(NamedTuple):
    """One error of the validator: its code and the file it is about, from the dataset's root."""

    code: str
    location: str


def find_validator() -> Path | None:
    """The validator beside this Python or on the path."""
    beside = Path(sys.executable).parent / PROGRAM
    found = str(beside) if beside.is_file() else shutil.which(PROGRAM)
    return Path(found) if found else None


def validation_errors(bids_dir: Path, program: Path) -> list[Issue]:
    """Run the validator and return its errors; it reads the dataset and writes nothing there.

    Raises
    ------
    DatasetError
        Where the validator itself fails.

    """
    command = [str(program), str(bids_dir), '--format', 'json', '--ignoreWarnings']
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        found = json.loads(done.stdout)['issues']['issues']
    except (ValueError, KeyError, TypeError):
        words = ' '.join(done.stderr.split())[-200:] or f'exit code {done.returncode}'
        raise DatasetError(
            f'the BIDS validator {program} ended without a result ({words}): mend it, or go on '
            'with --skip-bids-validation'
        ) from None
    return [_issue(entry) for entry in found if entry.get('severity') == 'error']


def refuse(
    errors: Sequence[Issue], subjects: Iterable[str], skipped: Iterable[str]
) -> list[Issue]:
    """Drop the errors that do not concern the call, and stop at the others.

    Parameters
    ----------
    errors
        Of the whole dataset.
    subjects
        Labels of the subjects that are processed; others do not matter.
    skipped
        Names of runs that are skipped with a reason of their own; what is wrong with their
        files is told there, and must not keep the others from being processed.

    Returns
    -------
    The errors that were dropped.

    Raises
    ------
    DatasetError
        With the kinds of errors that are left, how often each was found, and where first.

    """
    wanted, passed = {f'sub-{label}' for label in subjects}, tuple(skipped)
    dropped = [e for e in errors if _is_elsewhere(e.location, wanted, passed)]
    left = [e for e in errors if e not in dropped]
    if left:
        counts = Counter(error.code for error in left)
        first = {error.code: error.location for error in reversed(left)}
        kinds = ', '.join(f'{c} ({n}, first {first[c]})' for c, n in counts.most_common(5))
        raise DatasetError(
            f'the BIDS validator found {len(left)} error{"s" * (len(left) > 1)}: {kinds}; mend '
            'the dataset, or go on with --skip-bids-validation'
        )
    return dropped


def _is_elsewhere(location: str, wanted: set[str], skipped: tuple[str, ...]) -> bool:
    parts = location.strip('/').split('/')
    if not parts[0].startswith('sub-'):
        return False
    if parts[0] not in wanted:
        return True
    name = parts[-1]
    return any(name == run or name.startswith(f'{run}_') for run in skipped)


def _issue(entry: dict[str, Any]) -> Issue:
    code = ' '.join(filter(None, [entry.get('code'), entry.get('subCode')]))
    return Issue(code or 'error', str(entry.get('location') or 'dataset'))

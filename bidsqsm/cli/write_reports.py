"""Reports of all subjects, several at a time, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing as mp
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bidsqsm.executor import Failure, FailureKind, describe, end_with_the_app, forget_handlers
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import write_subject_report

LOGGER = logging.getLogger(__name__)

#: Times that a report is begun whose process is killed
TRIES = 2


@dataclass
class _Report:
    subject: str
    process: Any
    inbox: Connection


def write_reports(
    output_dir: Path,
    records: Mapping[str, Sequence[RunRecord]],
    processes: int,
    done: Callable[[str, str | None], None],
) -> None:
    """Write the report of every subject; one that fails, or is killed, takes no other with it.

    Parameters
    ----------
    output_dir
        Root of the derivative dataset.
    records
        The runs of each subject, by its label.
    processes
        How many reports at a time.
    done
        Called with the label of each subject as its report ends, and with the reason if there
        is none; the other subjects go on.

    """
    waiting = [*records]
    tries = dict.fromkeys(records, 0)
    busy: dict[Connection, _Report] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < max(1, processes):
                subject = waiting.pop(0)
                tries[subject] += 1
                report = _begin(output_dir, subject, records[subject])
                busy[report.inbox] = report
            ready = wait([*busy])
            for inbox in [one for one in busy if one in ready]:
                report = busy.pop(inbox)
                failure = _outcome(report)
                killed = failure is not None and failure.kind is FailureKind.KILLED
                if killed and tries[report.subject] < TRIES:
                    waiting.append(report.subject)
                    continue
                done(report.subject, None if failure is None else _sentence(failure, output_dir))
    finally:
        for report in busy.values():
            report.process.kill()
            report.process.join()


def _begin(output_dir: Path, subject: str, records: Sequence[RunRecord]) -> _Report:
    context = mp.get_context('forkserver')
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(
        target=_write, args=(output_dir, subject, records, outbox), daemon=True
    )
    process.start()
    outbox.close()  # so that the end of the process is seen as the end of the pipe
    return _Report(subject, process, inbox)


def _write(
    output_dir: Path, subject: str, records: Sequence[RunRecord], outbox: Connection
) -> None:
    end_with_the_app()
    forget_handlers()
    failure = None
    try:
        write_subject_report(output_dir, subject, records)
    except Exception as error:  # noqa: BLE001 - every failure is one of this report alone
        failure = describe(error)
    outbox.send(failure)


def _outcome(report: _Report) -> Failure | None:
    """Why a report ended without its page, None where it did not."""
    try:
        failure: Failure | None = report.inbox.recv()
    except EOFError:
        report.process.join()
        code = report.process.exitcode
        how = f'was killed by signal {-code}' if code and code < 0 else f'ended with code {code}'
        failure = Failure(FailureKind.KILLED, f'its process {how}')
    report.process.join()
    report.inbox.close()
    if failure is not None:
        LOGGER.error('report of sub-%s: %s\n%s', report.subject, failure.message, failure.details)
    return failure


def _sentence(failure: Failure, output_dir: Path) -> str:
    if failure.kind is FailureKind.DISK:
        return f'{failure.message} in {output_dir}: free space or choose another'
    if failure.kind in {FailureKind.KILLED, FailureKind.MEMORY}:
        return (
            f'{failure.message}; write it alone by the same command with --reports-only --nprocs 1'
        )
    return failure.message

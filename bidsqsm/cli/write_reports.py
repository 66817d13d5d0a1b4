"""Reports of all subjects, several at a time, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing as mp
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bidsqsm.executor import FailureKind, describe, forget_handlers
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.reports.subject.subject_page import write_subject_report

LOGGER = logging.getLogger(__name__)


def write_reports(
    output_dir: Path,
    records: Mapping[str, Sequence[RunRecord]],
    processes: int,
    done: Callable[[str, str | None], None],
) -> None:
    """Write the report of every subject.

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
    context = mp.get_context('forkserver')
    count = max(1, min(processes, len(records)))
    with ProcessPoolExecutor(count, context, initializer=forget_handlers) as pool:
        jobs = {
            pool.submit(write_subject_report, output_dir, subject, own): subject
            for subject, own in records.items()
        }
        try:
            for job in as_completed(jobs):
                error = job.exception()
                if error is not None:
                    LOGGER.error('report of sub-%s', jobs[job], exc_info=error)
                done(jobs[job], None if error is None else _sentence(error, output_dir))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _sentence(error: BaseException, output_dir: Path) -> str:
    failure = describe(error)
    if failure.kind is FailureKind.DISK:
        return f'{failure.message} in {output_dir}: free space or choose another'
    return failure.message

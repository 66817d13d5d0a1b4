"""Runs the nodes of a Nipype graph, each in a process of its own.

A process per node gives back all memory when the node ends, tells what it used, and when the
kernel kills it for memory, says which node that was. The processes are forked off a server that
has the heavy modules loaded, so that one costs milliseconds.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import multiprocessing as mp
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

from nipype.pipeline.plugins.multiproc import MultiProcPlugin

from bidsqsm.errors import DatasetError
from bidsqsm.stored_results import keep_account, remove_unusable

#: imported once by the server that the processes of the nodes are forked from
PRELOAD = (__name__, 'numba', 'scipy.fft', 'scipy.ndimage')

# what a full, read-only or forbidden disk answers
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO}


class FailureKind(StrEnum):
    """What is at fault where a node ends without its result."""

    DATASET = 'dataset'
    MEMORY = 'memory'
    #: The process was ended by the kernel or a person.
    KILLED = 'killed'
    DISK = 'disk'
    ERROR = 'error'


@dataclass(frozen=True)
class Failure:
    """Why a node ended without its result.

    Parameters
    ----------
    kind
        What is at fault.
    message
        One sentence.
    details
        Traceback, empty where the process was killed.

    """

    kind: FailureKind
    message: str
    details: str = ''


@dataclass(frozen=True)
class Usage:
    """What a node took: wall and processor seconds, peak memory in GB."""

    seconds: float
    cpu_seconds: float
    peak_gb: float


@dataclass
class _Task:
    node: Any
    process: Any
    inbox: Connection
    started: float


class ProcessPerNodePlugin(MultiProcPlugin):
    """Nipype's MultiProc scheduling with one process for each node.

    Of its ``plugin_args``, ``on_failure(node, failure)`` returns the path of a crash file,
    ``on_end(node, usage)`` is told what a node used, ``on_damage(node, trouble)`` what is wrong with
    the finished result of a node, which is then run again, and ``preload`` lists modules that its
    nodes need, to be loaded once for all. With ``check_contents``, finished results count only if
    every file that they were made from and consist of still holds the same.
    """

    pool: Any  # Nipype's, of processes that are shared
    _taskid: int  # of the last job, counted by Nipype

    def __init__(self, plugin_args: dict[str, Any]) -> None:
        super().__init__(plugin_args={'raise_insufficient': False, **plugin_args})
        self._on_failure: Callable[[Any, Failure], str] = plugin_args['on_failure']
        self._on_end: Callable[[Any, Usage], None] = plugin_args['on_end']
        self._on_damage: Callable[[Any, str], None] = plugin_args['on_damage']
        self._check_contents: bool = plugin_args.get('check_contents', False)
        self._tasks: dict[int, _Task] = {}
        self.pool.shutdown()  # this class has no use for it
        self.pool = None
        self._context = mp.get_context('forkserver')
        self._context.set_forkserver_preload([*PRELOAD, *plugin_args.get('preload', ())])
        _start_server()

    def run(self, graph: Any, config: Any, updatehash: bool = False) -> None:
        """Run the graph; whatever ends it, no process is left behind."""
        # Nipype collects garbage before each node: spare it the modules
        gc.freeze()
        try:
            super().run(graph, config, updatehash=updatehash)
        finally:
            gc.unfreeze()
            for task in self._tasks.values():
                task.process.kill()
                task.process.join()
            self._tasks.clear()

    def _postrun_check(self) -> None:
        """Nothing is open: a process ends with its node."""

    def _local_hash_check(self, jobid: int, graph: Any) -> bool:
        """Whether a node is finished; a result that is damaged is removed, and it is not."""
        remove_unusable(self.procs[jobid], self._on_damage, contents=self._check_contents)
        return bool(super()._local_hash_check(jobid, graph))

    def _submit_job(self, node: Any, updatehash: bool = False) -> int:
        self._taskid += 1
        inbox, outbox = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_run_node,
            args=(node, updatehash, outbox, _levels()),
            daemon=True,
        )
        process.start()
        outbox.close()  # so that the end of the process is seen as the end of the pipe
        self._tasks[self._taskid] = _Task(node, process, inbox, time.monotonic())
        return self._taskid

    def _get_result(self, taskid: int) -> dict[str, Any] | None:
        """Look whether a node has ended, passing on what it logged meanwhile."""
        task = self._tasks[taskid]
        try:
            while task.inbox.poll():
                message = task.inbox.recv()
                if isinstance(message, logging.LogRecord):
                    logging.getLogger(message.name).handle(message)
                else:
                    return self._ended(task, message)
        except EOFError:
            task.process.join()
            return self._ended(task, _killed(task))
        return None

    def _ended(self, task: _Task, outcome: Failure | Usage) -> dict[str, Any]:
        task.process.join()
        if isinstance(outcome, Usage):
            self._on_end(task.node, outcome)
        failed = outcome if isinstance(outcome, Failure) else None
        text = failed and (failed.details or failed.message)
        return {'result': None, 'traceback': text, 'failure': failed}

    def _clear_task(self, taskid: int) -> None:
        self._tasks.pop(taskid).inbox.close()

    def _report_crash(self, node: Any, result: dict[str, Any] | None = None) -> str:
        text = ''.join((result or {}).get('traceback') or '')
        failure = (result or {}).get('failure') or Failure(
            FailureKind.ERROR, _last_line(text), text
        )
        return self._on_failure(node, failure)

    def _send_procs_to_workers(self, updatehash: bool = False, graph: Any = None) -> None:
        super()._send_procs_to_workers(updatehash=updatehash, graph=graph)
        # sleep until a node has something to tell, in place of Nipype's polling
        wait([task.inbox for task in self._tasks.values()], timeout=1.0)


def _start_server() -> None:
    """Start the server of processes deaf to Ctrl-C, which is for the parent to act upon.

    It loads what this process has loaded, and not a package of the same name in the current folder.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = dict(os.environ)
    os.environ.update(PYTHONSAFEPATH='1', PYTHONPATH=os.pathsep.join(sys.path))
    try:
        forkserver.ensure_running()
    finally:
        for name in ('PYTHONSAFEPATH', 'PYTHONPATH'):
            os.environ.pop(name)
            os.environ.update({name: environment[name]} if name in environment else {})
        signal.signal(signal.SIGINT, before)


def _run_node(node: Any, updatehash: bool, outbox: Connection, levels: dict[str, int]) -> None:
    """Run a node in its process; send its log records, then a Failure or its Usage."""
    end_with_the_app()
    # numba would make a lock to share with forks, left behind if this process is killed
    mp.set_start_method('spawn', force=True)
    _log_into(outbox, levels)
    # compiled libraries print what no one asked for
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    started = time.monotonic()
    try:
        node.run(updatehash=updatehash)
        keep_account(node)
    except Exception as error:  # noqa: BLE001 - every failure is one of this node alone
        _tell(outbox, describe(error))
        os._exit(1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    _tell(outbox, Usage(time.monotonic() - started, cpu_seconds, used.ru_maxrss / 2**20))
    os._exit(0)  # nothing to tidy up, and it takes a while


def _tell(outbox: Connection, message: Any) -> None:
    try:
        outbox.send(message)
    except BrokenPipeError:  # the parent is gone, and what is computed here is of no use
        os._exit(1)


def end_with_the_app() -> None:
    """End this process if the app dies, however it dies.

    The server ends with the app, and the kernel (of Linux) kills this process with the server; elsewhere, and
    where the server died before it could be asked, a thread waits for the end of the app.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    app = mp.parent_process()
    if app is not None:
        threading.Thread(target=_end_after, args=(app,), daemon=True).start()


def _end_after(process: Any) -> None:
    process.join()
    os._exit(1)


class _PipeHandler(logging.Handler):
    """Sends records to the parent, with their text made and nothing that cannot be pickled."""

    def __init__(self, outbox: Connection) -> None:
        super().__init__()
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        record.exc_info = record.exc_text = record.stack_info = None
        _tell(self._outbox, record)


def _levels() -> dict[str, int]:
    """Levels of the loggers that have one in this process; '' is the root."""
    known = {'': logging.getLogger().level}
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and logger.level:
            known[name] = logger.level
    return known


def forget_handlers() -> None:
    """Keep the libraries of a new process from writing to the terminal; Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ['', *logging.root.manager.loggerDict]:
        logging.getLogger(name).handlers.clear()
    logging.getLogger().addHandler(logging.NullHandler())
    logging.captureWarnings(True)


def _log_into(outbox: Connection, levels: dict[str, int]) -> None:
    forget_handlers()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(_PipeHandler(outbox))


def describe(error: BaseException) -> Failure:
    """Sort an exception by who can mend it, with one sentence for the person who runs the app."""
    details = ''.join(traceback.format_exception(error))
    message = ' '.join(str(error).split())
    if isinstance(error, DatasetError):
        return Failure(FailureKind.DATASET, message, details)
    if isinstance(error, MemoryError):
        said = f'memory ran out ({message or "no more could be had"})'
        return Failure(FailureKind.MEMORY, said, details)
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f'{error.filename}: ' if error.filename else ''
        return Failure(FailureKind.DISK, f'{where}{error.strerror}', details)
    return Failure(FailureKind.ERROR, f'{type(error).__name__}: {message}', details)


def _killed(task: _Task) -> Failure:
    code = task.process.exitcode
    seconds = time.monotonic() - task.started
    if code is not None and code < 0:
        how = f'was killed by signal {-code} ({signal.Signals(-code).name})'
    else:
        how = f'ended without a word (exit code {code})'
    return Failure(FailureKind.KILLED, f'the process {how} after {seconds:.0f} s')


def _last_line(text: str) -> str:
    return text.strip().rsplit('\n', 1)[-1]


def limit_threads(count: int) -> None:
    """Let the processes of the nodes start with this many threads for numba, OpenMP and BLAS."""
    for name in ('NUMBA_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = str(count)

"""Claims on parts of a folder: who works there, seen by other processes and other machines.

A claim is a file of the process that makes it, which holds the kernel's lock on it. That lock ends
with the process, however it ends, and is all that counts on one machine. Disks of clusters may
have no such locks, or locks that other machines do not see; for them, a claim says whose it is, and
its time is a sign of life.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

#: Seconds between two signs of life.
BEAT_S = 20.0
#: Seconds without a sign of life after which a process on another machine counts as gone.
SILENCE_S = 300.0
_POLL_S = 1.0
_GUARD = 'guard'
_NAMES_IN_WORDS = 3


class InUseError(RuntimeError):
    """Another process has a claim; the sentence says which."""


@dataclass(frozen=True)
class Holder:
    """Who has a claim.

    Parameters
    ----------
    host
        Name of its machine.
    pid
        Number of the process.
    process_start
        When the process started, in the kernel's own count, which tells it from a later process
        of the same number; '' where the kernel does not say.
    since
        When it made the claim, local time.
    boot, namespace
        Of its machine, where the kernel tells: which start of it, and which numbering of processes.

    """

    host: str
    pid: int
    process_start: str
    since: str
    boot: str
    namespace: str

    @classmethod
    def me(cls) -> Holder:
        """Describe this process."""
        return cls(
            host=socket.gethostname(),
            pid=os.getpid(),
            process_start=_process_start(os.getpid()),
            since=time.strftime('%Y-%m-%d %H:%M:%S %Z'),
            boot=_read('/proc/sys/kernel/random/boot_id'),
            namespace=_namespace(),
        )

    def is_gone(self, silent_s: float, *, unlocked: bool) -> bool:
        """Whether it has ended.

        Parameters
        ----------
        silent_s
            Seconds since its last sign of life.
        unlocked
            Whether the disk has locks, and it does not hold its own.

        """
        here = Holder.me()
        if unlocked and self.boot and self.boot == here.boot:
            return True
        if self.host == here.host and self.boot != here.boot:
            return True  # the machine has started anew since
        if (self.host, self.boot, self.namespace) == (here.host, here.boot, here.namespace):
            return not _runs(self.pid) or _process_start(self.pid) != self.process_start
        return silent_s > SILENCE_S


@dataclass(frozen=True)
class Claim:
    """A claim as its file tells it; ``holder`` is None where it is cut short."""

    path: Path
    holder: Holder | None
    names: frozenset[str]
    silent_s: float

    def is_on(self, names: frozenset[str]) -> bool:
        """Whether it may be on one of these names; one that does not tell may be on any."""
        return self.holder is None or not self.names.isdisjoint(names)

    def words(self, names: frozenset[str]) -> str:
        """Who has which of these names since when."""
        folder = self.path.parent.parent
        common = sorted(self.names & names)
        more = len(common) - _NAMES_IN_WORDS
        shown = ', '.join(common[:_NAMES_IN_WORDS]) + (f' and {more} more' if more > 0 else '')
        if self.holder is None:
            return f'{folder} is in use by another process ({self.path})'
        return (
            f'{folder} is in use for {shown} by process {self.holder.pid} on {self.holder.host} since '
            f'{self.holder.since} (last sign of life {max(self.silent_s, 0):.0f} s ago; on another '
            f'machine it counts as gone after {SILENCE_S:.0f} s)'
        )


@contextmanager
def exclusive(
    folder: Path, names: Iterable[str], wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Claim names, all or none, until the end of the block or of the process.

    Parameters
    ----------
    folder
        Where the claims lie, within the folder that they are about; made if absent.
    names
        Of the parts that nobody else may work on meanwhile.
    wait
        Called once, with words for who has them, where other processes have some of the names,
        whose end is then waited for; without it, InUseError is raised.

    """
    folder.mkdir(parents=True, exist_ok=True)
    own, wanted, told = folder / f'{uuid.uuid4().hex}.json', frozenset(names), False
    while True:
        handle, others = _try(folder, own, wanted)
        if handle is not None:
            break
        words = others[0].words(wanted)
        if wait is None:
            raise InUseError(words)
        if not told:
            wait(words)
        told = True
        time.sleep(_POLL_S)
    try:
        with _signs_of_life(handle):
            yield
    finally:
        own.unlink(missing_ok=True)
        os.close(handle)


def _try(folder: Path, own: Path, names: frozenset[str]) -> tuple[int | None, list[Claim]]:
    """Make a claim unless there are others on the same names; the file that is open, and these."""
    with _alone(folder / _GUARD):
        # written before the others are read: of two that come at once without a guard, none
        # overlooks the other
        handle = os.open(own, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            _locked(handle)
            content = {**asdict(Holder.me()), 'names': sorted(names)}
            os.write(handle, json.dumps(content).encode())
            now = os.fstat(handle).st_mtime  # by the clock of the disk
            others = [
                claim
                for path in sorted(folder.glob('*.json'))
                if path != own and (claim := _live(path, now)) and claim.is_on(names)
            ]
        except BaseException:
            os.close(handle)
            own.unlink(missing_ok=True)
            raise
        if others:
            os.close(handle)
            own.unlink(missing_ok=True)
            return None, others
    return handle, []


def _live(path: Path, now: float) -> Claim | None:
    """Read a claim; None where it is gone, whose file is removed."""
    try:
        handle = os.open(path, os.O_RDONLY)  # it may be of another user
    except FileNotFoundError:
        return None
    try:
        unlocked = _locked(handle)
        silent_s = now - os.fstat(handle).st_mtime
        claim = _parse(path, silent_s)
    finally:
        os.close(handle)
    if unlocked is None:
        return claim
    if claim.holder is None:
        gone = bool(unlocked) or silent_s > SILENCE_S
    else:
        gone = claim.holder.is_gone(silent_s, unlocked=unlocked)
    if gone:
        path.unlink(missing_ok=True)
    return None if gone else claim


def _parse(path: Path, silent_s: float) -> Claim:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        names = frozenset(content.pop('names'))
        return Claim(path, Holder(**content), names, silent_s)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Claim(path, None, frozenset(), silent_s)


def _locked(handle: int) -> bool | None:
    """Ask for the kernel's lock: True if it is had, None if another has it, False without locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else False
    return True


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for the processes that look at the claims."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _signs_of_life(handle: int) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            with suppress(OSError):
                os.utime(handle)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _process_start(pid: int) -> str:
    """Start of a process in ticks since the machine's; '' where there is none, or no telling."""
    # the name of the process, in brackets, may hold anything
    fields = _read(f'/proc/{pid}/stat').rpartition(')')[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in 'ZX' else ''


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of somebody else
        return True
    return True


def _namespace() -> str:
    try:
        return str(Path('/proc/self/ns/pid').readlink())
    except OSError:
        return ''


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return ''

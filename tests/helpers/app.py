"""The app as a person runs it: a process of its own, in a home of its own, without network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# imported by every Python of the app: a try to reach the network leaves a mark and fails
_NO_NETWORK = """
import socket
_connect = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX:
        open({mark!r}, 'a').write(f'{{address}}\\n')
        raise OSError('no network in this test')
    return _connect(self, address)
socket.socket.connect = connect
"""

# stands for Graphviz, which a machine need not have: the picture is the text of the graph
_DOT = '#!/bin/sh\ncp "$3" "${2#-o}"\n'


@dataclass
class Call:
    """What a call of the app left."""

    code: int
    printed: str
    out: Path

    def status(self, name: str) -> dict:
        """The status file of a run."""
        subject = name.split('_', maxsplit=1)[0]
        (path,) = self.out.glob(f'{subject}/log/*/{name}_status.json')
        return json.loads(path.read_text())

    @property
    def log(self) -> str:
        """The latest log file."""
        return max(self.out.glob('logs/*.log')).read_text()

    @property
    def last_line(self) -> str:
        return self.printed.strip().split('\n')[-1]


class App:
    """The app in a folder of its own, which is its home, its place for temporary files as well.

    Parameters
    ----------
    room
        An empty folder. A call named ``one`` writes to ``one`` and ``one_work`` in it.

    """

    def __init__(self, room: Path) -> None:
        self.room, self.mark = room, room / 'network'
        for name in ('home', 'site', 'tmp', 'cwd', 'bin'):
            (room / name).mkdir()
        code = _NO_NETWORK.format(mark=str(self.mark))
        (room / 'site' / 'sitecustomize.py').write_text(code)
        (room / 'bin' / 'dot').write_text(_DOT)
        (room / 'bin' / 'dot').chmod(0o755)
        self.environment = {
            **os.environ,
            'PATH': f'{room / "bin"}{os.pathsep}{os.environ["PATH"]}',
            'HOME': str(room / 'home'),
            'TMPDIR': str(room / 'tmp'),
            'PYTHONPATH': os.pathsep.join([str(room / 'site'), *filter(None, sys.path)]),
        }

    def __call__(self, bids: Path, name: str, *options: str) -> Call:
        out = self.room / name
        # no test has TemplateFlow's files unless it makes them
        atlases = [] if '--atlases' in options else ['--atlases', 'none']
        command = [
            sys.executable,
            '-m',
            'bidsqsm',
            str(bids),
            str(out),
            'participant',
            *options,
            *atlases,
        ]
        done = subprocess.run(  # noqa: S603
            [*command, '-w', str(self.room / f'{name}_work')],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.room / 'cwd',
        )
        return Call(done.returncode, done.stdout + done.stderr, out)

    def strays(self) -> list[Path]:
        """What was left in the places that the app must not write to, and tries of the network."""
        found = [path for name in ('home', 'tmp', 'cwd') for path in (self.room / name).rglob('*')]
        return [*found, *([self.mark] if self.mark.exists() else [])]

"""The app killed or interrupted: its processes end with it, and one line says what became of it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from bidsqsm import __main__
from helpers import bad_subjects


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return bad_subjects.make_dataset(tmp_path_factory.mktemp('killed') / 'ds', {})


def ended_by(number, dataset, folder, ready, sort='participant'):
    """Exit code, what was printed, and seconds until no process holds the terminal any more."""
    command = [sys.executable, '-m', 'bidsqsm', str(dataset), str(folder / 'out'), sort]
    command += ['--atlases', 'none', '--skip-bids-validation', '--nprocs', '2']
    command += ['-w', str(folder / 'work')]
    with subprocess.Popen(  # noqa: S603 - the app itself
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as app:
        deadline = time.monotonic() + 60
        while not ready(folder) and app.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        start = time.monotonic()
        os.kill(app.pid, number)
        printed = app.stdout.read().decode()  # ends when the last process that holds it does
        return app.wait(), printed, time.monotonic() - start


def steps_run(folder):
    return any((folder / 'work').rglob('_inputs.pklz'))


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_app(number, dataset, tmp_path):
    code, printed, seconds = ended_by(number, dataset, tmp_path, steps_run)
    assert 'Traceback' not in printed
    assert seconds < 15  # of a loaded machine; an idle one takes less than five
    if number != signal.SIGKILL:
        assert code == 128 + number
        assert printed.strip().endswith('the same command goes on where it stopped')


def test_ctrl_c_while_the_app_is_being_loaded_is_one_line(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, '_main', interrupted)
    assert __main__.main(['bids', 'out', 'participant']) == 130
    assert capsys.readouterr().err == 'bidsqsm failed: interrupted\n'


@pytest.mark.skipif(sys.platform != 'linux', reason='limits of memory are those of Linux')
@pytest.mark.parametrize('megabytes', [300, 600])
def test_too_little_memory_to_load_the_app_is_a_line_and_an_end(dataset, tmp_path, megabytes):
    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6,) * 2)

    command = [sys.executable, '-m', 'bidsqsm', str(dataset), str(tmp_path / 'out'), 'participant']
    ended = subprocess.run(  # noqa: S603 - the app itself
        [*command, '--atlases', 'none', '--skip-bids-validation', '-w', str(tmp_path / 'work')],
        preexec_fn=limited,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.decode().strip().endswith('memory ran out: give the job more')

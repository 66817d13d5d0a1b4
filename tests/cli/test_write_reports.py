"""Reports stand alone: one that fails, or whose process is killed, takes no other with it."""

from __future__ import annotations

import os
import signal

import pytest

from bidsqsm.cli.outcome import Status
from bidsqsm.cli.write_reports import write_reports
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.subject.run_record import RunRecord


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


class KilledOnArrival:
    """Pickled as a call that ends the process which unpickles it."""

    def __reduce__(self):
        return _kill, ()


class KilledOnce:
    """The same, but only the first time: a file tells."""

    def __init__(self, path, record):
        self.path, self.record = path, record

    def __reduce__(self):
        return _kill_once, (self.path, self.record)


def _kill_once(path, record):
    if not path.exists():
        path.touch()
        _kill()
    return record


def record(subject):
    run = Skipped({'sub': subject}, 'sub has no phase', 'MEGRE')
    return RunRecord(run, Status(run.name, 'skipped', run.reason).content('bidsqsm'))


@pytest.mark.parametrize('processes', [1, 3])
def test_a_report_that_is_lost_takes_no_other_with_it(tmp_path, processes):
    records = {
        '01': [record('01')],
        '02': [KilledOnArrival()],
        '03': [object()],
        '04': [KilledOnce(tmp_path / 'once', record('04'))],
        '05': [record('05')],
    }
    told = {}
    write_reports(tmp_path, records, processes, lambda s, why: told.update({s: why}))
    assert [s for s, why in sorted(told.items()) if why is None] == ['01', '04', '05']
    assert all((tmp_path / f'sub-{s}.html').exists() for s in ('01', '04', '05'))
    assert told['02'].startswith('its process was killed by signal 9; write it alone')
    assert 'AttributeError' in told['03']
    assert 'memory' not in told['03']

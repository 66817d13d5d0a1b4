"""Of two calls on the same participants and work folder, the second says so and leaves."""

from __future__ import annotations

import subprocess
import sys

from bidsqsm.files.folder_lock import exclusive
from helpers.bids_skeleton import Skeleton


def call(*words):
    """What a call answers on its work folder while this process is in it: code and last line."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, '-m', 'bidsqsm', *map(str, words), '--skip-bids-validation'],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr).strip().split('\n')[-1]


def test_the_second_call_says_who_is_there_and_leaves(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    skeleton.megre('sub-01')
    words = [skeleton.root, tmp_path / 'out', 'participant', '-w', tmp_path / 'work']
    words += ['--atlases', 'none']
    with exclusive(tmp_path / 'work' / 'claims', ['sub-01']):
        code, line = call(*words)
        assert call(*words, '--dry-run')[0] == 0
        assert call(*words, '--boilerplate-only')[0] == 0
    assert code == 1
    assert line.startswith(f'bidsqsm failed: {tmp_path}/work is in use for sub-01 by process ')
    assert '--wait' in line
    assert '--work-dir' in line
    assert not (tmp_path / 'work' / 'bidsqsm_wf').exists()

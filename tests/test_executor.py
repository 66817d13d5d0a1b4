"""Every node runs in a process of its own, and its end is told whatever it was."""

from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from nipype.interfaces.base import File, traits
from nipype.pipeline import engine as pe

from bidsqsm.errors import DatasetError
from bidsqsm.executor import Failure, ProcessPerNodePlugin, describe
from bidsqsm.files.inventory import write_inventory
from bidsqsm.interfaces.step_interface import StepInputSpec, StepInterface, StepOutputSpec

LOGGER = logging.getLogger('bidsqsm.test')


class _ActInputSpec(StepInputSpec):
    how = traits.Str()
    before = traits.Any()
    in_file = File(exists=True)


class _ActOutputSpec(StepOutputSpec):
    out = traits.Int()
    out_file = File(exists=True)


class Act(StepInterface):
    """Ends as it is told."""

    input_spec = _ActInputSpec
    output_spec = _ActOutputSpec

    def _run_interface(self, runtime):
        LOGGER.info('acting %s', self.inputs.how)
        if self.inputs.how == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        errors = {
            'data': DatasetError('echo 2 is missing'),
            'memory': MemoryError(),
            'disk': OSError(28, 'No space left on device', 'x.nii'),
            'bug': KeyError('oops'),
        }
        if self.inputs.how in errors:
            raise errors[self.inputs.how]
        if self.inputs.how == 'slow':
            time.sleep(60)
        (written := Path(runtime.cwd, 'out.txt')).write_text(self.inputs.how)
        self._results.update(
            out_file=str(written), out=os.getpid(), facts={'how': self.inputs.how}
        )
        return runtime


class Watch:
    """Keeps what the plugin tells."""

    def __init__(self) -> None:
        self.failures: dict[str, Failure] = {}
        self.used, self.events, self.damages = {}, [], {}

    def run(self, tmp_path, *chains: list[str], check_contents=False, in_file=None, **settings):
        """Run chains of nodes, each named after what it does."""
        workflow = pe.Workflow(name='wf', base_dir=str(tmp_path))
        for number, chain in enumerate(chains):
            nodes = [pe.Node(Act(how=how), name=f'{how}_{number}') for how in chain]
            if in_file:
                nodes[0].inputs.in_file = str(in_file)
            workflow.add_nodes(nodes)
            for one, other in pairwise(nodes):
                workflow.connect(one, 'out', other, 'before')
        workflow.config['execution'] = {
            'poll_sleep_duration': '0',
            'create_report': 'false',
            'remove_unnecessary_outputs': 'false',
            **settings,
        }
        plugin = ProcessPerNodePlugin(
            {
                'n_procs': 2,
                'memory_gb': 2,
                'status_callback': lambda node, event: self.events.append((node.name, event)),
                'on_failure': self._failed,
                'on_end': lambda node, usage: self.used.update({node.name: usage}),
                'on_damage': lambda node, trouble: self.damages.update({node.name: trouble}),
                'check_contents': check_contents,
            }
        )
        return workflow.run(plugin=plugin)

    def _failed(self, node, failure):
        self.failures[node.name] = failure
        return 'crash.txt'

    def ended(self):
        """Names of the nodes that ended well."""
        return [name for name, event in self.events if event == 'end']


@pytest.fixture
def watch():
    return Watch()


def test_nodes_run_apart_and_tell_what_they_used(watch, tmp_path):
    graph = watch.run(tmp_path, ['fine', 'well'])
    pids = {node.result.outputs.out for node in graph.nodes()}
    assert len(pids | {os.getpid()}) == 3
    assert watch.ended() == ['fine_0', 'well_0']
    assert 0 < watch.used['well_0'].peak_gb < 2
    assert watch.used['well_0'].seconds > 0


@pytest.fixture(scope='module')
def broken(tmp_path_factory):
    """Five chains that break in their own ways, each before a last node, and one that does not."""
    watch = Watch()
    chains = [[how, 'lost'] for how in ('data', 'memory', 'disk', 'bug', 'killed')]
    with pytest.raises(RuntimeError):
        watch.run(tmp_path_factory.mktemp('broken'), *chains, ['fine', 'well'])
    return watch


@pytest.mark.parametrize(
    ('node', 'kind', 'message'),
    [
        ('data_0', 'dataset', '^echo 2 is missing$'),
        ('memory_1', 'memory', 'memory ran out'),
        ('disk_2', 'disk', '^x.nii: No space left on device$'),
        ('bug_3', 'error', "KeyError: 'oops'"),
        ('killed_4', 'killed', 'was killed by signal 9 .SIGKILL.'),
    ],
)
def test_a_failure_is_told_by_its_node_with_what_was_wrong(broken, node, kind, message):
    failure = broken.failures[node]
    assert failure.kind == kind
    assert re.search(message, failure.message)
    assert ('Traceback' in failure.details) == (kind != 'killed')


def test_only_the_nodes_after_a_failure_are_lost(broken):
    assert len(broken.failures) == 5
    assert broken.ended() == ['fine_5', 'well_5']


def test_a_second_run_uses_again_what_is_finished(watch, tmp_path):
    watch.run(tmp_path, ['fine'])
    again = Watch()
    again.run(tmp_path, ['fine'])
    assert again.ended() == ['fine_0']
    assert again.events == [('fine_0', 'end')]
    assert not again.used


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def fill(path):
    path.write_bytes(bytes(path.stat().st_size))


def in_a_folders_place(path):
    folder = path.parent
    shutil.rmtree(folder)
    folder.touch()


def outdated(path):
    """What can be read but holds nothing that is known."""
    path.write_bytes(gzip.compress(b'cno.such.module\nthing\n.'))
    write_inventory(path.parent)


def open_to_all(path):
    path.chmod(0o777)


@pytest.mark.parametrize(
    ('spoil', 'name'),
    [
        (cut, 'result_fine_0.pklz'),
        (fill, 'result_fine_0.pklz'),
        (outdated, 'result_fine_0.pklz'),
        (cut, 'out.txt'),
        (fill, 'out.txt'),
        (Path.unlink, 'out.txt'),
        (Path.unlink, '_inventory.json'),
        (cut, '_inventory.json'),
        (open_to_all, 'result_fine_0.pklz'),
        (open_to_all, ''),
    ],
)
def test_a_damaged_result_is_told_and_made_again(watch, tmp_path, spoil, name):
    watch.run(tmp_path, ['fine', 'well'])
    spoil(tmp_path / 'wf' / 'fine_0' / name)
    again, after = Watch(), Watch()
    again.run(tmp_path, ['fine', 'well'])
    assert not again.failures
    assert [*again.damages] == ['fine_0']
    assert [*again.used] == ['fine_0', 'well_0']
    assert (tmp_path / 'wf' / 'fine_0' / 'out.txt').read_text() == 'fine'
    after.run(tmp_path, ['fine', 'well'])
    assert not after.damages
    assert not after.used


def over_all_folders(path):
    shutil.rmtree(path.parents[1])
    path.parents[1].touch()


def over_the_hash(path):
    (found,) = path.parent.glob('_0x*.json')
    found.unlink()
    found.mkdir()


@pytest.mark.parametrize(
    'spoil', [Path.unlink, in_a_folders_place, over_all_folders, over_the_hash]
)
def test_a_result_that_is_gone_is_made_again(watch, tmp_path, spoil):
    watch.run(tmp_path, ['fine', 'well'])
    spoil(tmp_path / 'wf' / 'fine_0' / 'result_fine_0.pklz')
    again = Watch()
    again.run(tmp_path, ['fine', 'well'])
    assert not again.failures
    assert 'fine_0' in again.used


def test_other_contents_of_the_same_size_and_time_are_seen_where_that_is_asked_for(
    watch, tmp_path
):
    echo = tmp_path / 'echo.nii'
    echo.write_bytes(b'abc')
    watch.run(tmp_path / 'work', ['fine'], in_file=echo)
    before = echo.stat()
    echo.write_bytes(b'abd')
    os.utime(echo, ns=(before.st_atime_ns, before.st_mtime_ns))
    usual, careful, after = Watch(), Watch(), Watch()
    usual.run(tmp_path / 'work', ['fine'], in_file=echo)
    assert not usual.used
    for one in (careful, after):
        one.run(tmp_path / 'work', ['fine'], in_file=echo, check_contents=True)
    assert [*careful.used] == ['fine_0']
    assert careful.damages['fine_0'] == f'{echo} no longer holds what it held'
    assert not after.used


def test_stopping_at_the_first_crash_ends_the_other_processes(watch, tmp_path):
    started = time.monotonic()
    with pytest.raises(RuntimeError):
        watch.run(tmp_path, ['bug'], ['slow'], stop_on_first_crash='true')
    assert time.monotonic() - started < 30
    assert watch.ended() == []


def test_what_a_node_logs_arrives_here(watch, tmp_path, caplog):
    with caplog.at_level(logging.INFO, 'bidsqsm'):
        watch.run(tmp_path, ['fine'])
    assert 'acting fine' in caplog.messages


def test_an_exception_in_a_sentence():
    assert describe(DatasetError('a\n  b')).message == 'a b'
    assert describe(PermissionError(13, 'Permission denied')).kind == 'disk'
    assert describe(FileNotFoundError(2, 'none')).kind == 'error'


SCRIPT = """
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from bidsqsm.executor import ProcessPerNodePlugin

if __name__ == '__main__':
    workflow = pe.Workflow(name='w', base_dir='work')
    workflow.add_nodes([pe.Node(niu.Merge(1, in1=1), name='merge')])
    told = {'on_failure': lambda node, failure: failure.message, 'on_end': lambda node, usage: None}
    told['on_damage'] = print
    workflow.run(plugin=ProcessPerNodePlugin({'n_procs': 1, 'memory_gb': 1, **told}))
"""


def test_a_package_of_the_same_name_in_the_current_folder_is_not_loaded(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'script.py').write_text(SCRIPT)
    (tmp_path / 'here' / 'bidsqsm').mkdir(parents=True)
    (tmp_path / 'here' / 'bidsqsm' / '__init__.py').write_text("open('loaded', 'w').close()\n")
    words = [sys.executable, str(tmp_path / 'run' / 'script.py')]
    done = subprocess.run(  # noqa: S603
        words, cwd=tmp_path / 'here', capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'here' / 'work' / 'w' / 'merge').is_dir()
    assert not (tmp_path / 'here' / 'loaded').exists()

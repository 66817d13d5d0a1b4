"""A call that fails leaves what an earlier one made as it is: maps, pages, pictures, records."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bidsqsm.cli import call as call_module
from bidsqsm.cli.call import Call
from bidsqsm.cli.ledger import RunState
from bidsqsm.cli.outcome import Status
from bidsqsm.cli.progress import Progress
from bidsqsm.cli.run_memory import RunMemory
from bidsqsm.config import Config
from bidsqsm.facts.inversion_facts import ReferenceFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import Skipped
from bidsqsm.reports.subject.resource_use import StepUse
from helpers.bids_skeleton import Skeleton


@pytest.fixture
def runs(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for who in ('sub-01_run-1', 'sub-01_run-2', 'sub-02'):
        skeleton.megre(who)
    return find_runs(skeleton.root)


@pytest.fixture
def config(tmp_path):
    return Config(
        bids_dir=tmp_path / 'ds', output_dir=tmp_path / 'out', work_dir=tmp_path / 'work'
    )


def good(run, folder):
    """A run that went well, with a map in the work folder and one in the output."""
    chi = folder / 'work' / f'{run.name}_chi.nii'
    written = folder / 'out' / f'sub-{run.entities["sub"]}' / 'anat' / f'{run.name}_Chimap.nii.gz'
    for path in (chi, written):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'1234')
    return RunState(
        run,
        Status(run.name, seconds=3.0),
        {'chi': chi},
        RunFacts.of({'reference': {'value': 0.1}}),
        {'invert_dipole': StepUse('dipole inversion', 2.0)},
        {'dipole': 'tkd'},
        written=(written,),
    )


def bad(run):
    return RunState(run, Status(run.name, 'failed', 'the step masking: no'))


def test_what_was_kept_comes_back(runs, tmp_path):
    memory, state = RunMemory(tmp_path / 'work'), good(runs[0], tmp_path)
    memory.keep(state)
    assert memory.recall(runs[0]) == replace(state, written=())
    assert memory.recall(runs[0]).facts['reference'] == ReferenceFacts(value=0.1)
    assert [*memory.used(runs[0])] == ['invert_dipole']
    assert memory.recall(runs[1]) is None


def test_a_failure_does_not_take_the_place_of_a_success(runs, tmp_path):
    memory = RunMemory(tmp_path / 'work')
    memory.keep(good(runs[0], tmp_path))
    memory.keep(bad(runs[0]))
    assert memory.recall(runs[0]).status.status == 'ok'


@pytest.mark.parametrize('content', [None, b'', b'123', b'4321'])
def test_products_that_are_not_what_they_were_do_not_come_back(runs, tmp_path, content):
    memory, state = RunMemory(tmp_path / 'work'), good(runs[0], tmp_path)
    memory.keep(state)
    if content is None:
        state.products['chi'].unlink()
    else:
        state.products['chi'].write_bytes(content)
    assert memory.recall(runs[0]) is None
    memory.keep(bad(runs[0]))
    assert json.loads((tmp_path / f'work/records/{runs[0].name}.json').read_text())['status'] == {
        **bad(runs[0]).status.__dict__
    }


@pytest.mark.parametrize(
    'content',
    ['', '[]', '{', '{"status": 3}', '{"used": {"a": 1, "b": {"c": 2}}}', '{"used": []}'],
)
def test_a_damaged_record_is_as_none(runs, tmp_path, content):
    memory = RunMemory(tmp_path / 'work')
    memory.keep(good(runs[0], tmp_path))
    (tmp_path / f'work/records/{runs[0].name}.json').write_text(content)
    assert memory.recall(runs[0]) is None
    assert memory.used(runs[0]) == {}


def test_a_folder_in_the_place_of_a_record_gives_way(runs, tmp_path):
    memory = RunMemory(tmp_path / 'work')
    (tmp_path / f'work/records/{runs[0].name}.json/deep').mkdir(parents=True)
    assert memory.recall(runs[0]) is None
    memory.keep(good(runs[0], tmp_path))
    assert memory.recall(runs[0]) is not None


@pytest.fixture
def report(runs, config, monkeypatch):
    """Report on states; gives the records by subject and what was printed of pages that stay."""

    def make(states, found=None):
        call, told = Call(config, 'bidsqsm', found or runs), []
        written = {}
        monkeypatch.setattr(
            call_module, 'write_reports', lambda _out, records, *_: written.update(records)
        )
        with Progress({run.name: 1 for run in runs}) as progress:
            monkeypatch.setattr(progress, 'tell', lambda text, *_: told.append(text))
            call.report(states, progress)
        return written, told

    return make


def keep(config, states):
    for state in states:
        RunMemory(config.work_dir).keep(state)
        (config.output_dir / f'sub-{state.run.entities["sub"]}.html').write_text('page')


def test_the_page_of_a_subject_all_of_whose_runs_failed_stays(report, runs, config, tmp_path):
    keep(config, [good(run, tmp_path) for run in runs])
    written, told = report([bad(runs[0]), bad(runs[1]), good(runs[2], tmp_path)])
    assert [*written] == ['02']
    assert told == [f'{config.output_dir}/sub-01.html stays as an earlier call made it']


def test_the_first_failure_of_a_subject_has_a_page(report, runs):
    written, _ = report([bad(run) for run in runs])
    assert [*written] == ['01', '02']
    assert written['01'][0].status['reason'] == 'the step masking: no'


def test_the_section_of_a_failed_run_shows_the_earlier_maps(report, runs, config, tmp_path):
    keep(config, [good(run, tmp_path) for run in runs])
    written, _ = report([bad(runs[0]), *(good(run, tmp_path) for run in runs[1:])])
    failed, fine = written['01']
    assert failed.status['status'] == 'failed'
    assert failed.status['reason'].endswith('are of an earlier call)')
    assert failed.products == good(runs[0], tmp_path).products
    assert failed.provenance['Decisions']['reference'] == ReferenceFacts(value=0.1)
    assert fine.status['reason'] is None


def test_what_is_left_of_a_failed_run_is_not_drawn_over_the_earlier_pictures(
    report, runs, config, tmp_path
):
    states = [good(run, tmp_path) for run in runs]
    keep(config, states)
    states[0].products['chi'].write_bytes(b'other')
    half = bad(runs[0])
    half.products['magnitude'] = tmp_path / 'magnitude.nii'
    written, _ = report([half, *states[1:]])
    assert written['01'][0].products == {}


def test_the_page_stays_where_the_data_became_bad(report, runs, config, tmp_path):
    states = [good(run, tmp_path) for run in runs]
    keep(config, states)
    found = [runs[0], runs[1], Skipped(runs[2].entities, 'echo 2 is missing')]
    written, told = report(states[:2], found)
    assert [*written] == ['01']
    assert len(told) == 1


@pytest.mark.parametrize('clean', [True, False])
def test_files_of_an_earlier_call_are_named_or_removed(runs, config, tmp_path, clean, monkeypatch):
    state, told = good(runs[2], tmp_path), []
    anat = config.output_dir / 'sub-02' / 'anat'
    names = ('sub-02_R2starmap.nii.gz', 'sub-02_R2starmap.json', 'sub-02_Chimap.json')
    for name in (*names, 'sub-02_desc-manual_mask.nii.gz'):
        (anat / name).touch()
    with Progress({}) as progress:
        monkeypatch.setattr(progress, 'tell', lambda text, *_: told.append(text))
        call = Call(replace(config, clean_output=clean), 'bidsqsm', runs)
        call.settle_leftovers(state, progress)
    left = {path.name for path in anat.iterdir()} - {'sub-02_Chimap.nii.gz'}
    kept = {'sub-02_Chimap.json', 'sub-02_desc-manual_mask.nii.gz'}
    assert left == (kept if clean else kept | {*names})
    assert len(told) == len(state.status.warnings) == (0 if clean else 1)
    assert all('2 files of an earlier call' in said for said in told)

"""Every event of the graph is booked to its run, and failures become sentences that help."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bidsqsm.cli.ledger import Ledger
from bidsqsm.cli.progress import Progress
from bidsqsm.config import Config
from bidsqsm.executor import Failure, FailureKind, Usage
from bidsqsm.facts.field_facts import FieldFacts, UnwrapFacts
from bidsqsm.facts.inversion_facts import OneStepFacts, ReferenceFacts
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.reports.subject.resource_use import StepUse
from bidsqsm.workflows.base import init_bidsqsm_wf
from helpers.bids_skeleton import Skeleton


@pytest.fixture
def ledger(tmp_path):
    skeleton = Skeleton(tmp_path / 'ds')
    for who in ('sub-01', 'sub-01_run-1'):
        skeleton.megre(who)
    runs = find_runs(skeleton.root)
    config = Config(
        bids_dir=skeleton.root, output_dir=tmp_path / 'out', work_dir=tmp_path / 'work'
    )
    workflow = init_bidsqsm_wf(config, runs)
    with Progress({run.name: 2 for run in runs}) as progress:
        yield Ledger(runs, progress, lambda _: tmp_path / 'log', memory=4.0, workflow=workflow)


def node(run, name='invert_dipole', step='dipole_wf', **outputs):
    """What the ledger looks at in a node of Nipype."""
    given = SimpleNamespace(get=lambda: {'method': 'tv'}, methods={'dipole': 'tv'})
    made = SimpleNamespace(get=lambda: outputs)
    return SimpleNamespace(
        name=name,
        fullname=f'bidsqsm_wf.subject_01_wf.{run}_wf.{step}.{name}',
        mem_gb=1.5,
        inputs=given,
        outputs=made,
        result=SimpleNamespace(outputs=made),
        output_dir=lambda: '/scratch/here',
    )


def status(ledger, run):
    return ledger.states[f'{run}_wf'].status


@pytest.mark.parametrize(
    ('kind', 'end', 'reason'),
    [
        ('dataset', 'skipped', '^it broke$'),
        ('error', 'failed', '^the step dipole inversion: it broke$'),
        ('killed', 'failed', 'dipole inversion: it broke; .* 1.5 GB of the 4.0 GB .*--mem'),
        ('memory', 'failed', 'lower --nprocs'),
        ('disk', 'failed', 'dipole inversion: it broke in /scratch/here: free space'),
    ],
)
def test_a_failure_is_booked_with_a_reason_and_a_crash_file(ledger, tmp_path, kind, end, reason):
    import re

    ledger.on_failure(
        node('sub_01_run_1'), Failure(FailureKind(kind), 'it broke', 'Traceback: here')
    )
    found = status(ledger, 'sub_01_run_1')
    assert found.status == end
    assert re.search(reason, found.reason)
    text = (tmp_path / 'log' / 'sub-01_run-1_invert_dipole_crash.txt').read_text()
    assert 'Traceback: here' in text
    assert 'method = tv' in text
    assert status(ledger, 'sub_01').status == 'ok'


def test_the_first_failure_of_a_run_is_its_reason(ledger):
    ledger.on_failure(node('sub_01'), Failure(FailureKind.ERROR, 'first'))
    ledger.on_failure(
        node('sub_01', 'fit_relaxation', 'relaxometry_wf'), Failure(FailureKind.ERROR, 'next')
    )
    assert status(ledger, 'sub_01').reason == 'the step dipole inversion: first'


def test_files_facts_warnings_and_times_are_kept_by_their_run(ledger):
    facts = {'value': 0.1, 'warnings': ['look']}
    done = node('sub_01', 'reference_chi', 'reference_wf', chi='/w/chi.nii', facts=facts)
    ledger.on_status(done, 'start')
    ledger.on_end(done, Usage(2.0, 3.0, 0.5))
    ledger.on_status(done, 'end')
    state = ledger.states['sub_01_wf']
    assert {k: str(v) for k, v in state.products.items()} == {'chi': '/w/chi.nii'}
    assert state.facts == {'reference': ReferenceFacts(value=0.1, warnings=('look',))}
    assert state.status.warnings == ['look']
    assert state.status.warned_by == {'look': 'reference_wf'}
    assert state.used == {'reference_chi': StepUse('reference', 2.0, 3.0, 0.5)}
    assert state.status.seconds == 2
    assert not ledger.states['sub_01_run_1_wf'].facts


def test_what_a_node_deep_in_a_run_made_is_booked_to_its_step(ledger):
    step = 'inversion_wf.onestep_wf'
    facts = {'convergence': [{'solver': 'sstv'}], 'warnings': ['slow']}
    files = {name: f'/w/{name}.nii' for name in ('chi', 'mask', 'local_field')}
    done = node('sub_01', 'invert_total_field', step, **files, facts=facts)
    ledger.on_status(done, 'end')
    state = ledger.states['sub_01_wf']
    # chi is not a product yet: it has no reference
    assert {k: str(v) for k, v in state.products.items()} == {
        'qsm_mask': '/w/mask.nii',
        'local_field': '/w/local_field.nii',
    }
    assert state.facts == {'onestep': OneStepFacts.of(facts)}
    assert state.status.warned_by == {'slow': 'onestep_wf'}


def test_facts_of_two_steps_in_one_workflow_are_told_apart(ledger):
    for name, facts in (('unwrap_phase', {}), ('fit_field', {'phase_sign_of_fat': -1})):
        ledger.on_status(node('sub_01', name, 'fieldmap_wf', facts=facts), 'end')
    assert ledger.states['sub_01_wf'].facts == {
        'unwrap': UnwrapFacts(),
        'field': FieldFacts(phase_sign_of_fat=-1),
    }


def test_runs_without_an_end_are_settled_when_the_call_ends(ledger):
    ledger.on_status(node('sub_01', 'write_derivatives', 'outputs_wf'), 'end')
    ledger.close('interrupted')
    assert status(ledger, 'sub_01').status == 'ok'
    assert status(ledger, 'sub_01_run_1').reason == 'interrupted'


def test_a_step_that_ends_without_an_account_was_reused(ledger):
    ledger.on_status(node('sub_01'), 'end')
    assert ledger.states['sub_01_wf'].used == {
        'invert_dipole': StepUse('dipole inversion', reused=True)
    }


def test_a_warning_of_the_input_is_of_no_step(ledger):
    state = ledger.states['sub_01_wf']
    state.status.warnings.append('echo 2 is missing')
    facts = {'warnings': ['echo 2 is missing', 'look']}
    ledger.on_status(node('sub_01', 'prepare_phase', 'phase_wf', facts=facts), 'end')
    assert state.status.warnings == ['echo 2 is missing', 'look']
    assert state.status.warned_by == {'look': 'phase_wf'}

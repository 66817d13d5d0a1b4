"""One call of the app: the runs it found and the files that it leaves about them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from bidsqsm.atlases.selection import NO_ATLASES, AtlasesAndSpaces
from bidsqsm.catalog import STEPS
from bidsqsm.cli.execute import clean, count_nodes, execute
from bidsqsm.cli.ledger import Ledger, RunState
from bidsqsm.cli.logs import new_identity
from bidsqsm.cli.outcome import Status
from bidsqsm.cli.progress import Progress
from bidsqsm.cli.run_memory import RunMemory
from bidsqsm.cli.write_reports import write_reports
from bidsqsm.cohort.run_files import FAILED, OK, SKIPPED
from bidsqsm.config import Config
from bidsqsm.derivatives.methods_text import as_markdown, methods_text, write_citation
from bidsqsm.derivatives.run_outputs import (
    left_over,
    leftover_sentence,
    outputs_of_run,
    pictures_of_run,
)
from bidsqsm.derivatives.sidecars import provenance
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.atomic import write_text
from bidsqsm.files.tsv_files import write_tsv
from bidsqsm.inputs.orientation_set import OrientationSet, name_of
from bidsqsm.inputs.participants import ages_of
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.method import Choice
from bidsqsm.reports.subject.resource_use import with_earlier
from bidsqsm.reports.subject.run_record import RunRecord
from bidsqsm.steps import workflows_of
from bidsqsm.workflows.base import init_bidsqsm_wf, init_configured_run_wf, workflows_of_run
from bidsqsm.workflows.method_selection import used_choices

LOGGER = logging.getLogger(__name__)


class Call:
    """One call of the app.

    Parameters
    ----------
    config
        The settings; processors, memory and threads are settled.
    command
        The command line, for the status files.
    found
        Runs and skipped acquisitions.
    anatomy
        Atlases and templates of the call.
    sets
        Sets of those runs that are orientations of a head, and orientations that make none.

    """

    def __init__(
        self,
        config: Config,
        command: str,
        found: Sequence[GreRun | Skipped],
        anatomy: AtlasesAndSpaces = NO_ATLASES,
        sets: Sequence[OrientationSet | Skipped] = (),
    ) -> None:
        self.config, self.command, self.found = config, command, [*found, *sets]
        self.anatomy = anatomy
        self.runs = [run for run in found if isinstance(run, GreRun)]
        self.sets = [one for one in sets if not isinstance(one, Skipped)]
        self.skipped = [run for run in self.found if isinstance(run, Skipped)]
        self.identity = new_identity()
        self.interrupted: KeyboardInterrupt | None = None
        self.memory = RunMemory(config.work_dir)

    def log_file(self, ending: str) -> Path:
        """A file of this call in the log folder of the output."""
        return self.config.output_dir / 'logs' / f'bidsqsm_{self.identity}.{ending}'

    def log_folder(self, run: GreRun | Skipped) -> Path:
        """The folder for status and crash files of a run's subject in this call."""
        subject = f'sub-{run.entities["sub"]}'
        return self.config.output_dir / subject / 'log' / self.identity

    def write_settings(self) -> None:
        """Leave a copy of the settings that ``--config-file`` takes."""
        write_text(self.log_file('toml'), self.config.to_toml())

    def write_boilerplate(self) -> Path:
        """Write the methods text without computing anything; what data decides is left out."""
        told = [
            provenance(run, RunFacts(), self._choices(run)) for run in [*self.runs, *self.sets]
        ]
        return write_text(self.log_file('methods.md'), as_markdown(methods_text(told)))

    def draw(self) -> Path:
        """Draw the graph of a run's steps."""
        run, path = self.runs[0], self.log_file('graph.svg')
        workflow = init_configured_run_wf(self.config, run, self.anatomy)
        workflow.write_graph(str(path.with_suffix('.dot')), graph2use='colored', format='svg')
        return path

    def process(self) -> list[Status]:
        """Make the maps of every run, then the reports; returns how each run ended."""
        troubles: list[str] = []
        ages = ages_of(self.config.bids_dir, troubles) if self.runs else {}
        workflow = init_bidsqsm_wf(self.config, self.runs, self.anatomy, self.sets, ages)
        processed = [*self.runs, *self.sets]
        counts = {run.name: count_nodes(workflow, run) + 1 for run in processed}
        with Progress(counts) as progress:
            self._tell_skipped(progress)
            for run in processed:
                for said in () if run.has_phase else run.warnings:
                    progress.tell(f'{run.name}: {said}', logging.WARNING)
            states: list[RunState] = []
            if processed:
                for said in self.anatomy.terms:
                    progress.tell(said)
                for said in (*self.anatomy.warnings, *troubles):
                    progress.tell(said, logging.WARNING)
                ledger = Ledger(
                    processed, progress, self.log_folder, self.config.mem or 0, workflow
                )
                execute(self.config, workflow, ledger, progress.tell)
                states, self.interrupted = [*ledger.states.values()], ledger.interrupted
                if self.config.resource_monitor:
                    self._write_usage(ledger)
            for state in states:
                state.used = with_earlier(state.used, self.memory.used(state.run))
                self.settle_leftovers(state, progress)
                self.memory.keep(state)
            if any(state.status.status == OK for state in states):
                write_citation(self.config.output_dir)
            statuses = self.report(states, progress)
        if self.config.clean_workdir:
            clean(self.config, states)
        return statuses

    def report_again(self) -> list[Status]:
        """Write the reports from what the work folder holds of earlier calls."""
        processed = [*self.runs, *self.sets]
        with Progress({run.name: 1 for run in processed}) as progress:
            self._tell_skipped(progress)
            states = [self.memory.recall(run) or self._forgotten(run) for run in processed]
            return self.report(states, progress)

    def _tell_skipped(self, progress: Progress) -> None:
        for run in self.skipped:
            progress.tell(f'{run.name} skipped: {run.reason}', logging.WARNING)

    def report(self, states: Sequence[RunState], progress: Progress) -> list[Status]:
        """Write the status of every run and the report of every subject."""
        statuses = {s.run.name: s.status for s in states} | {
            run.name: Status(run.name, SKIPPED, run.reason) for run in self.skipped
        }
        ended = [statuses[run.name] for run in self.found]
        self._write_statuses(statuses)
        if self.interrupted is not None:
            return ended
        by_name = {state.run.name: state for state in states}
        records: dict[str, list[RunRecord]] = {}
        for run in self.found:
            record = self._record(run, statuses[run.name], by_name.get(run.name))
            records.setdefault(run.entities['sub'], []).append(record)
        for subject in [*records]:
            if self._stands(subject, records[subject]):
                del records[subject]
                page = self.config.output_dir / f'sub-{subject}.html'
                progress.tell(f'{page} stays as an earlier call made it', logging.WARNING)

        def done(subject: str, trouble: str | None) -> None:
            for status in (statuses[record.run.name] for record in records[subject]):
                if status.status == OK and trouble is not None:
                    status.fail(f'the maps are written, but the report failed: {trouble}')
                    progress.fail(status.name, status.status, str(status.reason))
                elif status.status == OK:
                    progress.end(status.name, 'report')

        for status in (state.status for state in states if state.status.status == OK):
            progress.start(status.name, 'report')

        write_reports(self.config.output_dir, records, self.config.nprocs or 1, done)
        self._write_statuses(statuses)
        return ended

    def _write_statuses(self, statuses: Mapping[str, Status]) -> None:
        for run in self.found:
            statuses[run.name].write(self.log_folder(run), self.command)

    def _record(self, run: GreRun | Skipped, status: Status, state: RunState | None) -> RunRecord:
        content = status.content(self.command)
        if status.status != OK and self._outputs(run):
            # what an earlier call made is still there, and is shown if it can be
            state = self.memory.recall(run) if isinstance(run, GreRun) else None
            note = 'the maps, and what is shown of them, are of an earlier call'
            content['reason'] = f'{status.reason} ({note})'
        if state is None:
            return RunRecord(run, content)
        told = provenance(state.run, state.facts, self._choices(state.run, state.methods))
        return RunRecord(run, content, state.products, told, tuple(state.used.values()))

    def _choices(self, run: GreRun, written: Mapping[str, str] | None = None) -> dict[str, Choice]:
        """Methods that a run went through, as they were written, or that it would go through."""
        if written:
            return {step: STEPS[step].choose(text) for step, text in written.items()}
        placed = 'rois_wf' in workflows_of(self.config.products)
        return used_choices(
            run,
            self.config.methods,
            regions=placed and bool(self.config.atlases),
            spaces=placed and bool(self.config.output_spaces),
            kept=workflows_of_run(self.config, run) if run in self.runs else None,
        )

    def _write_usage(self, ledger: Ledger) -> None:
        columns = ('run', 'step', 'seconds', 'cpu_seconds', 'peak_gb')
        rows = [
            (run, node, f'{used.seconds:.2f}', f'{used.cpu_seconds:.2f}', f'{used.peak_gb:.3f}')
            for run, node, used in ledger.usage
        ]
        write_tsv(self.log_file('resources.tsv'), columns, rows)

    def _outputs(self, run: GreRun | Skipped) -> list[Path]:
        """Files of a run in the output folder, of this call or of an earlier one."""
        joint = run.name == name_of(run.entities)
        return outputs_of_run(self.config.output_dir, run.entities, joint=joint)

    def _stands(self, subject: str, records: Sequence[RunRecord]) -> bool:
        """Whether the page of a subject is left alone: this call made none of the maps there."""
        page = self.config.output_dir / f'sub-{subject}.html'
        none_made = all(record.status['status'] != OK for record in records)
        maps = (self.config.output_dir / f'sub-{subject}').rglob('*.nii.gz')
        return none_made and page.is_file() and any(maps)

    def settle_leftovers(self, state: RunState, progress: Progress) -> None:
        """Tell of files that an earlier call left and this one did not make, or remove them."""
        if state.status.status != OK:
            return
        left = left_over(self._outputs(state.run), state.written)
        if not self.config.clean_output:
            for said in [leftover_sentence(left)] if left else []:
                state.status.warn([said], 'outputs_wf')
                progress.tell(f'{state.run.name}: {said}', logging.WARNING)
            return
        joint = len(state.run.runs) > 1
        pictures = pictures_of_run(self.config.output_dir, state.run.entities, joint=joint)
        for path in [*left, *pictures]:
            path.unlink(missing_ok=True)
            LOGGER.info('removed %s of an earlier call', path)

    def _forgotten(self, run: GreRun) -> RunState:
        missing = (
            f'{self.config.work_dir} holds no maps of {run.name}, expected those of an earlier '
            'call, unchanged: run without --reports-only'
        )
        return RunState(run, Status(run.name, FAILED, missing))

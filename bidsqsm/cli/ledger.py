"""Account of a call: what became of every run, booked from the events of the executor."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nipype.pipeline import engine as pe

from bidsqsm.cli.outcome import Status
from bidsqsm.cli.progress import Progress
from bidsqsm.cohort.run_files import FAILED, OK, SKIPPED
from bidsqsm.executor import Failure, FailureKind, Usage
from bidsqsm.facts.record import StepFacts
from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.files.atomic import write_text
from bidsqsm.files.json_files import as_json
from bidsqsm.files.plain_text import escaped_lines
from bidsqsm.inputs.run import GreRun
from bidsqsm.reports.subject.resource_use import StepUse
from bidsqsm.steps import step_of_workflows, words_of_node
from bidsqsm.workflows.base import run_workflow
from bidsqsm.workflows.outputs import made_by_nodes
from bidsqsm.workflows.run import workflow_name

LOGGER = logging.getLogger(__name__)


@dataclass
class RunState:
    """What is known of a run so far: its files, what was decided, what it took, how it stands."""

    run: GreRun
    status: Status
    products: dict[str, Path] = field(default_factory=dict)
    facts: RunFacts = field(default_factory=RunFacts)
    used: dict[str, StepUse] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    finished: bool = False


class Ledger:
    """Listens to the executor and books every event to its run.

    Parameters
    ----------
    runs
        The runs of the graph.
    progress
        Told of every event.
    log_folder
        Gives the folder for the crash files of a run.
    memory
        Memory planned with, in GB, for advice.
    workflow
        The graph, which tells where products and facts come from.

    """

    def __init__(
        self,
        runs: Sequence[GreRun],
        progress: Progress,
        log_folder: Callable[[GreRun], Path],
        memory: float,
        workflow: pe.Workflow,
    ) -> None:
        self.states = {
            workflow_name(run.name): RunState(run, Status(run.name, warnings=[*run.warnings]))
            for run in runs
        }
        self._made = {
            workflow_name(run.name): made_by_nodes(run_workflow(workflow, run)) for run in runs
        }
        self.usage: list[tuple[str, str, Usage]] = []
        self.interrupted: KeyboardInterrupt | None = None
        self._progress, self._log_folder, self._memory = progress, log_folder, memory

    def on_status(self, node: Any, event: str) -> None:
        """Nipype's status callback."""
        state = self._state(node)
        if event == 'start':
            self._progress.start(state.run.name, node.name)
        elif event == 'end':
            self._book(state, node)
            # a step whose result is that of an earlier call ends without an account
            state.used.setdefault(node.name, StepUse(words_of_node(node.name), reused=True))
            self._progress.end(state.run.name, node.name)

    def on_end(self, node: Any, usage: Usage) -> None:
        """The executor's account of a node that ran."""
        state = self._state(node)
        state.status.seconds = round(state.status.seconds + usage.seconds, 1)
        self.usage.append((state.run.name, node.name, usage))
        state.used[node.name] = StepUse(
            words_of_node(node.name),
            round(usage.seconds, 2),
            round(usage.cpu_seconds, 2),
            round(usage.peak_gb, 3),
        )
        LOGGER.info(
            '%s: %s took %.1f s, %.1f CPU s, %.2f GB at most',
            state.run.name,
            words_of_node(node.name),
            usage.seconds,
            usage.cpu_seconds,
            usage.peak_gb,
        )

    def on_damage(self, node: Any, trouble: str) -> None:
        """Tell that a step that was finished runs again, and why."""
        said = f'{self._state(node).run.name}: {words_of_node(node.name)} is run again: {trouble}'
        self._progress.tell(said, logging.WARNING)

    def on_failure(self, node: Any, failure: Failure) -> str:
        """Book a failure to its run; returns the path of the crash file."""
        state = self._state(node)
        reason = self.reason(node, failure)
        path = self._log_folder(state.run) / f'{state.run.name}_{node.name}_crash.txt'
        inputs = '\n'.join(f'  {k} = {v}' for k, v in sorted(node.inputs.get().items()))
        text = f'{reason}\n\n{node.fullname}\n{inputs}\n\n{failure.details}\n'
        write_text(path, escaped_lines(text))
        if state.status.status == OK:  # the first failure is the cause
            state.status.status = SKIPPED if failure.kind is FailureKind.DATASET else FAILED
            state.status.reason, state.status.crash = reason, str(path)
            self._progress.fail(state.run.name, state.status.status, reason)
        LOGGER.debug('%s', failure.details)
        return str(path)

    def reason(self, node: Any, failure: Failure) -> str:
        """One sentence for the person who runs the app."""
        if failure.kind in {FailureKind.MEMORY, FailureKind.KILLED}:
            return (
                f'the step {words_of_node(node.name)}: {failure.message}; it was expected to need '
                f'{node.mem_gb:.1f} GB of the {self._memory:.1f} GB planned with (--mem): if '
                'memory ran out, give the job more, or lower --nprocs so that fewer steps run '
                'at once'
            )
        if failure.kind is FailureKind.DISK:
            place = getattr(node.inputs, 'output_dir', None) or node.output_dir()
            where = '' if '/' in failure.message else f' in {place}: free space or choose another'
            return f'the step {words_of_node(node.name)}: {failure.message}{where}'
        if failure.kind is FailureKind.ERROR:
            return f'the step {words_of_node(node.name)}: {failure.message}'
        return failure.message

    def close(self, reason: str) -> None:
        """Settle the runs that neither finished nor failed."""
        for state in self.states.values():
            if state.status.status == OK and not state.finished:
                lost = [
                    run.name
                    for run in state.run.runs
                    if self.states[workflow_name(run.name)].status.status != OK
                ]
                why = (
                    f'{", ".join(lost)} of its orientations could not be processed'
                    if lost
                    else reason
                )
                state.status.status, state.status.reason = FAILED, why

    def _book(self, state: RunState, node: Any) -> None:
        outputs = node.result.outputs.get()
        run_wf, place = self._placed(node)
        step = step_of_workflows(place[:-1])
        warnings = StepFacts.of(outputs.get('facts')).warnings
        state.status.warn(warnings, step.workflow if step else place[-2])
        products, facts = (made.get(place, {}) for made in self._made[run_wf])
        for output, keys in products.items():
            if isinstance(outputs.get(output), str):
                state.products |= {key: Path(outputs[output]) for key in keys}
        for output, steps in facts.items():
            told = json.loads(as_json(outputs.get(output) or {}))
            state.facts |= RunFacts.of(dict.fromkeys(steps, told))
        if node.name == 'write_derivatives':
            state.finished, state.methods = True, {**node.inputs.methods}
            state.written = tuple(map(Path, outputs.get('out_files') or ()))

    def _state(self, node: Any) -> RunState:
        return self.states[self._placed(node)[0]]

    def _placed(self, node: Any) -> tuple[str, tuple[str, ...]]:
        """The workflow of a node's run, and the path of the node from there on."""
        parts = node.fullname.split('.')
        at = next(n for n, part in enumerate(parts) if part in self.states)
        return parts[at], tuple(parts[at + 1 :])

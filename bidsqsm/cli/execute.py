"""Runs the graph and keeps account of what became of every run."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bidsqsm.cli.outcome import FAILED, SKIPPED, Status
from bidsqsm.cli.progress import Progress, stage
from bidsqsm.config import Config
from bidsqsm.engine import Workflow
from bidsqsm.executor import Failure, ProcessPerNodePlugin, Usage, limit_threads
from bidsqsm.io.atomic import write_text
from bidsqsm.io.inputs import GreRun
from bidsqsm.io.json_files import as_json
from bidsqsm.reports.resources import StepUse
from bidsqsm.workflows.base import NAME, subject_workflow_name
from bidsqsm.workflows.links import FACTS, ONE_STEP, PRODUCTS, SHOWN
from bidsqsm.workflows.orientations import JOINT
from bidsqsm.workflows.run import workflow_name

LOGGER = logging.getLogger(__name__)

#: Products and the outputs that they come from; a run has those of the steps that it goes through
_MADE = (*PRODUCTS.items(), *ONE_STEP.items(), *SHOWN.items(), *JOINT.items())


@dataclass
class RunState:
    """What is known of a run so far: its files, what was decided, what it took, how it stands."""

    run: GreRun
    status: Status
    products: dict[str, Path] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: dict[str, StepUse] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
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

    """

    def __init__(
        self,
        runs: Sequence[GreRun],
        progress: Progress,
        log_folder: Callable[[GreRun], Path],
        memory: float,
    ) -> None:
        self.states = {
            workflow_name(run.name): RunState(run, Status(run.name, warnings=[*run.warnings]))
            for run in runs
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
            state.used.setdefault(node.name, StepUse(stage(node.name), reused=True))
            self._progress.end(state.run.name, node.name)

    def on_end(self, node: Any, usage: Usage) -> None:
        """The executor's account of a node that ran."""
        state = self._state(node)
        state.status.seconds = round(state.status.seconds + usage.seconds, 1)
        self.usage.append((state.run.name, node.name, usage))
        state.used[node.name] = StepUse(
            stage(node.name),
            round(usage.seconds, 2),
            round(usage.cpu_seconds, 2),
            round(usage.peak_gb, 3),
        )
        LOGGER.info(
            '%s: %s took %.1f s, %.1f CPU s, %.2f GB at most',
            state.run.name, stage(node.name), usage.seconds, usage.cpu_seconds, usage.peak_gb,
        )  # fmt: skip

    def on_failure(self, node: Any, failure: Failure) -> str:
        """Book a failure to its run; returns the path of the crash file."""
        state = self._state(node)
        reason = self.reason(node, failure)
        path = self._log_folder(state.run) / f'{state.run.name}_{node.name}_crash.txt'
        inputs = '\n'.join(f'  {k} = {v}' for k, v in sorted(node.inputs.get().items()))
        write_text(path, f'{reason}\n\n{node.fullname}\n{inputs}\n\n{failure.details}\n')
        if state.status.status == 'ok':  # the first failure is the cause
            state.status.status = SKIPPED if failure.kind == 'dataset' else FAILED
            state.status.reason, state.status.crash = reason, str(path)
            self._progress.fail(state.run.name, state.status.status, reason)
        LOGGER.debug('%s', failure.details)
        return str(path)

    def reason(self, node: Any, failure: Failure) -> str:
        """One sentence for the person who runs the app."""
        if failure.kind in ('memory', 'killed'):
            return (
                f'the step {stage(node.name)}: {failure.message}; it was expected to need '
                f'{node.mem_gb:.1f} GB of the {self._memory:.1f} GB planned with (--mem): if '
                'memory ran out, give the job more, or lower --nprocs so that fewer steps run '
                'at once'
            )
        if failure.kind == 'disk':
            place = getattr(node.inputs, 'output_dir', None) or node.output_dir()
            where = '' if '/' in failure.message else f' in {place}: free space or choose another'
            return f'the step {stage(node.name)}: {failure.message}{where}'
        if failure.kind == 'error':
            return f'the step {stage(node.name)}: {failure.message}'
        return failure.message

    def close(self, reason: str) -> None:
        """Settle the runs that neither finished nor failed."""
        for state in self.states.values():
            if state.status.status == 'ok' and not state.finished:
                lost = [
                    run.name
                    for run in state.run.runs
                    if self.states[workflow_name(run.name)].status.status != 'ok'
                ]
                why = (
                    f'{", ".join(lost)} of its orientations could not be processed'
                    if lost
                    else reason
                )
                state.status.status, state.status.reason = FAILED, why

    def _book(self, state: RunState, node: Any) -> None:
        outputs = node.result.outputs.get()
        facts = json.loads(as_json(outputs.get('facts') or {}))
        state.status.warn(facts.get('warnings', []), node.fullname.split('.')[-2])
        sources = _sources(node)
        state.facts |= {k: facts for k, source in FACTS.items() if source in sources}
        for key, source in _MADE:
            value = outputs.get(sources.get(source, ''))
            if isinstance(value, str):
                state.products[key] = Path(value)
        if node.name == 'write_derivatives':
            state.finished, state.methods = True, {**node.inputs.methods}

    def _state(self, node: Any) -> RunState:
        return next(self.states[part] for part in node.fullname.split('.') if part in self.states)


def _sources(node: Any) -> dict[str, str]:
    """Outputs of a node by what :mod:`bidsqsm.workflows.links` calls them."""
    step = node.fullname.split('.')[-2]
    names = {f'{step}.{name}': name for name in node.outputs.get()}
    if step == 'fieldmap_wf':
        which = 'unwrap_facts' if node.name == 'unwrap_phase' else 'field_facts'
        names[f'{step}.{which}'] = 'facts'
    return names


def execute(config: Config, workflow: Workflow, ledger: Ledger) -> None:
    """Run the graph of all runs; a run that fails takes no other with it."""
    limit_threads(config.omp_nthreads or 1)
    plugin = ProcessPerNodePlugin(
        {
            'n_procs': config.nprocs,
            'memory_gb': config.mem,
            'status_callback': ledger.on_status,
            'on_failure': ledger.on_failure,
            'on_end': ledger.on_end,
        }
    )
    why = 'not finished, as the call ended before'
    try:
        workflow.run(plugin=plugin)
    except KeyboardInterrupt as error:
        # without its traceback, which would keep the plugin and its pipes
        ledger.interrupted, why = type(error)(), 'interrupted'
    except Exception as error:
        # Nipype raises the first failure once more when all is done; the ledger has them all
        LOGGER.debug('Nipype: %s', error)
        if all(state.status.status == 'ok' for state in ledger.states.values()):
            raise
    ledger.close(why)


def count_nodes(workflow: Workflow, run: GreRun) -> int:
    """Number of steps that a run takes, those that only pass on left out."""
    paths = [name.split('.') for name in workflow.list_node_names()]
    own = [path for path in paths if workflow_name(run.name) in path]
    return sum(path[-1] not in ('inputnode', 'outputnode') for path in own)


def clean(config: Config, states: Sequence[RunState]) -> None:
    """Remove the work files of the runs that are done."""
    for state in states:
        if state.status.status == 'ok':
            subject = config.work_dir / NAME / subject_workflow_name(state.run.entities['sub'])
            shutil.rmtree(subject / workflow_name(state.run.name), ignore_errors=True)
            for folder in (subject, subject.parent):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

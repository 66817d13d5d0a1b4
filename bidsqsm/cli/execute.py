"""Runs the graph of a call."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress

from nipype.pipeline import engine as pe

from bidsqsm.cli.compilation import compiling_ahead, sound_loops
from bidsqsm.cli.ledger import Ledger, RunState
from bidsqsm.cohort.run_files import OK
from bidsqsm.config import Config
from bidsqsm.executor import ProcessPerNodePlugin, limit_threads
from bidsqsm.inputs.run import GreRun
from bidsqsm.workflows import run as run_of_the_graph
from bidsqsm.workflows.base import NAME, subject_workflow_name
from bidsqsm.workflows.run import workflow_name

LOGGER = logging.getLogger(__name__)


def execute(
    config: Config, workflow: pe.Workflow, ledger: Ledger, tell: Callable[[str], None]
) -> None:
    """Run the graph of all runs; a run that fails takes no other with it.

    ``tell`` shows a sentence to the person who runs the app.
    """
    limit_threads(config.omp_nthreads or 1)
    # with one processor, nothing can be compiled beside a step
    several = (config.nprocs or 1) > 1
    ahead = compiling_ahead(config.methods, tell) if several else nullcontext()
    plugin = ProcessPerNodePlugin(
        {
            'n_procs': config.nprocs,
            'memory_gb': config.mem,
            'status_callback': ledger.on_status,
            'on_failure': ledger.on_failure,
            'on_end': ledger.on_end,
            'on_damage': ledger.on_damage,
            'check_contents': config.check_contents,
            # with the builders come the interfaces and what these compute with
            'preload': [run_of_the_graph.__name__],
        }
    )
    why = 'not finished, as the call ended before'
    try:
        with sound_loops(tell), ahead:
            workflow.run(plugin=plugin)
    except KeyboardInterrupt as error:
        # without its traceback, which would keep the plugin and its pipes
        ledger.interrupted, why = type(error)(), 'interrupted'
    except Exception as error:
        # Nipype raises the first failure once more when all is done; the ledger has them all
        LOGGER.debug('Nipype: %s', error)
        if all(state.status.status == OK for state in ledger.states.values()):
            raise
    ledger.close(why)


def count_nodes(workflow: pe.Workflow, run: GreRun) -> int:
    """Number of steps that a run takes, those that only pass on left out."""
    paths = [name.split('.') for name in workflow.list_node_names()]
    own = [path for path in paths if workflow_name(run.name) in path]
    return sum(path[-1] not in ('inputnode', 'outputnode') for path in own)


def clean(config: Config, states: Sequence[RunState]) -> None:
    """Remove the work files of the runs that are done."""
    for state in states:
        if state.status.status == OK:
            subject = config.work_dir / NAME / subject_workflow_name(state.run.entities['sub'])
            shutil.rmtree(subject / workflow_name(state.run.name), ignore_errors=True)
            for folder in (subject, subject.parent):
                # another call may have put something in, or removed it
                with suppress(OSError):
                    folder.rmdir()

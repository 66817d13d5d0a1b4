"""The workflow of a whole call of the app: the only builders that see its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nipype.pipeline import engine as pe

from bidsqsm.atlases.selection import NO_ATLASES, AtlasesAndSpaces
from bidsqsm.config import Config
from bidsqsm.inputs.orientation_set import OrientationSet
from bidsqsm.inputs.run import GreRun
from bidsqsm.workflows.connections import steps_in
from bidsqsm.workflows.multi_orientation import JOINT_INPUTS, R2STAR_OUTPUT, init_orientations_wf
from bidsqsm.workflows.run import as_node_name, init_run_wf, workflow_name

NAME = 'bidsqsm_wf'


def init_bidsqsm_wf(
    config: Config,
    runs: Sequence[GreRun],
    anatomy: AtlasesAndSpaces = NO_ATLASES,
    sets: Sequence[OrientationSet] = (),
    ages: Mapping[str, float] | None = None,
) -> pe.Workflow:
    """Build the graph of all runs, a workflow for every subject.

    Parameters
    ----------
    config
        The settings; threads are settled.
    runs
        The runs that can be processed, of any subjects.
    anatomy
        Atlases and templates of the call.
    sets
        Sets of those runs that are orientations of a head.
    ages
        In years, by the label of the subject, as far as they are known.

    """
    workflow = pe.Workflow(name=NAME, base_dir=str(config.work_dir))
    for subject in dict.fromkeys(run.entities['sub'] for run in runs):
        own = [run for run in runs if run.entities['sub'] == subject]
        joint = [one for one in sets if one.entities['sub'] == subject]
        age = (ages or {}).get(subject)
        workflow.add_nodes([init_subject_wf(config, subject, own, anatomy, age, joint)])
    workflow.config['execution'] = {
        'create_report': 'false',
        'hash_method': 'timestamp',
        'poll_sleep_duration': '0',
        # what a node makes does not depend on who uses it, nor does its hash
        'remove_unnecessary_outputs': 'false',
        'remove_node_directories': 'false',
        'stop_on_first_crash': str(config.stop_on_first_crash).lower(),
    }
    return workflow


def init_subject_wf(
    config: Config,
    subject: str,
    runs: Sequence[GreRun],
    anatomy: AtlasesAndSpaces = NO_ATLASES,
    age: float | None = None,
    sets: Sequence[OrientationSet] = (),
) -> pe.Workflow:
    """Build the graph of one subject.

    Parameters
    ----------
    config
        The settings; threads are settled.
    subject
        Label of the subject.
    runs
        The subject's runs.
    anatomy
        Atlases and templates of the call.
    age
        Of the subject, in years.
    sets
        Sets of those runs that are orientations of the head.

    """
    workflow = pe.Workflow(name=subject_workflow_name(subject))
    singles = {run.name: init_configured_run_wf(config, run, anatomy, age) for run in runs}
    workflow.add_nodes([*singles.values()])
    for several in sets:
        joint = init_orientations_wf(
            orientations=several,
            output_dir=config.output_dir,
            choices=config.methods,
            links=dataset_links(config),
            omp_nthreads=config.omp_nthreads or 1,
        )
        for number, run in enumerate(several.runs, start=1):
            taken = [
                (source, f'inputnode.{what}_{number}') for what, source in JOINT_INPUTS.items()
            ]
            if number == 1 and run.n_echoes > 1:
                taken.append((R2STAR_OUTPUT, 'inputnode.r2star'))
            workflow.connect([(singles[run.name], joint, taken)])
    return workflow


def init_configured_run_wf(
    config: Config, run: GreRun, anatomy: AtlasesAndSpaces = NO_ATLASES, age: float | None = None
) -> pe.Workflow:
    """Build the graph of one run, which is no set of orientations."""
    return init_run_wf(
        run=run,
        output_dir=config.output_dir,
        choices=config.methods,
        groups=config.products,
        phase_sign=config.phase_sign,
        rounds=config.rounds,
        two_pass=config.two_pass,
        corrections=config.corrections,
        force=config.force,
        links=dataset_links(config),
        anatomy=anatomy,
        age=age,
        omp_nthreads=config.omp_nthreads or 1,
    )


def workflows_of_run(config: Config, run: GreRun) -> set[str]:
    """Names of the workflows that a run is made of, but for registration and regions."""
    return {*steps_in(init_configured_run_wf(config, run))}


def subject_workflow_name(subject: str) -> str:
    """Name of a subject's workflow, which no run's can have."""
    return f'subject_{as_node_name(subject)}_wf'


def run_workflow(workflow: pe.Workflow, run: GreRun) -> pe.Workflow:
    """The workflow of a run within that of the whole call."""
    subject = subject_workflow_name(run.entities['sub'])
    return workflow.get_node(f'{subject}.{workflow_name(run.name)}')


def dataset_links(config: Config) -> dict[str, Path]:
    """Datasets by their name in ``DatasetLinks``: the input and those of ``--derivatives``."""
    return {'raw': config.bids_dir, **config.derivatives}

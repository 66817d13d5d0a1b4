"""One run: from its stored phase to its derivatives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from nipype.pipeline import engine as pe

from bidsqsm.interfaces.sign import expected_sign
from bidsqsm.io.groups import DEFAULT_GROUPS
from bidsqsm.io.inputs import GreRun
from bidsqsm.io.regions import NONE, Anatomy
from bidsqsm.methods import Choice
from bidsqsm.workflows.background import init_background_wf
from bidsqsm.workflows.choices import not_made, settled_choices, used_choices
from bidsqsm.workflows.dipole import init_dipole_wf
from bidsqsm.workflows.fieldmap import init_fieldmap_wf
from bidsqsm.workflows.links import FACTS, LINKS, ONE_STEP, PRODUCTS, QUALITY
from bidsqsm.workflows.masking import init_masking_wf
from bidsqsm.workflows.onestep import init_onestep_wf
from bidsqsm.workflows.others import left_out, needed, other_steps, unwanted
from bidsqsm.workflows.outputs import init_outputs_wf
from bidsqsm.workflows.passes import init_holes_wf, init_passes_wf, pass_links
from bidsqsm.workflows.phase import init_magnitude_wf, init_phase_wf, init_sign_wf
from bidsqsm.workflows.quality import init_quality_wf
from bidsqsm.workflows.reference import init_reference_wf
from bidsqsm.workflows.regions import EXTRAS, region_links, region_steps


def init_run_wf(
    *,
    run: GreRun,
    output_dir: Path,
    choices: Mapping[str, Choice],
    wanted: Sequence[str] = DEFAULT_GROUPS,
    phase_sign: str = 'auto',
    rounds: int = 1,
    two_pass: bool = False,
    wishes: Mapping[str, str] | None = None,
    force: tuple[str, ...] = (),
    links: Mapping[str, Path] | None = None,
    anatomy: Anatomy = NONE,
    age: float | None = None,
    omp_nthreads: int = 1,
    name: str | None = None,
) -> pe.Workflow:
    """Make the maps of one run and write them.

    Parameters
    ----------
    run
        The run.
    output_dir
        Root of the derivative dataset.
    choices
        Method of every step that the run is to go through, with its parameters.
    wanted
        Groups of products to make; see :data:`bidsqsm.io.groups.GROUPS`.
    phase_sign
        ``auto`` (from the data), ``+1`` or ``-1``.
    rounds
        How often the background is removed and the rest inverted; from the second time on, the
        field of the map so far is set aside first.
    two_pass
        Whether the map is made twice, the first time with holes in the mask where the phase is
        unreliable; not together with ``rounds``.
    wishes
        Whether to remove ``alternation``, ``bipolar`` and ``offset``: ``auto``, ``yes`` or ``no``.
    force
        Checks that are not to stop the run.
    links
        Datasets by their name in ``DatasetLinks``.
    anatomy
        Atlases to measure with, templates to bring maps to.
    age
        Of the subject, in years.
    omp_nthreads
        Threads one process may use.
    name
        Name of the workflow; made from that of the run if not given.

    """
    workflow = pe.Workflow(name=name or workflow_name(run.name))
    choices = settled_choices(run, choices)
    many = {'mem_gb': memory_gb(run.shape, 8 + 4 * run.n_echoes), 'omp_nthreads': omp_nthreads}
    steps = {'masking_wf': init_masking_wf(method=choices['mask'], mask=run.mask, **many)}
    if run.has_phase:
        steps |= _phase_steps(run, choices, phase_sign, rounds, wishes, force, omp_nthreads)
        steps |= _pass_steps(run, choices, omp_nthreads) if two_pass else {}
    else:
        # in the place of the phase's, with the same outputs but for the phase
        steps['phase_wf'] = init_magnitude_wf(run=run, mem_gb=many['mem_gb'], name='phase_wf')
    steps |= other_steps(run, choices, wanted, many)
    light = memory_gb(run.shape, 8)
    steps |= region_steps(run, anatomy, choices, age, light, omp_nthreads)
    links_of_run = (*LINKS, *region_links(run, anatomy, choices))
    chain = pass_links(links_of_run) if two_pass else (*links_of_run, *round_links(rounds))
    kept = needed(steps, chain, wanted)
    steps = {key: step for key, step in steps.items() if key in kept}
    # after what is kept is settled: nothing is made only to be judged
    steps['quality_wf'] = init_quality_wf(
        run=run,
        mem_gb=memory_gb(run.shape, 20 + 2 * run.n_echoes),
        omp_nthreads=omp_nthreads,
    )
    others = [
        f'{step}.extras' for step in EXTRAS if step in steps and step not in unwanted(wanted)
    ]
    products = {
        key: source
        for key, source in (*PRODUCTS.items(), *ONE_STEP.items())
        if _maker(source) in steps
        and _maker(source) not in unwanted(wanted)
        and key not in not_made(choices)
    }
    facts = {key: source for key, source in FACTS.items() if _maker(source) in steps}
    steps['outputs_wf'] = init_outputs_wf(
        run=run,
        output_dir=output_dir,
        choices=used_choices(
            run,
            choices,
            regions='rois_wf' in steps and bool(anatomy.atlases),
            spaces='spaces_wf' in steps,
            kept=kept,
        ),
        products=[*products],
        steps=[*facts],
        left_out=left_out(run, choices, wanted),
        links=links,
        extras=len(others),
        mem_gb=memory_gb(run.shape, 4 + run.n_echoes),
    )
    saved = [(source, f'outputs_wf.{key}') for key, source in products.items()]
    told = [(source, f'outputs_wf.facts_{key}') for key, source in facts.items()]
    added = [(source, f'outputs_wf.extras{n}') for n, source in enumerate(others, start=1)]
    for source, target in (*chain, *QUALITY, *saved, *told, *added):
        (maker, output), (taker, field) = source.split('.'), target.split('.')
        if maker in steps and taker in steps:
            workflow.connect(
                steps[maker], f'outputnode.{output}', steps[taker], f'inputnode.{field}'
            )
    return workflow


def round_links(rounds: int) -> list[tuple[str, str]]:
    """Links of the earlier rounds of background removal and inversion, and on to the next."""
    taken = [link for link in LINKS if _maker(link[1]) in ('background_wf', 'dipole_wf')]
    links = []
    for number in range(1, rounds):
        for source, target in taken:
            own = [
                f'{_of_round(_maker(end), number, rounds)}.{end.partition(".")[2]}'
                for end in (source, target)
            ]
            links.append((own[0], own[1]))
        after = _of_round('background_wf', number + 1, rounds)
        links.append((f'{_of_round("dipole_wf", number, rounds)}.chi', f'{after}.chi'))
    return links


def _of_round(name: str, number: int, rounds: int) -> str:
    """Name of a workflow in a round; that of the last round is plain."""
    repeated = name in ('background_wf', 'dipole_wf') and number < rounds
    return f'round{number}_{name}' if repeated else name


def _phase_steps(
    run: GreRun,
    choices: Mapping[str, Choice],
    phase_sign: str,
    rounds: int,
    wishes: Mapping[str, str] | None,
    force: tuple[str, ...],
    omp_nthreads: int,
) -> dict[str, pe.Workflow]:
    """What needs the phase: all that leads to the susceptibility."""
    times, n = run.echo_times, run.n_echoes
    many = {'mem_gb': memory_gb(run.shape, 8 + 4 * n), 'omp_nthreads': omp_nthreads}
    few = {'mem_gb': memory_gb(run.shape, 12), 'omp_nthreads': omp_nthreads}
    made = [
        init_phase_wf(
            run=run, coil=choices['coil'], unwrap=choices['unwrap'], wishes=wishes, force=force,
            mem_gb=memory_gb(run.shape, 10 + 5 * n), omp_nthreads=omp_nthreads,
        ),
        init_fieldmap_wf(
            unwrap=choices['unwrap'], field=choices['field'], echo_times=times,
            imaging_frequency=run.imaging_frequency, phase_sign=phase_sign, **many,
        ),
        init_sign_wf(phase_sign=phase_sign, expected=expected_sign(run.metadata), **many),
        init_reference_wf(
            method=choices['reference'], labels=run.labels, fluid=run.fluid, **few,
        ),
    ]  # fmt: skip
    if 'onestep' in choices:
        made.append(_onestep(run, choices, omp_nthreads))
    else:
        for number in range(1, rounds + 1):
            made.append(
                init_background_wf(
                    method=choices['background'],
                    rounds=number,
                    name=_of_round('background_wf', number, rounds),
                    **few,
                )
            )
            made.append(
                init_dipole_wf(
                    method=choices['dipole'], name=_of_round('dipole_wf', number, rounds), **few
                )
            )
    return {step.name: step for step in made}


def _onestep(
    run: GreRun, choices: Mapping[str, Choice], omp_nthreads: int, name: str = 'onestep_wf'
) -> pe.Workflow:
    return init_onestep_wf(
        method=choices['onestep'],
        echo_times=run.echo_times,
        imaging_frequency=run.imaging_frequency,
        mem_gb=memory_gb(run.shape, 8 + 4 * run.n_echoes),
        omp_nthreads=omp_nthreads,
        name=name,
    )


def _pass_steps(
    run: GreRun, choices: Mapping[str, Choice], omp_nthreads: int
) -> dict[str, pe.Workflow]:
    """What a run in two passes has besides."""
    few = {'mem_gb': memory_gb(run.shape, 12), 'omp_nthreads': omp_nthreads}
    light = memory_gb(run.shape, 6)
    made = [
        init_holes_wf(method=choices['mask'], mem_gb=light),
        init_passes_wf(mem_gb=light),
    ]
    if 'onestep' in choices:
        made.append(_onestep(run, choices, omp_nthreads, 'holed_onestep_wf'))
    else:
        made += [
            init_background_wf(method=choices['background'], name='holed_background_wf', **few),
            init_dipole_wf(method=choices['dipole'], name='holed_dipole_wf', **few),
        ]
    return {step.name: step for step in made}


def workflow_name(run_name: str) -> str:
    """Name of a run's workflow, such as ``sub_01_acq_x_wf``."""
    return f'{as_node_name(run_name)}_wf'


def as_node_name(text: str) -> str:
    """Spell labels so that Nipype takes them: ``-`` is ``_`` and ``+``, which BIDS allows, ``__``."""
    return text.replace('-', '_').replace('+', '__')


def memory_gb(shape: tuple[int, ...], volumes: float) -> float:
    """Memory of so many float32 volumes and of the libraries, in GB."""
    return 0.35 + volumes * 4 * math.prod(shape) / 2**30


def _maker(source: str) -> str:
    return source.partition('.')[0]

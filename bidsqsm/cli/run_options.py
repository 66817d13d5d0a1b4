"""The options of a run, by their headings; those of the steps come from the catalogue."""

from __future__ import annotations

from typing import Any

from bidsqsm.atlases.templateflow import DEFAULT_ATLAS, FLOW_ATLASES
from bidsqsm.catalog import STEPS
from bidsqsm.cli.arguments import (
    any_path,
    body,
    choice,
    choice_or_file,
    count,
    existing,
    memory,
    named_path,
    orientations,
    without,
)
from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS, GROUPS
from bidsqsm.method import Step
from bidsqsm.qsm.body import BODIES


def add_selection(group: Any) -> None:
    """What of the dataset is processed."""
    _add_labels(group)
    _add_dataset(group)


def _add_labels(group: Any) -> None:
    add = group.add_argument
    add(
        '--participant-label',
        '--participant_label',
        nargs='+',
        type=without('sub-'),
        metavar='LABEL',
        help='only these participants, with or without sub-',
    )
    add(
        '--session-label',
        '--session_label',
        nargs='+',
        type=without('ses-'),
        metavar='LABEL',
        help='only these sessions, with or without ses-',
    )


def _add_dataset(group: Any) -> None:
    add = group.add_argument
    add(
        '--bids-filter-file',
        type=existing,
        metavar='FILE',
        help='JSON {query: {entity: value}}; null: entity absent, "*": any value',
    )
    add(
        '--skip-bids-validation',
        action='store_true',
        help='do not run the BIDS validator (its errors would stop the run)',
    )
    add(
        '-d',
        '--derivatives',
        nargs='+',
        action='extend',
        type=named_path,
        metavar='NAME=PATH',
        help='datasets of precomputed masks, segmentations or transforms, or FreeSurfer subjects',
    )
    add(
        '--bids-database-dir',
        type=any_path,
        metavar='DIR',
        help='folder of the PyBIDS index, made there if absent',
    )


def add_steps(group: Any) -> None:
    """How: methods of the steps, products, regions, inversion and phase."""
    for step in STEPS.values():
        group.add_argument(
            f'--{step.option}',
            type=choice_or_file(step) if step.name == 'mask' else choice(step),
            metavar='METHOD|FILE' if step.name == 'mask' else 'METHOD[:NAME=VALUE,...]',
            help=_help(step),
        )
    group.add_argument(
        '--products',
        nargs='+',
        choices=[*GROUPS],
        metavar='PRODUCT',
        help='what is made: '
        + '; '.join(f'{name} ({g.title})' for name, g in GROUPS.items())
        + f' (default: {" ".join(DEFAULT_GROUPS)})',
    )
    _add_body(group)
    _add_regions(group)
    _add_inversion(group)
    _add_phase(group)


def _add_body(group: Any) -> None:
    group.add_argument(
        '--body',
        type=body,
        metavar='BODY[:SCALE]',
        help='what was scanned: '
        + '; '.join(f'{name} ({what})' for name, what in BODIES.items())
        + '; or auto, by the size of the object. All lengths in mm of the methods are those of an adult'
        " and are multiplied by SCALE, the object's length over that of an adult's head, which is"
        ' measured where it is not given (default: auto)',
    )


def _add_regions(group: Any) -> None:
    group.add_argument(
        '--atlases',
        nargs='+',
        metavar='ATLAS',
        help=f'atlases whose regions are measured: {", ".join(FLOW_ATLASES)} of TemplateFlow, folders'
        ' with template.nii.gz, dseg.nii.gz and dseg.tsv, or none'
        f' (default: {DEFAULT_ATLAS}; `bidsqsm fetch-templates` fetches what it needs)',
    )
    group.add_argument(
        '--output-spaces',
        nargs='+',
        metavar='SPACE',
        help='templates whose grid maps and masks are brought to as well: NAME or NAME:res-N of'
        ' TemplateFlow, or a folder with template.nii.gz',
    )


def _add_inversion(group: Any) -> None:
    group.add_argument(
        '--rounds',
        type=count,
        metavar='N',
        help='how often the background is removed and the rest inverted: from the second time on,'
        ' the field of the map so far is set aside before (default: 1)',
    )
    group.add_argument(
        '--two-pass',
        action='store_true',
        help='make the map twice, for strong sources: with a mask that leaves out voxels of unreliable '
        'phase, and with the whole mask, which fills the holes of the first map; takes twice as long,'
        ' and see the page on masks before use',
    )
    group.add_argument(
        '--orientations',
        type=orientations,
        metavar='ENTITY[=LABEL,...]',
        help='make one map (--joint) of the runs of a subject that differ in this entity only, such '
        'as ses or acq=supine,left,right: three or more orientations of the head, the first of '
        'which is the reference; each is processed by itself as well',
    )


def _add_phase(group: Any) -> None:
    group.add_argument(
        '--phase-sign',
        choices=['auto', '+1', '-1'],
        help='sign that makes the stored phase grow with the field; auto decides from the data'
        ' (default: auto)',
    )
    for option, what in (
        ('--slice-alternation', 'undo a sign that alternates from slice to slice'),
        ('--bipolar', 'remove the phase of readouts in alternating directions'),
        ('--phase-offset', 'remove the receive phase'),
    ):
        group.add_argument(
            option, choices=['auto', 'yes', 'no'], help=f'{what} (default: auto, from the data)'
        )
    group.add_argument(
        '--force',
        nargs='+',
        choices=['filtered-phase'],
        metavar='CHECK',
        help='go on where a check would stop: filtered-phase (phase that looks high-pass filtered)',
    )


def add_running(group: Any) -> None:
    """Resources, files and logs of a run."""
    _add_resources(group)
    _add_work(group)
    _add_logging(group)


def _add_resources(group: Any) -> None:
    add = group.add_argument
    add(
        '--nprocs',
        '--nthreads',
        '--n-cpus',
        type=count,
        metavar='N',
        help='processors to use (default: those of the affinity, cgroup and SLURM)',
    )
    add(
        '--omp-nthreads',
        type=count,
        metavar='N',
        help='threads of one step (default: processors shared out over the runs)',
    )
    add(
        '--mem',
        '--mem-mb',
        '--mem_mb',
        type=memory,
        metavar='AMOUNT',
        help='memory to plan with, with K, M, G or T (default unit: M)',
    )


def _add_work(group: Any) -> None:
    add = group.add_argument
    add(
        '-w',
        '--work-dir',
        type=any_path,
        metavar='DIR',
        help='folder of intermediate files, kept so that a second run resumes'
        ' (default: "work" beside the output, or beside the dataset if that holds the output)',
    )
    add(
        '--clean-workdir',
        action='store_true',
        help='remove the work files of a run once its derivatives are written',
    )
    add(
        '--clean-output',
        action='store_true',
        help='remove files that an earlier call wrote for a run and this one does not make, such as maps of'
        ' other --products (default: name them in a warning)',
    )
    add(
        '--check-contents',
        action='store_true',
        help='use finished steps again only if the files that they were made from, and their own, still'
        ' hold the same (default: if these have the same size and time), which reads all of them',
    )
    add(
        '--wait',
        action='store_true',
        help='wait for other calls that use the work files of the same participants'
        ' (default: say so and leave)',
    )
    add(
        '--config-file',
        type=existing,
        metavar='FILE',
        help='TOML with these options as keys; the command line wins',
    )


def _add_logging(group: Any) -> None:
    add = group.add_argument
    add(
        '--stop-on-first-crash',
        action='store_true',
        help='end at the first failure; otherwise the other runs go on',
    )
    add(
        '--resource-monitor',
        action='store_true',
        help='write seconds, CPU seconds and peak memory of every step to the log folder',
    )
    add('-v', '--verbose', action='count', help='more in the log; twice: everything')


def add_modes(group: Any) -> None:
    """What is done instead of a full run."""
    add = group.add_argument
    add('--dry-run', action='store_true', help='print the table of runs and stop')
    add('--boilerplate-only', action='store_true', help='write the methods text and stop')
    add('--reports-only', action='store_true', help='write the reports of finished runs again')
    add('--write-graph', action='store_true', help='draw the graph of the steps in the log folder')


def _help(step: Step) -> str:
    methods = '; '.join(
        m.name + (f' ({", ".join(m.parameters)})' if m.parameters else '') for m in step.methods
    )
    given = ', or a mask as PATTERN of a file' if step.name == 'mask' else ''
    text = f'from {step.takes} to {step.gives}, by one of: {methods}{given}'
    place = ' or '.join(f'--{name}' for name in step.replaces)
    instead = f', unless {place} is given, whose place it takes' if place else ''
    return f'{text} (default: {step.default}{instead})'.replace('%', '%%')

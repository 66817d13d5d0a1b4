"""``bidsqsm BIDS_DIR OUTPUT_DIR group``: the page and the tables of a cohort."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidsqsm import __version__
from bidsqsm.cli.arguments import existing
from bidsqsm.cli.logs import new_identity, start_logging
from bidsqsm.cli.outcome import cohort_outcome
from bidsqsm.cli.paths import check_places, make_writable
from bidsqsm.cli.terminal import say
from bidsqsm.errors import DatasetError
from bidsqsm.files.plain_text import escaped
from bidsqsm.files.regular_files import why_no_folder

LOGGER = logging.getLogger(__name__)

_FILES_ON_SCREEN = 10  # damaged files that are named on the screen; the log and the page have all
#: Options that the level has
_GROUP_OPTIONS = ('participant_label', 'session_label', 'ratings', 'verbose')
#: Options that decide nothing here: schedulers and wrappers give them at both levels
_PASSED_OVER = (
    'work_dir',
    'nprocs',
    'omp_nthreads',
    'mem',
    'skip_bids_validation',
    'bids_database_dir',
    'stop_on_first_crash',
)


@dataclass(frozen=True, kw_only=True)
class GroupSettings:
    """What the user decided at the level ``group``; every field is an option of the same name."""

    bids_dir: Path
    output_dir: Path
    participant_label: tuple[str, ...] = ()
    session_label: tuple[str, ...] = ()
    ratings: tuple[Path, ...] = ()
    verbose: int = 0


def add_group_options(group: Any) -> None:
    """Add what only the level ``group`` has."""
    group.add_argument(
        '--ratings',
        nargs='+',
        type=existing,
        metavar='FILE',
        help='tables of ratings besides those in the output folder (*_ratings.tsv at its root and '
        'in ratings/); of the other options, the level takes --participant-label, --session-label, '
        '--config-file and -v',
    )


def group_settings(
    given: Mapping[str, Any], from_file: Mapping[str, Any], parser: argparse.ArgumentParser
) -> GroupSettings:
    """Take what has a meaning at this level; what was typed and has none is refused.

    Of a file of settings, which may be that of a call at the level ``participant``, the rest is left
    alone.
    """
    fixed = ('bids_dir', 'output_dir')
    for name in given:
        if name not in (*fixed, *_GROUP_OPTIONS, *_PASSED_OVER):
            option = f'--{name.replace("_", "-")}'
            parser.error(
                f'{option} has no meaning at the level group, which computes no maps: leave it out'
            )
    settings = {**from_file, **given}
    kept = {name: settings[name] for name in (*fixed, *_GROUP_OPTIONS) if name in settings}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    folders = {name: kept[name].expanduser().resolve() for name in fixed}
    return GroupSettings(**{**kept, **lists, **folders})


def group(settings: GroupSettings, command: str) -> tuple[str, int]:
    """Write page and tables of a cohort; returns the last line and the exit code."""
    started = time.monotonic()
    check_places(settings.bids_dir, settings.output_dir)
    if why := why_no_folder(settings.output_dir):
        raise DatasetError(
            f'{settings.output_dir} {why}, expected the output of the level participant: '
            'run that first'
        )
    # pandas and all that follows take longer to load than a wrong command line to be told
    from bidsqsm.cohort.flags import judge
    from bidsqsm.cohort.gather import gather
    from bidsqsm.derivatives.dataset_files import dataset_name, write_bidsignore
    from bidsqsm.reports.cohort.write import write_cohort

    cohort = gather(
        settings.bids_dir,
        settings.output_dir,
        settings.participant_label,
        settings.session_label,
        settings.ratings,
    )
    make_writable(settings.output_dir, 'output')
    start_logging(settings.output_dir / 'logs' / f'bidsqsm_{new_identity()}.log', settings.verbose)
    LOGGER.info('bidsqsm %s: %s', __version__, command)
    _tell(cohort.troubles)
    judged = judge(cohort.runs)
    _tell(judged.notes)
    page = write_cohort(settings.output_dir, cohort, judged, dataset_name(settings.bids_dir))
    write_bidsignore(settings.output_dir)
    states = [run.status for run in cohort.runs]
    return cohort_outcome(states, len(judged.order()), page, time.monotonic() - started), 0


def _tell(troubles: Sequence[str]) -> None:
    for trouble in troubles:
        LOGGER.warning('%s', trouble)
    for trouble in troubles[:_FILES_ON_SCREEN]:
        say(escaped(f'warning: {trouble}'), error=True)
    if len(troubles) > _FILES_ON_SCREEN:
        say(f'warning: and {len(troubles) - _FILES_ON_SCREEN} more', error=True)

"""``bidsqsm BIDS_DIR OUTPUT_DIR participant`` or ``group``: from the settings to the last line."""

from __future__ import annotations

import logging
import math
import shlex
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsqsm import __version__
from bidsqsm.atlases.atlas_lookup import resolve_atlases, resolve_template
from bidsqsm.atlases.selection import NO_ATLASES, AtlasesAndSpaces
from bidsqsm.atlases.templateflow import MissingTemplate
from bidsqsm.cli.group import GroupSettings, group
from bidsqsm.cli.logs import quiet_nipype, start_logging
from bidsqsm.cli.outcome import Status, outcome
from bidsqsm.cli.parser import parse_arguments
from bidsqsm.cli.paths import (
    check_paths,
    contain_caches,
    keep_others_out,
    make_writable,
    mend_parts,
    write_for_no_others,
)
from bidsqsm.cli.resources import available_cpus, available_memory
from bidsqsm.cli.terminal import say
from bidsqsm.cli.validation import find_validator, refuse, validation_errors
from bidsqsm.config import Config
from bidsqsm.errors import NO_MEMORY, DatasetError, is_of_memory
from bidsqsm.files.atomic import sweep_staged
from bidsqsm.files.folder_lock import InUseError, exclusive
from bidsqsm.files.json_files import load_json
from bidsqsm.files.plain_text import escaped
from bidsqsm.files.regular_files import why_unreadable

if TYPE_CHECKING:
    from bidsqsm.cli.call import Call
    from bidsqsm.inputs.orientation_set import OrientationSet
    from bidsqsm.inputs.run import GreRun, Skipped

LOGGER = logging.getLogger(__name__)
MOST_THREADS = 8  # of one step; beyond, the gain is small


class Terminated(KeyboardInterrupt):
    """The scheduler asked the app to end."""


def main(argv: Sequence[str]) -> int:
    """Run the app.

    Returns
    -------
    0 where all that was asked for was made, 1 where a run failed or was skipped, 2 for a wrong
    command line or input, 127 where a program or a template is missing, 130 or 143 where it was
    interrupted.

    """
    # until there is a log file, what is printed here is all that is said
    logging.getLogger('bidsqsm').addHandler(logging.NullHandler())
    settings = parse_arguments(argv)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        line, code = _level(settings, shlex.join(['bidsqsm', *argv]))
    except DatasetError as error:
        code = 127 if isinstance(error, MissingTemplate) else 2
        line = f'bidsqsm failed: {error}'
    except KeyboardInterrupt as error:
        line, code = _interrupted(error)
    except InUseError as error:
        advice = 'wait for its end, as --wait does, or choose another with --work-dir'
        line, code = f'bidsqsm failed: {error}: {advice}', 1
    except OSError as error:
        LOGGER.debug('the app ended', exc_info=True)
        line = NO_MEMORY if is_of_memory(error) else f'bidsqsm failed: {_of_disk(error)}'
        code = 1
    except Exception as error:  # whatever it is, the last line must say that the call failed
        LOGGER.exception('a fault of the program')
        what = ' '.join(f'{type(error).__name__}: {error}'.split())
        fault = f'bidsqsm failed: a fault of the program ({what}): please report it with the log'
        line, code = NO_MEMORY if is_of_memory(error) else fault, 1
    finally:
        signal.signal(signal.SIGTERM, before)
    if line:
        LOGGER.log(logging.ERROR if code else logging.INFO, '%s', line)
        say(escaped(line), error=bool(code))
    return code


def _level(settings: Config | GroupSettings, command: str) -> tuple[str, int]:
    if isinstance(settings, GroupSettings):
        return group(settings, command)
    return participant(settings, command)


def participant(config: Config, command: str) -> tuple[str, int]:
    """Process the runs of a dataset; returns the last line and the exit code."""
    started = time.monotonic()
    check_paths(config)
    found, sets = _find(config)
    if config.dry_run:
        from bidsqsm.inputs.run_table import run_table

        say(run_table([*found, *sets]))
        return '', 0
    if config.write_graph and shutil.which('dot') is None:
        return 'bidsqsm failed: --write-graph needs the program dot (of Graphviz): install it', 127
    anatomy = _resolve(config)
    write_for_no_others()
    make_writable(config.output_dir, 'output')
    sweep_staged(config.output_dir)
    make_writable(config.work_dir, 'work')
    keep_others_out(config.work_dir)
    mend_parts(config.work_dir)
    contain_caches(config.work_dir)
    # what follows needs the caches in their place
    from bidsqsm.cli.call import Call

    call = Call(settle(config, [*found, *sets]), command, found, anatomy, sets)
    start_logging(call.log_file('log'), config.verbose)
    quiet_nipype(config.verbose)
    LOGGER.info('bidsqsm %s: %s', __version__, command)
    for atlas in anatomy.atlases:
        LOGGER.info('atlas %s (%s): licence: %s', atlas.name, atlas.dseg, atlas.license)
    with _claims(call):
        _validate(call)
        call.write_settings()
        statuses = _statuses(call)
    if call.interrupted is not None:
        return _interrupted(call.interrupted)
    return outcome(statuses, time.monotonic() - started) if statuses else ('', 0)


def _statuses(call: Call) -> list[Status]:
    if call.config.write_graph and call.runs:
        say(f'graph: {call.draw()}')
    if call.config.boilerplate_only:
        say(f'methods text: {call.write_boilerplate()}')
        return []
    return call.report_again() if call.config.reports_only else call.process()


def _claims(call: Call) -> AbstractContextManager[None]:
    """Keep other calls from the work files of the participants, where any are used."""
    if call.config.boilerplate_only:
        return nullcontext()
    return exclusive(
        call.config.work_dir / 'claims',
        {f'sub-{run.entities["sub"]}' for run in call.found},
        _say_waiting if call.config.wait else None,
    )


def _say_waiting(words: str) -> None:
    LOGGER.info('%s', words)
    say(f'waiting: {words}')


def settle(config: Config, found: Sequence[GreRun | Skipped]) -> Config:
    """Fill in processors, memory and threads; threads go to steps only where runs are few."""
    from bidsqsm.inputs.run import GreRun

    nprocs = config.nprocs or available_cpus()
    runs = max(1, sum(isinstance(run, GreRun) for run in found))
    shared = min(MOST_THREADS, math.ceil(nprocs / runs))
    threads = min(nprocs, config.omp_nthreads or shared)
    return replace(
        config, nprocs=nprocs, omp_nthreads=threads, mem=config.mem or available_memory()
    )


def _find(config: Config) -> tuple[list[GreRun | Skipped], list[OrientationSet | Skipped]]:
    """Find the runs, and bring together those that are orientations of a head."""
    from bidsqsm.derivatives.product_groups import skip_without_products
    from bidsqsm.inputs.bodies import with_bodies
    from bidsqsm.inputs.discovery import find_runs
    from bidsqsm.inputs.orientation_set import orientation_sets, read_orientations

    found = find_runs(
        config.bids_dir,
        participant_label=config.participant_label,
        session_label=config.session_label,
        filters=_filters(config.bids_filter_file),
        derivatives=config.derivatives,
        mask_pattern=config.mask_pattern,
        database_dir=config.bids_database_dir,
    )
    found = skip_without_products(found, config.methods, config.products)
    if not config.dry_run:
        found = with_bodies(found, config.body)
    if not config.orientations:
        return found, []
    return found, orientation_sets(found, *read_orientations(config.orientations))


def _resolve(config: Config) -> AtlasesAndSpaces:
    """Find atlases and templates, unless nothing is to be computed."""
    if config.boilerplate_only or config.reports_only:
        return NO_ATLASES
    return AtlasesAndSpaces(
        resolve_atlases(config.atlases),
        tuple(resolve_template(spec) for spec in config.output_spaces),
    )


def _filters(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    try:
        content = load_json(path)
    except OSError as error:
        raise DatasetError(f'--bids-filter-file {path} {why_unreadable(path, error)}') from error
    except ValueError as error:
        raise DatasetError(f'--bids-filter-file {path}: {error}; expected JSON') from error
    if not isinstance(content, dict):
        raise DatasetError(f'--bids-filter-file {path}: expected {{query: {{entity: value}}}}')
    return content


def _validate(call: Call) -> None:
    if call.config.skip_bids_validation:
        return
    program = find_validator()
    if program is None:
        LOGGER.warning('the dataset was not validated: bids-validator-deno is not installed')
        return
    errors = validation_errors(call.config.bids_dir, program)
    subjects = {run.entities['sub'] for run in call.found}
    for issue in refuse(errors, subjects, [run.name for run in call.skipped]):
        LOGGER.warning('BIDS validator: %s in %s, which is not used', *issue)


def _of_disk(error: OSError) -> str:
    if error.filename and error.strerror:
        return f'{error.filename}: {error.strerror}; free space, mend its rights or choose another'
    return str(error)


def _terminate(_number: int, _frame: Any) -> None:
    raise Terminated


def _interrupted(error: KeyboardInterrupt) -> tuple[str, int]:
    line = 'bidsqsm failed: interrupted; the same command goes on where it stopped'
    return line, 143 if isinstance(error, Terminated) else 130

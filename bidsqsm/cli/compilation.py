"""Compiles the loops of later steps on a second processor, while the first step compiles its own."""

from __future__ import annotations

import logging
import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from multiprocessing import util
from pathlib import Path

import numpy as np

from bidsqsm.catalog import STEPS, in_use
from bidsqsm.executor import end_with_the_app, forget_handlers
from bidsqsm.files.atomic import write_text
from bidsqsm.files.compiled_code import list_compiled, remove_damaged
from bidsqsm.interfaces.step_interface import software
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.method import Choice
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.phantom.sphere import make_sphere

LOGGER = logging.getLogger(__name__)

SENTENCE = (
    'compiling loops for these methods, on a processor beside the first step; later calls with '
    'this work folder have them at hand'
)

#: Seconds within which the process may leave by itself, so that it takes its locks with it
PATIENCE = 3.0


@contextmanager
def compiling_ahead(choices: Mapping[str, Choice], tell: Callable[[str], None]) -> Iterator[None]:
    """Compile what these methods need in a process beside this block, unless it is there already.

    A step that wants a loop before it is compiled here compiles it itself: that costs time, and
    nothing else.
    """
    texts = {step: str(choice) for step, choice in in_use(choices).items()}
    marker = marker_of(texts)
    if marker is None or marker.exists():
        yield
        return
    tell(SENTENCE)
    process = mp.get_context('forkserver').Process(
        target=compile_loops, args=(texts, marker), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(PATIENCE)
        process.kill()
        process.join()


@contextmanager
def sound_loops(tell: Callable[[str], None]) -> Iterator[None]:
    """Take away compiled loops that are damaged, before this block; note those there are after it."""
    folder = os.environ.get('NUMBA_CACHE_DIR')
    if not folder:
        yield
        return
    with suppress(OSError):  # it may be of somebody else, who alone can mend it
        if removed := remove_damaged(Path(folder)):
            tell(
                f'{len(removed)} files of compiled loops in {folder} were damaged, and are made anew'
            )
    try:
        yield
    finally:
        with suppress(OSError):
            list_compiled(Path(folder))


def marker_of(texts: Mapping[str, str]) -> Path | None:
    """What stands beside the compiled code once all of it is there; None where it is not kept."""
    folder = os.environ.get('NUMBA_CACHE_DIR')
    if not folder:
        return None
    digest = sha256(f'{software()} {sorted(texts.items())}'.encode()).hexdigest()[:12]
    return Path(folder) / f'compiled-{digest}.txt'


def compile_loops(texts: Mapping[str, str], marker: Path) -> None:
    """Run methods, each written as ``name:parameter=value``, on a small sphere; leave the marker."""
    end_with_the_app()
    forget_handlers()
    signal.signal(signal.SIGTERM, _leave)
    os.nice(5)  # the steps of a run come first
    try:
        with threads(1):
            done = [*run_on_sphere({step: STEPS[step].choose(texts[step]) for step in texts})]
    except Exception as error:  # noqa: BLE001 - the step itself will tell what is wrong
        LOGGER.debug('not all is compiled: %s', error)
        return
    write_text(marker, f'{", ".join(done)}\n')


def _leave(*_: object) -> None:
    """End at once, whatever is being compiled, and give back the locks that numba made."""
    # an exception would be lost in the callbacks of the compiler, which go on
    util._exit_function()  # type: ignore[attr-defined]  # noqa: SLF001 - what ends every such process
    os._exit(0)


def run_on_sphere(choices: Mapping[str, Choice]) -> Iterator[str]:
    """Run the methods that are there in the order of the steps; the names of those that ran."""
    sphere = make_sphere(chi=0.2)
    mask, grid = sphere.mask, sphere.grid
    phase, magnitude, times, frequency = sphere.echoes((0.004, 0.010, 0.016, 0.022))
    if 'field' in choices:
        choices['field'](phase, magnitude, mask, times, frequency)
        yield 'field'
    distance_inside(mask, grid.voxel_size)
    yield 'mask'
    if 'relaxometry' in choices:
        share = None
        if 'gradient_correction' in choices:
            share = choices['gradient_correction'](
                sphere.total_field, mask, grid, times, frequency
            )
        choices['relaxometry'](magnitude, mask, times, dephasing=share)
        yield 'relaxometry'
    noise = np.where(mask, np.float32(0.01), np.float32(0))
    known = {
        'magnitude': magnitude[0],
        'r2star': 20 * mask.astype(np.float32),
        'noise': noise,
        'weight_map': inverse_noise(noise, mask),
    }
    field = np.ascontiguousarray(sphere.total_field, np.float32)
    for step in ('onestep', 'background', 'dipole'):
        if step in choices:
            invert = choices[step]
            made = invert(
                field, mask, grid, **{k: v for k, v in known.items() if invert.method.takes(k)}
            )
            field, mask = made if step == 'background' else (field, mask)
            yield step

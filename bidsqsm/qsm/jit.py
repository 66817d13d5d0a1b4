"""Compiled voxel loops: numba, imported and compiled at the first call, cached where one may write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from scipy import fft

P = ParamSpec('P')
R = TypeVar('R')


def kernel(
    *, parallel: bool = True, fastmath: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a voxel loop at its first call.

    The compiled code is cached in ``NUMBA_CACHE_DIR`` or beside the source; where neither can be
    written, it is compiled in each process. A parallel loop must write only to places of its own
    index (no reductions across ``prange``), so that the result does not depend on the threads.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.cache
        def compiled() -> Callable[P, R]:
            import numba

            options: dict[str, Any] = {'parallel': parallel, 'fastmath': fastmath, 'nogil': True}
            machine_code: Callable[P, R]
            try:
                machine_code = numba.njit(cache=True, **options)(function)
            except RuntimeError:  # no place for a cache
                machine_code = numba.njit(**options)(function)
            return machine_code

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return compiled()(*args, **kwargs)

        return call

    return decorate


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FFTs and compiled loops in this block use this many threads."""
    import numba

    count = max(1, min(count, numba.config.NUMBA_NUM_THREADS))
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        with fft.set_workers(count):
            yield
    finally:
        numba.set_num_threads(before)

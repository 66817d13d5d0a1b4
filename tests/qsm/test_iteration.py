"""An iteration stops where it should and says how it ended."""

from __future__ import annotations

import pytest

from bidsqsm.interfaces.step_interface import convergence, not_converged
from bidsqsm.qsm.iteration import Convergence, iterate, watched


def halving():
    size = 1.0

    def step() -> float:
        nonlocal size
        size /= 2
        return size

    return step


def test_an_iteration_stops_at_its_tolerance():
    with watched() as endings:
        ending = iterate(halving(), name='halving', tol=0.2, max_iter=10)
    assert ending.changes == (0.5, 0.25, 0.125)
    assert ending.converged
    assert endings == [ending]
    (told,) = convergence(endings)
    assert told.plain() == {
        'solver': 'halving',
        'iterations': 3,
        'last': 0.125,
        'changes': [0.5, 0.25, 0.125],
        'tolerance': 0.2,
        'converged': True,
    }


def test_an_iteration_that_is_cut_short_warns():
    ending = iterate(halving(), name='halving', tol=0.2, max_iter=2)
    assert not ending.converged
    (warning,) = not_converged([ending])
    assert 'halving did not converge: it stopped after 2 iterations at 2.5e-01' in warning


def test_a_number_of_iterations_by_design_is_no_failure():
    ending = iterate(halving(), name='halving', tol=None, max_iter=4)
    assert ending.iterations == 4
    assert ending.converged
    assert not not_converged([ending])
    assert convergence([ending])[0].plain()['tolerance'] is None


def test_a_diverging_iteration_has_no_result():
    with pytest.raises(ValueError, match='growing diverged after 1 iterations'):
        iterate(lambda: float('nan'), name='growing', tol=0.1, max_iter=5)


def test_a_long_history_is_thinned_evenly_and_keeps_its_ends():
    changes = tuple(1 / (n + 1) for n in range(1000))
    kept = convergence([Convergence('slow', changes, 0.1)])[0].changes
    assert len(kept) == 200
    assert (kept[0], kept[-1]) == (1.0, 0.001)
    places = [round(1 / value) for value in kept]
    assert places[100] == pytest.approx(1 + 999 * 100 / 199, rel=0.01)
    assert kept[1] == 0.167  # the sixth of all, to three digits


def test_nothing_is_collected_outside_a_watch():
    with watched() as endings:
        pass
    iterate(halving(), name='halving', tol=0.2, max_iter=9)
    assert endings == []
    assert Convergence('idle', (), 0.1).converged is False

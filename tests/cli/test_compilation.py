"""Loops are compiled beside the first step, once for the code and methods of a call."""

from __future__ import annotations

import pytest

from bidsqsm.catalog import STEPS, in_use
from bidsqsm.cli import compilation
from bidsqsm.cli.compilation import compile_loops, compiling_ahead, marker_of, run_on_sphere


@pytest.fixture
def choices():
    return {
        step: STEPS[step].choose(text)
        for step, text in {'field': 'linear', 'background': 'vsharp', 'dipole': 'tkd'}.items()
    }


def test_methods_of_every_step_run_on_the_sphere():
    defaults = {name: step.choose(step.default) for name, step in STEPS.items() if step.default}
    in_one_step = in_use(defaults)
    assert [*run_on_sphere(in_one_step)] == ['field', 'mask', 'relaxometry', 'onestep']


def test_two_steps_follow_each_other(choices):
    assert [*run_on_sphere(choices)] == ['field', 'mask', 'background', 'dipole']


def test_the_marker_is_left_where_all_went_well_only(choices, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, 'forget_handlers', lambda: None)
    monkeypatch.setattr('os.nice', lambda _: 0)
    texts = {step: str(choice) for step, choice in choices.items()}
    compile_loops(texts | {'dipole': 'onnx:model=/none'}, tmp_path / 'failed.txt')
    assert not [*tmp_path.iterdir()]
    compile_loops(texts, tmp_path / 'done.txt')
    assert (tmp_path / 'done.txt').read_text() == 'field, mask, background, dipole\n'


def test_what_is_compiled_is_not_compiled_again(choices, tmp_path, monkeypatch):
    monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path))
    texts = {step: str(choice) for step, choice in choices.items()}
    marker_of(texts).touch()
    said = []
    with compiling_ahead(choices, said.append):
        pass
    assert not said
    other = texts | {'dipole': 'tkd:threshold=0.1'}
    assert marker_of(other) != marker_of(texts)
    monkeypatch.delenv('NUMBA_CACHE_DIR')
    with compiling_ahead(choices, said.append):
        pass
    assert not said

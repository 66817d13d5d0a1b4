"""The examples of the docstrings run, and every method of the catalogue has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import bidsqsm
from bidsqsm.catalog import STEPS
from bidsqsm.qsm.jit import threads

ROOT = Path(bidsqsm.__file__).parent
METHODS = [method for step in STEPS.values() for method in step.methods]


def examples() -> list[doctest.DocTest]:
    """One test for each docstring that holds an example."""
    paths = [path for path in sorted(ROOT.rglob('*.py')) if '>>> ' in path.read_text('utf-8')]
    names = ['.'.join(path.relative_to(ROOT.parent).with_suffix('').parts) for path in paths]
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [test for name in names for test in finder.find(importlib.import_module(name))]
    return [test for test in tests if test.examples]


@pytest.mark.parametrize(
    'example', examples(), ids=lambda test: test.name.removeprefix('bidsqsm.')
)
def test_example_gives_what_it_says(example):
    said: list[str] = []
    runner = doctest.DocTestRunner()
    with threads(1):
        runner.run(example, out=said.append)
    assert not runner.failures, ''.join(said)


@pytest.mark.parametrize('method', METHODS, ids=lambda method: method.name)
def test_every_method_has_an_example(method):
    assert doctest.DocTestParser().get_examples(method.doc), f'{method.name} shows no example'
    assert '\nExamples\n--------\n' in method.doc

"""The examples of graphs in the docstrings of the builders build what the documentation would draw."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from nipype.pipeline import engine as pe

from bidsqsm import workflows

FOLDER = Path(workflows.__file__).parent
EXAMPLE = re.compile(r'\.\. workflow::\n(?: +:.*\n)+\n((?: {12}.*\n|\n)+)')


def examples() -> dict[str, str]:
    """Code of every example, by the module that it stands in and its place there."""
    return {
        f'{path.relative_to(FOLDER)}-{number}': dedent(found[1])
        for path in sorted(FOLDER.rglob('*.py'))
        for number, found in enumerate(EXAMPLE.finditer(path.read_text(encoding='utf-8')))
    }


def test_there_are_examples():
    assert len(examples()) > 10


@pytest.mark.parametrize('code', [*examples().values()], ids=[*examples()])
def test_an_example_builds_a_graph(code):
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    assert isinstance(names['wf'], pe.Workflow)
    assert {'outputnode'} <= {*names['wf'].list_node_names()}

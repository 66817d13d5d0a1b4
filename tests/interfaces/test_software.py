"""What tells whether a finished step is used again covers all that its result depends on."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from pathlib import Path

import grimp
import pytest

import bidsqsm
from bidsqsm.interfaces import step_interface
from bidsqsm.interfaces.step_interface import LIBRARIES, software

#: Packages whose distribution has another name.
NAMES = {'SimpleITK': 'simpleitk', 'skimage': 'scikit-image'}


@pytest.fixture(scope='module')
def needed():
    """All that interfaces and workflows import, at once or later."""
    graph = grimp.build_graph('bidsqsm', include_external_packages=True)
    steps = [m for m in graph.modules if m.startswith(('bidsqsm.interfaces', 'bidsqsm.workflows'))]
    return {*steps, *(module for step in steps for module in graph.find_upstream_modules(step))}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, whose digest is taken."""
    copy = tmp_path / 'bidsqsm'
    ignored = shutil.ignore_patterns('data', '__pycache__', 'workflows')
    shutil.copytree(Path(bidsqsm.__file__).parent, copy, ignore=ignored)
    workflows = Path(bidsqsm.__file__).parent / 'workflows'
    shutil.copytree(workflows.resolve(), tmp_path / 'workflows')
    (copy / 'workflows').symlink_to('../workflows')
    monkeypatch.setattr(bidsqsm, '__file__', str(copy / '__init__.py'))
    monkeypatch.setattr(step_interface, 'software', software.__wrapped__)
    return copy


def test_the_digest_leaves_out_only_what_no_step_imports(needed):
    parts = {f'{module}.'.split('.')[1] for module in needed if module.startswith('bidsqsm')}
    left_out = {name.removesuffix('.py') for name in step_interface.WITHOUT_RESULTS}
    assert not parts & left_out


def test_the_libraries_that_steps_import_are_in_it(needed):
    foreign = {module.partition('.')[0] for module in needed} - {'bidsqsm', '__future__'}
    foreign -= sys.stdlib_module_names
    assert {NAMES.get(name, name) for name in foreign} <= {*LIBRARIES}


@pytest.mark.parametrize(
    'name',
    [
        'qsm/grid.py',
        'rois/region_table.py',
        'interfaces/dipole.py',
        'files/nifti.py',
        'inputs/metadata.py',
        'atlases/atlas.py',
        'facts/record.py',
        'catalog.py',
        'workflows/run.py',
        'workflows/anatomy/registration.py',
    ],
)
def test_a_change_of_code_that_results_depend_on_changes_it(package, name):
    before = step_interface.software()
    with (package / name).open('a') as stream:
        stream.write('\n')
    assert step_interface.software() != before


def test_a_change_of_a_page_or_of_the_command_line_does_not(package):
    before = step_interface.software()
    for name in ('reports/html.py', 'cli/run.py', 'cohort/gather.py'):
        with (package / name).open('a') as stream:
            stream.write('\n')
    assert step_interface.software() == before


def test_another_version_of_a_library_or_of_python_changes_it(package, monkeypatch):
    before = step_interface.software()
    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, 'version', lambda name: '99' if name == 'scipy' else '1')
        assert step_interface.software() != before
    monkeypatch.setattr('platform.python_version', lambda: '9.9.9')
    assert step_interface.software() != before

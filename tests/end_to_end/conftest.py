"""Whole runs of the app, and pages in a browser: marked ``e2e``, and the heads that they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidsqsm.demo.demo_dataset import write_demo
from bidsqsm.demo.demo_options import DemoOptions

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, before any are chosen by their marks."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope='session')
def coarse_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of the demo with voxels of 5 mm; do not write to it."""
    root = tmp_path_factory.mktemp('coarse') / 'ds'
    write_demo(root, DemoOptions(voxel_size=(5.0, 5.0, 5.0), shape=(36, 43, 36)))
    return root

"""Whole runs of the app, and pages in a browser: marked ``e2e``, and the heads that they share."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, before any are chosen by their marks."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)

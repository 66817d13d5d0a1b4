"""Fixtures of made-up datasets."""

from __future__ import annotations

import pytest

from helpers.bids_skeleton import Skeleton


@pytest.fixture
def skeleton(tmp_path) -> Skeleton:
    """An empty dataset."""
    return Skeleton(tmp_path / 'ds')


@pytest.fixture
def one_run(skeleton) -> Skeleton:
    """A dataset of one subject with one good run of three echoes."""
    skeleton.megre()
    return skeleton

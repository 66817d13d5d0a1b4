"""Damaged input by chance, for a few seconds; ``benchmarks/fuzz.py`` does it for minutes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip('hypothesis')

_SCRIPT = Path(__file__).parent.parent / 'benchmarks' / 'fuzz.py'


def test_damaged_input_is_told_and_takes_no_neighbour_with_it(monkeypatch):
    spec = importlib.util.spec_from_file_location('fuzz', _SCRIPT)
    fuzz = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'fuzz', fuzz)
    spec.loader.exec_module(fuzz)
    counts = fuzz.fuzz(8, tries=4)
    assert counts.found == []
    assert sum(row['tries'] for row in counts.table.values()) > 10

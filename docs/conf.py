"""Sphinx: ``sphinx-build -W -b html docs docs/_build``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from tables import fill  # noqa: E402 - found by the line above

from bidsqsm import __version__  # noqa: E402

project = 'bidsqsm'
author = 'The bidsqsm developers'
project_copyright = author
release = version = __version__
extensions = ['myst_parser', 'sphinx.ext.mathjax']
myst_enable_extensions = ['deflist']
myst_heading_anchors = 3
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'bidsqsm {release}'


def generate(_app: Any, _name: str, source: list[str]) -> None:
    """Put what the code says into a page."""
    source[0] = fill(source[0])


def outdated(_app: Any, env: Any, *_changes: set[str]) -> list[str]:
    """Pages that depend on the code, of which Sphinx knows nothing."""
    return [
        name
        for name in env.found_docs
        if '<!-- generated:' in Path(env.doc2path(name)).read_text(encoding='utf-8')
    ]


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect('source-read', generate)
    app.connect('env-get-outdated', outdated)

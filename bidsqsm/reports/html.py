"""What all pages have in common: templates, style and the files of the package."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup


@cache
def environment() -> jinja2.Environment:
    """The templates of the pages; whatever is put into one is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader('bidsqsm.reports', 'templates'),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def packaged(name: str) -> str:
    """Text of a file of the package, by its path in it."""
    return files('bidsqsm').joinpath(name).read_text(encoding='utf-8').strip()


def safe(text: str) -> Markup:
    """Text of the package, or JSON that was made harmless: it is not escaped."""
    return Markup(text)  # noqa: S704


def digest(text: str) -> Markup:
    """What the policy of a page allows a script or a style by: all between its tags."""
    return safe(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")

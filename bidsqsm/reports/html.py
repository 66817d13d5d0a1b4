"""What all pages have in common: templates, style and the files of the package."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from bidsqsm.files.plain_text import escaped_lines


@cache
def environment() -> jinja2.Environment:
    """The templates of the pages; whatever is put into one is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader('bidsqsm.reports', 'templates'),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plain(value: Any) -> Any:
    """Text from outside with its control characters written out; markup is of the package."""
    return (
        escaped_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value
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

"""What is printed: nothing of it can do more to a terminal than be read."""

from __future__ import annotations

import sys

from bidsqsm.files.plain_text import escaped_lines


def say(text: str, *, error: bool = False) -> None:
    """Print text, on standard error if it tells of one."""
    print(escaped_lines(text), file=sys.stderr if error else sys.stdout, flush=True)

"""Files that tell R2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SpinEcho:
    """Where R2 comes from.

    Parameters
    ----------
    kind
        ``'R2map'``, ``'T2map'`` or ``'MESE'``.
    files
        The map, or the spin echoes in their order.
    echo_times
        Of the spin echoes, in s.
    scale
        What a stored 1 of a map is, in 1/s or s.

    """

    kind: str
    files: tuple[Path, ...]
    echo_times: tuple[float, ...] = ()
    scale: float = 1.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> SpinEcho:
        """Make it from what JSON holds of it."""
        files = tuple(Path(path) for path in values['files'])
        return cls(values['kind'], files, tuple(values['echo_times']), values['scale'])


__all__ = ['SpinEcho']

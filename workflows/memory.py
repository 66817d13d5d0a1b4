"""Memory that a step is planned with."""

from __future__ import annotations

import math


def memory_gb(shape: tuple[int, ...], volumes: float) -> float:
    """Memory of so many float32 volumes and of the libraries, in GB."""
    return 0.35 + volumes * 4 * math.prod(shape) / 2**30

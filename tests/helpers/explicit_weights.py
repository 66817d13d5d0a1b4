"""Weights for fields without noise, where those that are found in the data say little of the method."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from bidsqsm.method import Method

EXPLICIT = {
    'hd': {'weight': 1.2e-4, 'first_weight': 0.1},
    'l1': {'weight': 0.1},
    'medi': {'weight': 1e-4},
    'medi0': {'weight': 1e-4},
    'ndi': {'weight': 2e-3},
    'nltgv': {'weight': 1e-4},
    'nltv': {'weight': 1.2e-4},
    'rts': {'weight': 3e-3},
    'sstgv': {'weight': 1e-4},
    'star': {'weight': 2e-4},
    'tikhonov': {'weight': 5e-3},
    'tkd': {'threshold': 0.15},
    'tsvd': {'threshold': 0.08},
    'tv': {'weight': 2e-4},
    'wh': {'weight': 1e-4},
    'wiener-tv': {'weight': 2e-4},
}


def explicit(method: Method) -> dict[str, Any]:
    """Values of the parameters that a method would find in its data."""
    return EXPLICIT.get(method.name, {})


def explicitly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a method with these weights, unless a call gives others."""

    @functools.wraps(function)
    def call(*args: Any, **values: Any) -> Any:
        return function(*args, **(EXPLICIT[function.__name__] | values))

    return call

"""The weights that a method takes, from the noise of the field."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bidsqsm.interfaces.step_interface import read_volume
from bidsqsm.method import Choice
from bidsqsm.qsm.grid import Mask, Volume


def weights_for(choice: Choice, noise: str, mask: Mask) -> dict[str, Volume]:
    """The keyword ``weight_map`` of a method that has one: the inverse of the noise file."""
    if not choice.method.takes('weight_map'):
        return {}
    return {'weight_map': inverse_noise(read_volume(noise), mask)}


def inverse_noise(noise: Volume, mask: Mask) -> Volume:
    """Weights in proportion to 1 / noise, of median 1 in the mask and at most 3; 0 outside it.

    Where the noise is not known (0), there was no signal to fit, and the weight is 0.
    """
    known = mask & (noise > 0)
    weights = np.zeros_like(noise)
    if not known.any():
        return mask.astype(noise.dtype)
    weights[known] = np.minimum(np.median(noise[known]) / noise[known], 3)
    return weights


def rounded_weights(found: Mapping[str, float]) -> dict[str, float] | None:
    """Weights that a method found in its data, to three digits; None where there are none."""
    return {name: float(f'{value:.3g}') for name, value in found.items()} or None

"""All echoes from one that is unwrapped in space along the best edges."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume, bounding_box
from bidsqsm.qsm.unwrap.echo_train import follow_echoes, settle_components
from bidsqsm.qsm.unwrap.grow import grow
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped

LOGGER = logging.getLogger(__name__)

Judge = Callable[[Volume, Volume, Mask, Sequence[float], int], tuple[Labels, Volume]]


def from_template(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    template: int,
    judge: Judge,
    name: str,
) -> Unwrapped:
    """Unwrap the template echo in space, place its components, and let the others follow.

    Parameters
    ----------
    phase, magnitude : (n_echoes, nx, ny, nz) float32 arrays
        Wrapped phase in rad; magnitude in any unit.
    mask : (nx, ny, nz) bool array
        Voxels to unwrap.
    echo_times
        Echo times in s, ascending.
    template
        Number of the echo, counted from 1; the last one if there are fewer.
    judge
        Weights of edges (0 none, 1 worst, 255 best) and quality of voxels, in the box of the
        mask, from phase, magnitude, mask, echo times and the index of the template.
    name
        For the log.

    Returns
    -------
    unwrapped

    """
    box = bounding_box(mask)
    inner = np.ascontiguousarray(mask[box])
    cropped = np.ascontiguousarray(phase[(slice(None), *box)])
    weight = np.ascontiguousarray(magnitude[(slice(None), *box)])
    first = min(template, len(echo_times)) - 1
    edges, quality = judge(cropped, weight, inner, echo_times, first)
    unwrapped = np.where(inner, cropped, np.float32(0))
    component: Labels = np.zeros(inner.shape, np.int32)
    # one echo in space; the others in time, which needs no path and spreads no error
    count = grow(unwrapped[first].reshape(-1), edges.reshape(3, -1), inner, component)
    times = np.asarray(echo_times, np.float32)
    settle_components(unwrapped, weight, component, count, times, first)
    follow_echoes(unwrapped, weight, inner, times, first)
    LOGGER.info('%s: unwrapped %d voxels in %d components', name, inner.sum(), count)
    if inner.shape == mask.shape:
        return Unwrapped(unwrapped, quality)
    whole = np.zeros(phase.shape, np.float32)
    whole[(slice(None), *box)] = unwrapped
    whole_quality = np.zeros(mask.shape, np.float32)
    whole_quality[box] = quality
    return Unwrapped(whole, whole_quality)

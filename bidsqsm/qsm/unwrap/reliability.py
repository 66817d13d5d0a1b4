"""How far the phase of each voxel can be trusted, and the edges between voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Labels, Mask, Volume, bounding_box
from bidsqsm.qsm.unwrap.grow import edge_weights


def reliability(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float], first: int = 0
) -> tuple[Labels, Volume]:
    """Weights of the edges towards +x, +y, +z, and the quality of each voxel.

    Parameters
    ----------
    phase, magnitude : (n_echoes, nx, ny, nz) float32 arrays
        Wrapped phase in rad; magnitude in any unit.
    mask : (nx, ny, nz) bool array
        Edges that leave it have no weight.
    echo_times
        Echo times in s.
    first
        Index of the echo to judge; its neighbour in time is the witness.

    Returns
    -------
    edges : (3, nx, ny, nz) uint8 array
        0 no edge, 1 worst, 255 best.
    quality : (nx, ny, nz) float32 array
        Mean weight of a voxel's six edges, 0 to 1.

    """
    second = first + 1 if first + 1 < len(echo_times) else max(first - 1, 0)
    edges = np.empty((3, *mask.shape), np.uint8)
    quality = np.empty(mask.shape, np.float32)
    inside = magnitude[first][mask]
    # bright, not brightest: a few vessels would make all tissue look weak
    level = np.float32(np.percentile(inside, 90)) if inside.size else np.float32(1)
    ratio = np.float32(echo_times[first] / echo_times[second])
    edge_weights(phase[first], phase[second], ratio, magnitude[first], level, mask, edges, quality)
    return edges, quality


def phase_quality(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float]
) -> Volume:
    """Quality (0 to 1) of the phase of each voxel of the mask, from the first echo."""
    box = bounding_box(mask)
    cut = (slice(None), *box)
    quality = np.zeros(mask.shape, np.float32)
    quality[box] = reliability(
        np.ascontiguousarray(phase[cut]),
        np.ascontiguousarray(magnitude[cut]),
        np.ascontiguousarray(mask[box]),
        echo_times,
    )[1]
    return quality

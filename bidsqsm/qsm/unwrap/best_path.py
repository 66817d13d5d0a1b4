"""Path-following phase unwrapping sorted by the second differences of the phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.unwrap.bends import bends, edges_by_rank
from bidsqsm.qsm.unwrap.reliability import phase_quality
from bidsqsm.qsm.unwrap.template_echo import from_template
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped


def best_path(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    template: Annotated[int, Between(0, 100)] = 1,
) -> Unwrapped:
    r"""Path-following unwrapping sorted by reliability, on one echo; the others follow in time.

    A voxel is reliable where the phase runs straight through it: its reliability is the inverse of

    .. math:: D = \sqrt{ \sum_{d=1}^{13} \left[ W(\phi_{-d} - \phi_0)
              - W(\phi_0 - \phi_{+d}) \right]^2 }

    over the lines to its 26 neighbours, W wrapping into one turn [abdulrahman2007]_. A line that
    leaves the mask counts as noise does. The reliability of an edge is the sum of those of its
    ends; edges are followed from the most reliable on, along any path, until each connected
    component of the mask is unwrapped. Components are placed and the other echoes follow as for
    ROMEO. Needs no magnitude and but one echo, and is less sure than ROMEO where noise is strong.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Wrapped phase in rad, free of a receive offset where there are several echoes.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit; places components and judges the quality, not the path.
    mask : (nx, ny, nz) bool array
        Voxels to unwrap; others are zero in the result.
    echo_times
        Echo times in s, ascending.
    template
        Number of the echo to unwrap in space, counted from 1; the last one if there are fewer.

    Returns
    -------
    unwrapped
        Unwrapped phase (rad) of every echo, and the quality (0 to 1) of each voxel.

    References
    ----------
    .. [abdulrahman2007] Abdul-Rahman et al., Appl Opt 46:6623-6635 (2007).
       doi:10.1364/AO.46.006623

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.units import ppm_to_rad
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, quality = best_path(phase, magnitude, sphere.mask, echo_times)
    >>> true = ppm_to_rad(sphere.total_field, frequency, echo_times[2])
    >>> wrong = abs(unwrapped[2] - true) > np.pi
    >>> int((abs(phase[2] - true) > np.pi).sum()), int(wrong[sphere.mask].sum())
    (112, 0)

    """
    found = from_template(phase, magnitude, mask, echo_times, template, _judge, 'best-path')
    return Unwrapped(found.phase, phase_quality(phase, magnitude, mask, echo_times))


def _judge(
    phase: Volume, magnitude: Volume, mask: Mask, echo_times: Sequence[float], first: int
) -> tuple[Labels, Volume]:
    del magnitude, echo_times  # the phase alone decides
    bend = np.empty(mask.shape, np.float32)
    bends(phase[first], mask, bend)
    edges = edges_by_rank(bend, mask)
    straight = np.float32(1) / (1 + bend)
    return edges, np.where(mask, straight, np.float32(0))

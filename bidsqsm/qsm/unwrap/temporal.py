"""Phase unwrapping of each voxel on its own, along the echo train."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import OneOf
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.units import TURN_RAD
from bidsqsm.qsm.unwrap.echo_train import follow_echoes
from bidsqsm.qsm.unwrap.reliability import phase_quality
from bidsqsm.qsm.unwrap.unwrap_result import Unwrapped

LOGGER = logging.getLogger(__name__)


def temporal(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    *,
    start: Annotated[str, OneOf(('auto', 'first', 'difference'))] = 'auto',
) -> Unwrapped:
    r"""Unwrapping of each voxel along its echoes, without a look at its neighbours.

    Over a short time the phase does not reach half a turn: the first echo time, or the interval
    between the first two echoes [feng2013]_. It gives the rate from which every echo is predicted
    and brought within half a turn of the prediction, the rate being fitted anew to the echoes done
    so far (through the origin, weights magnitude squared):

    .. math:: \phi_n \leftarrow \phi_n
              - 2\pi \left[ \frac{\phi_n - \omega TE_n}{2\pi} \right],
              \quad |\omega \, \tau| < \pi, \quad \tau = \min(TE_1, TE_2 - TE_1)

    No path, so that no error spreads and separate parts need no bridge; but fields beyond
    :math:`1 / 2\tau` in Hz stay wrapped, as they occur near air at usual echo times. The phase of
    a single echo comes back as it is.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Wrapped phase in rad, free of a receive offset.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Voxels to unwrap; others are zero in the result.
    echo_times
        Echo times in s, ascending.
    start
        What is taken to lie within half a turn: the ``first`` echo, the ``difference`` of the
        first two, or (``auto``) whichever takes less time, the first if they are alike.

    Returns
    -------
    unwrapped
        Unwrapped phase (rad) of every echo, and the quality (0 to 1) of each voxel.

    References
    ----------
    .. [feng2013] Feng et al., Magn Reson Med 70:117-126 (2013). doi:10.1002/mrm.24457

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.units import ppm_to_rad
    >>> sphere = make_sphere(chi=0.5)
    >>> phase, magnitude, echo_times, frequency = sphere.echoes((0.004, 0.010, 0.016))
    >>> unwrapped, quality = temporal(phase, magnitude, sphere.mask, echo_times)
    >>> true = ppm_to_rad(sphere.total_field, frequency, echo_times[2])
    >>> wrong = abs(unwrapped[2] - true) > np.pi
    >>> int((abs(phase[2] - true) > np.pi).sum()), int(wrong[sphere.mask].sum())
    (112, 4)

    """
    times = np.asarray(echo_times, np.float32)
    unwrapped = np.where(mask, phase, np.float32(0))
    by_difference = len(times) > 1 and (
        start == 'difference' or (start == 'auto' and times[1] - times[0] < 0.999 * times[0])
    )
    if by_difference:
        turn = np.float32(TURN_RAD)
        grown = unwrapped[1] - unwrapped[0]
        grown -= turn * np.rint(grown / turn)
        # within tau there is less than half a turn: that rate tells the turns of the first echo
        expected = grown * (times[0] / (times[1] - times[0]))
        unwrapped[0] -= turn * np.rint((unwrapped[0] - expected) / turn)
    follow_echoes(unwrapped, magnitude, mask, times, 0)
    LOGGER.info('temporal: from the %s', 'first difference' if by_difference else 'first echo')
    return Unwrapped(unwrapped, phase_quality(phase, magnitude, mask, echo_times))

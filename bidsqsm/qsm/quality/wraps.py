"""Wraps that unwrapping left."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume

_WRAP_RAD = 1.5 * np.pi


def residual_wraps(unwrapped: Volume, mask: Mask) -> Mask:
    r"""Find voxels at which the unwrapped phase jumps by more than three quarters of a turn.

    .. math:: m(r) \wedge \exists a : m(r \pm a) \wedge
        \left| \phi(r \pm a) - \phi(r) \right| > 3 \pi / 2

    with a the steps to the six nearest neighbours: both sides of a jump are marked. A missed turn
    makes such a step wherever the phase itself varies by less than a quarter of a turn from voxel to
    voxel. A steep field does not: over a voxel across which the phase turns that far the signal is
    gone.

    Parameters
    ----------
    unwrapped : (nx, ny, nz) array
        Unwrapped phase of one echo in rad; steps to voxels that are not finite do not count.
    mask : (nx, ny, nz) bool array
        Where to look; steps out of it do not count.

    Returns
    -------
    wraps : (nx, ny, nz) bool array
        Inside the mask.

    Examples
    --------
    >>> import numpy as np
    >>> phase = np.zeros((8, 8, 8), 'f4')
    >>> phase[4:] = 2 * np.pi  # a step of a whole turn
    >>> int(residual_wraps(phase, np.ones((8, 8, 8), bool)).any(axis=(1, 2)).sum())
    2

    """
    inside, found = np.asarray(mask, bool), np.zeros(np.shape(mask), bool)
    for axis in range(found.ndim):
        before, after = (
            tuple(slice(*ends) if a == axis else slice(None) for a in range(found.ndim))
            for ends in ((None, -1), (1, None))
        )
        with np.errstate(invalid='ignore'):
            jumps = np.abs(unwrapped[after] - unwrapped[before]) > _WRAP_RAD
        jumps &= inside[after] & inside[before]
        found[before] |= jumps
        found[after] |= jumps
    return found

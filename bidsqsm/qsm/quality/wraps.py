"""Wraps that unwrapping left."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Mask, Volume


def residual_wraps(unwrapped: Volume, mask: Mask) -> Mask:
    r"""Find voxels at which the unwrapped phase jumps by more than half a turn.

    .. math:: m(r) \wedge \exists a : m(r \pm a) \wedge
        \left| \phi(r \pm a) - \phi(r) \right| > \pi

    with a the steps to the six nearest neighbours: both sides of a jump are marked. A step of
    exactly half a turn is none. Where the field itself is so steep, as close above the sinuses,
    and in noise, the turns cannot be told, and a jump is marked as well.

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

    """
    inside, found = np.asarray(mask, bool), np.zeros(np.shape(mask), bool)
    for axis in range(found.ndim):
        before, after = (
            tuple(slice(*ends) if a == axis else slice(None) for a in range(found.ndim))
            for ends in ((None, -1), (1, None))
        )
        with np.errstate(invalid='ignore'):
            jumps = np.abs(unwrapped[after] - unwrapped[before]) > np.pi
        jumps &= inside[after] & inside[before]
        found[before] |= jumps
        found[after] |= jumps
    return found

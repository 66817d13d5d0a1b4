"""Loss of signal by the gradient of the field, as if that were even across the voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel


def sinc(
    field: Volume,
    mask: Mask,
    grid: Grid,
    echo_times: Sequence[float],
    imaging_frequency: float,
) -> Volume:
    r"""Loss by a field that changes evenly across the voxel, in all three directions.

    Where the frequency differs by :math:`\Delta_d` from one face of a voxel to the other, along
    axis :math:`d`, the signals of its parts lose their common phase and the sum has the share

    .. math:: \prod_d \frac{\sin(\pi \Delta_d TE)}{\pi \Delta_d TE}

    of what it would have been [fernandezseara2000]_. The differences are those of the fitted field,
    halfway between the neighbours on both sides, one-sided at the edge of the mask; their sign does
    not matter.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field in ppm.
    mask : (nx, ny, nz) bool array
        Voxels whose field is known; the result is zero elsewhere.
    grid
        Not used: differences from voxel to voxel know no mm.
    echo_times
        In s.
    imaging_frequency
        In MHz.

    Returns
    -------
    dephasing : (n_echoes, nx, ny, nz) float32 array
        Share of the signal that is left, 0 to 1; 0 beyond the first zero of any of the three.

    References
    ----------
    .. [fernandezseara2000] Fernández-Seara and Wehrli, Magn Reson Med 44:358-366 (2000).
       doi:10.1002/1522-2594(200009)44:3<358::AID-MRM3>3.0.CO;2-I

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> share = sinc(sphere.total_field, sphere.mask, sphere.grid, (0.01, 0.02), 127.74)

    The longer the echo time, the more of the signal is lost:

    >>> early, late = share[:, sphere.mask].mean(axis=1)
    >>> bool(late < early < 1)
    True

    """
    left = np.zeros((len(echo_times), *mask.shape), np.float32)
    turns = np.asarray(echo_times, np.float32) * np.float32(imaging_frequency)  # per ppm
    _share(np.ascontiguousarray(field, np.float32), mask, turns, left)
    return left


@nb.njit(fastmath=True, nogil=True)
def _difference(
    field: Volume, mask: Mask, place: tuple[int, int, int], axis: tuple[int, int, int]
) -> np.float32:
    # from face to face, in ppm: the mean of the steps to the neighbours in the mask
    rise, steps = np.float32(0), 0
    for way in (-1, 1):
        i, j, k = place[0] + way * axis[0], place[1] + way * axis[1], place[2] + way * axis[2]
        if min(i, j, k) < 0 or i >= mask.shape[0] or j >= mask.shape[1] or k >= mask.shape[2]:
            continue
        if mask[i, j, k]:
            rise += way * (field[i, j, k] - field[place])
            steps += 1
    return rise / np.float32(max(steps, 1))


@nb.njit(fastmath=True, nogil=True)
def _sinc(turns: np.float32) -> np.float32:
    x = abs(turns) * np.float32(np.pi)
    if x >= np.float32(np.pi):
        return np.float32(0)
    return np.sin(x) / x if x > np.float32(1e-3) else np.float32(1)


@kernel(parallel=False)
def _share(field: Volume, mask: Mask, turns: Volume, left: Volume) -> None:
    nx, ny, nz = mask.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                here = (np.int64(i), np.int64(j), np.int64(k))
                x = _difference(field, mask, here, (1, 0, 0))
                y = _difference(field, mask, here, (0, 1, 0))
                z = _difference(field, mask, here, (0, 0, 1))
                for n in range(turns.size):
                    t = turns[n]
                    left[n, i, j, k] = _sinc(x * t) * _sinc(y * t) * _sinc(z * t)

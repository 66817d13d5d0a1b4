"""Voxels as a scanner makes them: what is left of the signal inside a box of k-space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

Complex = npt.NDArray[np.complex64]


def truncate(fine: Complex) -> Complex:
    """Signal of voxels of twice the size by a cut of k-space, with its ringing (Gibbs).

    Parameters
    ----------
    fine : (2 nx, 2 ny, 2 nz) complex64 array
        Signal on the grid of half the voxel size; overwritten.

    Returns
    -------
    signal : (nx, ny, nz) complex64 array
        Mean of the fine signal at k = 0, as the mean over the sub-voxels has.

    Examples
    --------
    >>> import numpy as np
    >>> bool(np.allclose(truncate(np.ones((8, 8, 8), np.complex64)), 1))
    True

    """
    for axis in (2, 1, 0):
        n = fine.shape[axis] // 2
        spectrum = fft.fft(fine, axis=axis, overwrite_x=True)
        low = np.arange((n + 1) // 2)
        high = np.arange(2 * n - n // 2, 2 * n)
        kept = np.take(spectrum, np.concatenate([low, high]), axis=axis)
        # centres of voxels lie a quarter of a voxel beyond those of their first sub-voxels
        frequency = np.fft.fftfreq(n, 1 / n)
        turn = (np.exp(0.5j * np.pi * frequency / n) / 2).astype(np.complex64)
        shape = [1, 1, 1]
        shape[axis] = n
        fine = fft.ifft(kept * turn.reshape(shape), axis=axis, overwrite_x=True)
    return np.asarray(fine, np.complex64)

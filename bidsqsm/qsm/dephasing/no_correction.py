"""No correction for the field's gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume


def none(
    field: Volume,
    mask: Mask,
    grid: Grid,
    echo_times: Sequence[float],
    imaging_frequency: float,
) -> Volume:
    """No correction for the gradient of the field.

    All of the loss of signal counts as relaxation, that from the gradient across the voxel too
    [fernandezseara2000]_.

    Parameters
    ----------
    field
        Not used.
    mask : (nx, ny, nz) bool array
        Voxels of interest.
    grid
        Not used.
    echo_times
        One for each echo.
    imaging_frequency
        Not used.

    Returns
    -------
    dephasing : (n_echoes, nx, ny, nz) float32 array
        1 in the mask, 0 outside.

    References
    ----------
    .. [fernandezseara2000] Fernández-Seara and Wehrli, Magn Reson Med 44:358-366 (2000).
       doi:10.1002/1522-2594(200009)44:3<358::AID-MRM3>3.0.CO;2-I

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> share = none(sphere.total_field, sphere.mask, sphere.grid, (0.01, 0.02), 127.74)
    >>> float(share[1, sphere.mask].min())
    1.0

    """
    return np.repeat(mask[np.newaxis].astype(np.float32), len(echo_times), axis=0)

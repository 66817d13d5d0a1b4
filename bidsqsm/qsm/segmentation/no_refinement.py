"""Labels as the atlas gives them."""

from __future__ import annotations

import numpy as np

from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume


def none(
    labels: Labels, chi: Volume, mask: Mask, grid: Grid, *, r2star: Volume | None = None
) -> Labels:
    """Regions of the atlas, as they are.

    What most studies of susceptibility in nuclei report [lim2013]_. Where the registration
    misses by a millimetre, the regions do so too.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Regions of the atlas on the grid of the map, 0 outside of all.
    chi, mask, grid, r2star
        Not used.

    Returns
    -------
    labels : (nx, ny, nz) int32 array
        A copy.

    References
    ----------
    .. [lim2013] Lim et al., Neuroimage 82:449-469 (2013). doi:10.1016/j.neuroimage.2013.05.127

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere()
    >>> labels = sphere.inside.astype(int)
    >>> bool((none(labels, sphere.chi, sphere.mask, sphere.grid) == labels).all())
    True

    """
    return np.array(labels, np.int32)

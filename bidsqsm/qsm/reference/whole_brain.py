"""Reference to the whole brain."""

from __future__ import annotations

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.reference.reference_result import Referenced, relative_to


def whole_brain(
    chi: Volume,
    mask: Mask,
    grid: Grid,
    r2star: Volume | None = None,
    labels: Volume | None = None,
) -> Referenced:
    """Reference to the mean of the whole brain.

    The region that every study has, and that the consensus asks to include [bilgic2024]_.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant.
    mask : (nx, ny, nz) bool array
        Voxels where it is known: the brain.
    grid
        Not used.
    r2star, labels
        Not used.

    Returns
    -------
    referenced : Referenced
        The map with zero mean inside the mask, the region, and the value subtracted.

    References
    ----------
    .. [bilgic2024] QSM Consensus Organization Committee: Bilgic et al., Magn Reson Med
       91:1834-1862 (2024). doi:10.1002/mrm.30006

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.1)
    >>> chi, _, value, _ = whole_brain(sphere.chi, sphere.mask, sphere.grid)
    >>> bool(abs(chi[sphere.mask].mean()) < 1e-6), round(value, 4)
    (True, 0.0077)

    """
    if not mask.any():
        raise ValueError('the mask is empty: there is no brain to refer to')
    return relative_to(mask.copy(), chi, mask)

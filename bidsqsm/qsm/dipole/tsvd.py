"""Truncated singular value decomposition."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between, From
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kspace.kspace_filter import invert, truncated
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.weight_laws import ZERO_FACTOR, filter_threshold


def tsvd(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    threshold: Annotated[float | None, Between(0, 2 / 3)] = None,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Truncated singular value decomposition.

    Of the maps that fit the field in the part of k-space where the singular values :math:`|D|` of
    the convolution exceed the threshold, the one of least norm [wharton2010]_:

    .. math:: \chi(k) = f(k) / D(k) \text{ where } |D| > \delta, \text{ else } 0

    The singular vectors are waves, so this is ``tkd`` with small values set to zero and contrast
    left as it comes.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    threshold
        Magnitude :math:`\delta` of the dipole kernel up to which k-space is ill-conditioned
        (dimensionless): singular values up to it are truncated.
        Found in the field if not given.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [wharton2010] Wharton et al., Magn Reson Med 63:1292-1304 (2010). doi:10.1002/mrm.22334

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = tsvd(sphere.local_field, sphere.mask, sphere.grid, threshold=0.08)
    >>> round(sphere.contrast(chi), 2)
    0.4

    """
    if threshold is None:
        threshold = filter_threshold(field_spectra(field, mask, grid), ZERO_FACTOR)
    delta = threshold
    return invert(
        field,
        mask,
        grid,
        lambda dipole, _: truncated(dipole, delta),
        rescale=False,
        padding=padding,
    )

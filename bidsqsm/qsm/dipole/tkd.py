"""Thresholded k-space division."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.bounds import Between, From, OneOf
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kspace.kspace_filter import floored, invert, truncated
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.weight_laws import FLOOR_FACTOR, filter_threshold


def tkd(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    threshold: Annotated[float | None, Between(0, 2 / 3)] = None,
    small: Annotated[str, OneOf(('floor', 'zero'))] = 'floor',
    rescale: bool = False,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Thresholded k-space division.

    The field spectrum is divided by the dipole kernel, whose magnitude is kept
    above a floor to tame the cone of small values [shmueli2009]_:

    .. math:: \chi(k) = f(k) \,/\, \operatorname{sgn}(D) \max(|D|, \delta)

    or the spectrum is set to zero there.

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
        (dimensionless); see ``small``.
        Found in the field if not given.
    small
        What becomes of small values: raised to the threshold (``floor``), or their inverse set to
        zero (``zero``), which asks for a smaller threshold.
    rescale
        Undo the loss of contrast that the regularisation brings, by the value that a point of
        susceptibility would keep [schweser2013]_.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [shmueli2009] Shmueli et al., Magn Reson Med 62:1510-1522 (2009). doi:10.1002/mrm.22135
    .. [schweser2013] Schweser et al., Magn Reson Med 69:1582-1594 (2013). doi:10.1002/mrm.24405

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = tkd(sphere.local_field, sphere.mask, sphere.grid, threshold=0.15)
    >>> round(sphere.contrast(chi), 2)
    0.39

    Less of k-space is raised to a lower threshold:

    >>> chi = tkd(sphere.local_field, sphere.mask, sphere.grid, threshold=0.05)
    >>> round(sphere.contrast(chi), 2)
    0.42

    """
    if threshold is None:
        threshold = filter_threshold(field_spectra(field, mask, grid), FLOOR_FACTOR)
    delta = threshold
    inverse = floored if small == 'floor' else truncated
    return invert(
        field,
        mask,
        grid,
        lambda dipole, _: inverse(dipole, delta),
        rescale=rescale,
        padding=padding,
    )

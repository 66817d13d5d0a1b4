"""Inversion with a quadratic penalty."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.bounds import Between, From, OneOf
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kspace.kspace_filter import invert
from bidsqsm.qsm.operators import laplacian_spectrum
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.weight_laws import noise_ratio, note_weight

PENALTY_ORDER = {'identity': 0, 'gradient': 1, 'laplacian': 2}


def tikhonov(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight: Annotated[float | None, Between(0, 100)] = None,
    operator: Annotated[str, OneOf(tuple(PENALTY_ORDER))] = 'identity',
    length: Annotated[float, Between(0, 1000)] = 3.0,
    rescale: bool = False,
    padding: Annotated[float, From(0, 500)] = 20.0,
) -> Volume:
    r"""Tikhonov regularisation.

    .. math:: \min_\chi \tfrac12 \|D\chi - f\|_2^2 + \tfrac{\lambda}{2} \|\Gamma\chi\|_2^2,
       \quad \chi(k) = \frac{D f(k)}{D^2 + \lambda |\Gamma|^2}

    in closed form [bilgic2014]_, where :math:`\Gamma` is the identity, the gradient or the
    Laplacian, of differences per :math:`\ell` rather than per mm.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Local field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted; the result is zero elsewhere.
    grid
        Voxel size and field direction.
    weight
        Regularisation weight :math:`\lambda`, dimensionless.
        Found in the field if not given.
    operator
        What to keep small: the map itself, its gradient or its Laplacian. The latter two leave
        slow changes, and the streaks among them, nearly free.
    length
        Unit of length :math:`\ell` of the gradient and the Laplacian, in mm: changes that are
        slower are penalised less than with the identity, quicker ones more.
    rescale
        Undo the loss of contrast that the regularisation brings, by the value that a point of
        susceptibility would keep [schweser2013]_. Of the gradient and the Laplacian this asks too
        much, since they dull points more than larger bodies.
    padding
        Margin around the box of the mask, in mm: zeros against circular wrap.

    Returns
    -------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, up to a constant inside the mask; zero outside.

    References
    ----------
    .. [bilgic2014] Bilgic et al., Magn Reson Med 72:1444-1459 (2014). doi:10.1002/mrm.25029
    .. [schweser2013] Schweser et al., Magn Reson Med 69:1582-1594 (2013). doi:10.1002/mrm.24405

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> chi = tikhonov(sphere.local_field, sphere.mask, sphere.grid, weight=5e-3)
    >>> round(sphere.contrast(chi), 2)
    0.37

    The loss of contrast can be undone:

    >>> chi = tikhonov(sphere.local_field, sphere.mask, sphere.grid, weight=5e-3, rescale=True)
    >>> round(sphere.contrast(chi), 2)
    0.48

    """
    if weight is None:
        weight = note_weight(noise_ratio(field_spectra(field, mask, grid)))
    share = np.float32(weight)

    def inverse(dipole: Volume, grid: Grid) -> Volume:
        per_length = np.float32(length**2) * laplacian_spectrum(grid)
        whole: Volume = share * per_length ** PENALTY_ORDER[operator]
        whole += dipole**2
        whole[0, 0, 0] = 1  # the mean is free, and the kernel zero
        return np.divide(dipole, whole, out=whole)

    return invert(field, mask, grid, inverse, rescale=rescale, padding=padding)

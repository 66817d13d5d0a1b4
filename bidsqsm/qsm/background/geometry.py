"""Background removal by the field of the air around the head, computed from its shape."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy import fft

from bidsqsm.qsm.bounds import From
from bidsqsm.qsm.grid import Grid, Mask, Matrix, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.masking.head_mask import head_mask


def geometry(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    weight_map: Volume | None = None,
    magnitude: Volume | None = None,
    air_tissue_difference: Annotated[float, From(0, 100)] = 9.4,
    fit_difference: bool = True,
    margin: Annotated[float, From(0, 500)] = 100.0,
) -> tuple[Volume, Mask]:
    r"""Geometry-dependent removal of artefacts.

    .. math:: f_{local} = f - a\, \Delta\chi\, D * A - \sum_{i + j + l \le 2} c_{ijl} x^i y^j z^l

    Where there is air, A = 1, is read off the magnitude: the voxels without signal around the head.
    The field that the difference to tissue, :math:`\Delta\chi`, makes of this shape is computed
    forwards [koch2006]_ and taken off [neelavalli2009]_, with a polynomial for the shim and what lies
    outside the field of view. Its factor a and the polynomial are fitted to the field in the mask, by
    least squares with weights.

    Air that the head encloses, in its sinuses and ears, has to be drawn by hand or come from other
    images, since the magnitude does not tell it from bone: here it counts as tissue, and its field is
    left. So more is left of the background than by methods that fit sources or solve Laplace's
    equation; this one is quick and keeps the mask, and what the tissue does it leaves alone but for a
    polynomial.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size and field direction.
    weight_map : (nx, ny, nz) float32 array, optional
        Trust W in the field, e.g. one over its noise, zero where it is unknown. All ones if not
        given.
    magnitude : (nx, ny, nz) float32 array
        Of the scan, in any unit; needed, though it comes as a keyword.
    air_tissue_difference
        Susceptibility of air less that of tissue, :math:`\Delta\chi`, in ppm.
    fit_difference
        Whether the factor a is fitted; else it is one.
    margin
        Air around the field of view, in mm, against circular wrap.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask.
    mask : (nx, ny, nz) bool array
        The mask, unchanged.

    References
    ----------
    .. [koch2006] Koch et al., Phys Med Biol 51:6381-6402 (2006). doi:10.1088/0031-9155/51/24/007
    .. [neelavalli2009] Neelavalli et al., J Magn Reson Imaging 29:937-948 (2009).
       doi:10.1002/jmri.21713

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.forward import field_of
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> head = sphere.mask  # all that has signal
    >>> total = sphere.local_field + field_of(-9.4 * head, np.ones_like(head), sphere.grid)
    >>> local, mask = geometry(total, head, sphere.grid, magnitude=head.astype('f4'))
    >>> left = abs(local - sphere.local_field)[mask].mean() / abs(total)[mask].mean()
    >>> bool(left < 0.1)
    True

    """
    if magnitude is None:
        raise ValueError(
            'the shape of the head is found in the magnitude, and none was given: give one, or take '
            'another method, such as pdf'
        )
    head = head_mask(magnitude[np.newaxis]) | mask
    air = field_of_air(head, grid, margin) * np.float32(air_tissue_difference)
    terms = shim_terms(mask, grid)
    weight = np.ones(len(terms)) if weight_map is None else weight_map[mask].astype(float)
    within, data = air[mask].astype(float), field[mask].astype(float)
    if fit_difference:
        terms = np.column_stack([terms, within])
    else:
        data = data - within
    # normal equations: few unknowns, and sums in one order whatever the threads
    weighted = terms * (weight**2)[:, np.newaxis]
    normal = np.einsum('ni,nj->ij', weighted, terms)
    found = np.linalg.lstsq(normal, np.einsum('ni,n->i', weighted, data), rcond=None)[0]
    local = np.zeros(mask.shape, np.float32)
    local[mask] = data - np.einsum('ni,i->n', terms, found)
    return local, mask.copy()


def field_of_air(head: Mask, grid: Grid, margin: float) -> Volume:
    """Field in ppm of air of 1 ppm everywhere but in the head; its mean is arbitrary."""
    wide = grid.padded(margin)
    # a field does not change when all susceptibility does: a head of -1 ppm in a world of none
    spectrum = fft.rfftn(-head.astype(np.float32), s=wide.shape)
    spectrum *= dipole_kernel(wide)
    nx, ny, nz = grid.shape
    field: Volume = fft.irfftn(spectrum, s=wide.shape, overwrite_x=True)[:nx, :ny, :nz]
    return np.ascontiguousarray(field)


def shim_terms(mask: Mask, grid: Grid) -> Matrix:
    """The polynomials up to the second degree in each voxel of a mask, scaled to about one.

    Examples
    --------
    >>> import numpy as np
    >>> shim_terms(np.ones((4, 4, 4), bool), Grid((4, 4, 4), (1.0, 1.0, 1.0))).shape
    (64, 10)

    """
    places = np.argwhere(mask) * np.asarray(grid.voxel_size)
    places = places - places.mean(axis=0)
    places /= max(float(np.abs(places).max()), 1e-30)
    x, y, z = places.T
    terms = [np.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, y * z, z * x]
    return np.column_stack(terms)

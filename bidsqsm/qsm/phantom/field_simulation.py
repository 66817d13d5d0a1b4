"""The field of a susceptibility map by one padded convolution, and the scanner's shim."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel

Array = npt.NDArray[Any]


def dipole_field(chi: Volume, grid: Grid) -> Volume:
    """Field of a susceptibility map that is periodic on its grid, in the unit of the map.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, already padded so that the repeats are far.
    grid
        Its grid, with the field direction.

    Returns
    -------
    field : (nx, ny, nz) float32 array
        Change of B0 in ppm, with mean zero; positive at the poles of a paramagnetic ball.

    References
    ----------
    .. [marques2005] Marques and Bowtell, Concepts Magn Reson B 25:65-78 (2005).
       doi:10.1002/cmr.b.20034

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> field = dipole_field(sphere.chi, sphere.grid)
    >>> bool(abs(field - sphere.local_field)[sphere.mask].mean() < 0.01)
    True

    """
    return field_of_spectrum(fft.rfftn(chi), grid)


def field_of_spectrum(spectrum: Array, grid: Grid) -> Volume:
    """Field of the map with this spectrum (of :func:`scipy.fft.rfftn`), which is overwritten."""
    kx, ky, kz = (k.ravel() for k in grid.frequencies())
    _times_dipole(spectrum, kx, ky, kz, np.array(grid.b0_direction, np.float32))
    # irfftn would hold a second spectrum: two axes in place, then the real one
    spectrum = fft.ifftn(spectrum, axes=(0, 1), overwrite_x=True)
    return np.asarray(fft.irfft(spectrum, grid.shape[2], axis=2))


@kernel()
def _times_dipole(spectrum: Array, kx: Volume, ky: Volume, kz: Volume, b: Volume) -> None:
    for i in nb.prange(spectrum.shape[0]):
        for j in range(spectrum.shape[1]):
            for k in range(spectrum.shape[2]):
                k2 = kx[i] * kx[i] + ky[j] * ky[j] + kz[k] * kz[k]
                along = kx[i] * b[0] + ky[j] * b[1] + kz[k] * b[2]
                if k2 > 0:
                    spectrum[i, j, k] *= np.float32(1 / 3) - along * along / k2
                else:
                    spectrum[i, j, k] = 0


def harmonics(points: Volume) -> Volume:
    """Solid harmonics up to second order at points (..., 3), the last axis of the result has nine."""
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    terms = (
        np.ones_like(x),
        x,
        y,
        z,
        x * y,
        y * z,
        x * z,
        x * x - y * y,
        2 * z * z - x * x - y * y,
    )
    return np.stack(terms, -1)


def fit_shim(field: Volume, mask: Mask, affine: Volume) -> Volume:
    """Coefficients (ppm per dm^n, world axes) of the harmonics that fit a field over a mask best."""
    index = np.argwhere(mask)
    index = index[:: max(1, len(index) // 100_000)]
    world = np.einsum('ij,nj->ni', affine[:3, :3], index) + affine[:3, 3]
    basis = harmonics(world / 100)
    values = field[tuple(index.T)].astype(float)
    normal = np.einsum('ni,nj->ij', basis, basis)  # einsum: the same sum whatever the threads
    return np.linalg.solve(normal, np.einsum('ni,n->i', basis, values))


@kernel()
def subtract_shim(field: Volume, coefficients: Volume, affine: Volume) -> None:
    """Take the shim's field off a volume in place."""
    a, q = affine, coefficients
    for i in nb.prange(field.shape[0]):
        for j in range(field.shape[1]):
            for k in range(field.shape[2]):
                x = (a[0, 0] * i + a[0, 1] * j + a[0, 2] * k + a[0, 3]) / 100
                y = (a[1, 0] * i + a[1, 1] * j + a[1, 2] * k + a[1, 3]) / 100
                z = (a[2, 0] * i + a[2, 1] * j + a[2, 2] * k + a[2, 3]) / 100
                linear = q[0] + q[1] * x + q[2] * y + q[3] * z
                mixed = q[4] * x * y + q[5] * y * z + q[6] * x * z
                square = q[7] * (x * x - y * y) + q[8] * (2 * z * z - x * x - y * y)
                field[i, j, k] -= linear + mixed + square

"""Differences and neighbourhoods on the voxel grid, in mm."""

from __future__ import annotations

import itertools

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.jit import kernel


@kernel()
def _gradient(x: Volume, per_mm: Volume, out: Volume) -> None:
    nx, ny, nz = x.shape
    for i in nb.prange(nx):
        after_i = (i + 1) % nx
        for j in range(ny):
            after_j = (j + 1) % ny
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                here = x[i, j, k]
                out[0, i, j, k] = per_mm[0] * (x[after_i, j, k] - here)
                out[1, i, j, k] = per_mm[1] * (x[i, after_j, k] - here)
                out[2, i, j, k] = per_mm[2] * (x[i, j, after_k] - here)


@kernel()
def _minus_divergence(y: Volume, per_mm: Volume, out: Volume) -> None:
    nx, ny, nz = out.shape
    for i in nb.prange(nx):
        before_i = i - 1 if i > 0 else nx - 1
        for j in range(ny):
            before_j = j - 1 if j > 0 else ny - 1
            for k in range(nz):
                before_k = k - 1 if k > 0 else nz - 1
                out[i, j, k] = (
                    per_mm[0] * (y[0, before_i, j, k] - y[0, i, j, k])
                    + per_mm[1] * (y[1, i, before_j, k] - y[1, i, j, k])
                    + per_mm[2] * (y[2, i, j, before_k] - y[2, i, j, k])
                )


def gradient(x: Volume, voxel_size: Triple) -> Volume:
    """Forward differences per mm, circular at the faces.

    Parameters
    ----------
    x : (nx, ny, nz) float32 array
        A volume.
    voxel_size
        Distance between voxel centres along each axis, in mm.

    Returns
    -------
    gradient : (3, nx, ny, nz) float32 array
        In units of ``x`` per mm.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(8.0, dtype='f4')[:, None, None] * np.ones((8, 8, 8), 'f4')
    >>> slope = gradient(ramp, (2.0, 2.0, 2.0))  # per mm
    >>> float(slope[0, 3, 3, 3]), float(slope[1, 3, 3, 3])
    (0.5, 0.0)

    """
    out = np.empty((3, *x.shape), x.dtype)
    _gradient(x, inverse(voxel_size), out)
    return out


def minus_divergence(y: Volume, voxel_size: Triple) -> Volume:
    """Adjoint of :func:`gradient`: backward differences, negative, summed over the axes.

    Parameters
    ----------
    y : (3, nx, ny, nz) float32 array
        A vector field.
    voxel_size
        Distance between voxel centres along each axis, in mm.

    Returns
    -------
    minus_divergence : (nx, ny, nz) float32 array
        In units of ``y`` per mm.

    Examples
    --------
    >>> import numpy as np
    >>> from bidsqsm.qsm.operators import gradient
    >>> size = (1.0, 1.0, 2.0)
    >>> x, y = np.random.default_rng(0).normal(size=(2, 3, 8, 8, 8)).astype('f4')

    The adjoint of the gradient has the same inner product:

    >>> apart = (gradient(x[0], size) * y).sum() - (x[0] * minus_divergence(y, size)).sum()
    >>> bool(abs(apart) < 1e-3)
    True

    """
    out = np.empty(y.shape[1:], y.dtype)
    _minus_divergence(y, inverse(voxel_size), out)
    return out


def inverse(voxel_size: Triple) -> Volume:
    """One over the voxel size, in 1/mm, as compiled loops take it."""
    return (1 / np.asarray(voxel_size)).astype(np.float32)


def inner_voxels(mask: Mask, *, diagonal: bool = False) -> Mask:
    """Voxels of a mask whose neighbours are in it too; none at the faces of the array.

    Neighbours are the six that share a face and, if ``diagonal``, the twelve that share an edge.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((7, 7, 7), bool)
    >>> mask[1:6, 1:6, 1:6] = True
    >>> int(mask.sum()), int(inner_voxels(mask).sum())
    (125, 27)

    """
    inner: Mask = np.zeros_like(mask)
    core = inner[1:-1, 1:-1, 1:-1]
    core[...] = mask[1:-1, 1:-1, 1:-1]
    reach = 2 if diagonal else 1
    for step in itertools.product((-1, 0, 1), repeat=3):
        if 1 <= sum(abs(s) for s in step) <= reach:
            core &= mask[
                tuple(slice(1 + s, n - 1 + s) for s, n in zip(step, mask.shape, strict=True))
            ]
    return inner


def edge_spectra(grid: Grid) -> Volume:
    """Squared spectra of the forward differences, in 1/mm^2.

    Returns
    -------
    spectra : (nx + ny + nz // 2 + 1,) float32 array
        |E|^2 of the first axis, then of the second, then the half spectrum of the third.

    """
    squares = [
        (2 - 2 * np.cos(2 * np.pi * k.ravel().astype(float) * d)) / d**2
        for k, d in zip(grid.frequencies(), grid.voxel_size, strict=True)
    ]
    return np.concatenate(squares).astype(np.float32)


def laplacian_spectrum(grid: Grid) -> Volume:
    """Spectrum of the gradient followed by its adjoint, in 1/mm^2; not negative.

    Returns
    -------
    spectrum : (nx, ny, nz // 2 + 1) float32 array
        In the layout of :func:`scipy.fft.rfftn`.

    Examples
    --------
    >>> from bidsqsm.qsm.grid import Grid
    >>> spectrum = laplacian_spectrum(Grid((8, 8, 8), (1.0, 1.0, 1.0)))
    >>> float(spectrum[0, 0, 0]), round(float(spectrum[4, 0, 0]), 3)  # zero for a constant
    (0.0, 4.0)

    """
    nx, ny, _ = grid.shape
    edges = edge_spectra(grid)
    total: Volume = edges[:nx, None, None] + edges[nx : nx + ny, None] + edges[nx + ny :]
    return total

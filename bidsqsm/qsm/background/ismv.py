"""Background removal by repeated spherical means."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bidsqsm.qsm.background.spheres import sphere_that_fits
from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve
from bidsqsm.qsm.krylov import conjugate_gradients
from bidsqsm.qsm.multigrid import cycle, hierarchy
from bidsqsm.qsm.window import Window


def ismv(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    radius: Annotated[float, Between(0, 100)] = 3.0,
    residual_tol: Annotated[float, Between(0, 1)] = 1e-3,
    max_iter: Annotated[int, Between(0, 10000)] = 100,
) -> tuple[Volume, Mask]:
    r"""Iterative spherical mean values (iSMV).

    Taking the mean over a sphere again and again, with the total field held fixed in the rim of
    the mask, where the sphere does not fit, leaves the harmonic background field
    [wen2014]_:

    .. math:: b \leftarrow M_R \, (s_R * b) + (1 - M_R) \, f, \quad f_{local} = f - b

    The field at which this arrives obeys :math:`M_R (\delta - s_R) * (f_{local} - f) = 0`, zero in
    the rim. It is found here by conjugate gradients, preconditioned by a multigrid cycle for the
    Laplacian that :math:`\delta - s_R` is at low frequencies, in a few means rather than hundreds.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    radius
        Radius of the sphere, in mm; the longest voxel edge where that is more.
    residual_tol
        Relative residual at which to stop.
    max_iter
        Iterations after which to stop regardless.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels in which the sphere fits.

    References
    ----------
    .. [wen2014] Wen et al., Magn Reson Med 72:1065-1071 (2014). doi:10.1002/mrm.24998

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = ismv(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (2176, 0.2)

    """
    radius = max(radius, *grid.voxel_size)
    window = Window.around(mask, grid, radius)
    sphere, fits = sphere_that_fits(window, radius)
    high_pass = 1 - sphere
    levels = hierarchy(fits, grid.voxel_size)
    # 1 - S(k) is r^2 k^2 / 10 at low frequencies and about one at high
    laplacians = np.float32(10 / radius**2)

    # A = M_R (delta - s_R) M_R, for the fixed point of the repeated means
    def operator(x: Volume) -> Volume:
        image = convolve(x, high_pass)
        image *= fits
        return image

    def precondition(residual: Volume) -> Volume:
        np.copyto(levels[0].right, residual)
        cycle(levels)
        smooth = levels[0].x
        # low frequencies by the Laplacian's inverse, high ones, where A is near one, as they are
        smooth *= laplacians
        smooth += residual
        return smooth

    right = operator(window.cut(field))
    local = conjugate_gradients(
        operator,
        right,
        tol=residual_tol,
        max_iter=max_iter,
        precondition=precondition,
        name='ismv',
    )
    left = window.restore(fits)
    return window.restore(local, left), left

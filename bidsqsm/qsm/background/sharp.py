"""Background removal by a sphere of one radius."""

from __future__ import annotations

from typing import Annotated

from bidsqsm.qsm.background.spheres import Deconvolution, sphere_that_fits
from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve
from bidsqsm.qsm.window import Window


def sharp(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    radius: Annotated[float, Between(0, 100)] = 5.0,
    wavelength: Annotated[float, Between(0, 1e6)] = 120.0,
) -> tuple[Volume, Mask]:
    r"""Sophisticated harmonic artefact reduction for phase data (SHARP).

    The background field is harmonic inside the mask, so its mean over a sphere is its value at
    the centre, and the difference of the two holds the local field alone [schweser2011]_:

    .. math:: (\delta - s_R) * f = (\delta - s_R) * f_{local}

    It is kept where the sphere fits in the mask, and the filter's gain :math:`G = 1 - S_R(k)`
    divided out in k-space. A threshold on the gain would depend on the radius and drop whole
    frequencies; it is :math:`G / (G^2 + t^2)` here, with t the gain at a given wavelength
    [ozbay2017]_.

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
    wavelength
        Wavelength that the division leaves half of, in mm; much longer ones are dropped.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels in which the sphere fits.

    References
    ----------
    .. [schweser2011] Schweser et al., NeuroImage 54:2789-2807 (2011).
       doi:10.1016/j.neuroimage.2010.10.070
    .. [ozbay2017] Özbay et al., NMR Biomed 30:e3550 (2017). doi:10.1002/nbm.3550

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = sharp(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (1376, 0.0)

    """
    window = Window.around(mask, grid, max(radius, *grid.voxel_size))
    sphere, fits = sphere_that_fits(window, radius)
    high_pass = convolve(window.cut(field), 1 - sphere)
    # M_R: where the sphere leaves the mask, the mean holds a field that was not measured
    high_pass *= fits
    left = window.restore(fits)
    divide = Deconvolution.of(sphere, window.grid, wavelength)
    return window.restore(divide(high_pass), left), left

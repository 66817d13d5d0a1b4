"""The field of a susceptibility map."""

from __future__ import annotations

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.window import Window

PADDING = 20.0  # mm


def field_of(chi: Volume, mask: Mask, grid: Grid) -> Volume:
    """Field that a map makes inside its mask, the mean of the map being that of its surroundings.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm.
    mask : (nx, ny, nz) bool array
        Where the map has values.
    grid
        Voxel size and field direction.

    Returns
    -------
    field : (nx, ny, nz) float32 array
        In ppm, zero outside the mask.

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> field = field_of(sphere.chi, sphere.mask, sphere.grid)

    The field of a sphere of 0.5 ppm, known in closed form, to a few hundredths of a ppm:

    >>> bool(abs(field - sphere.local_field)[sphere.mask].mean() < 0.01)
    True

    """
    window = Window.around(mask, grid, PADDING)
    centred = window.cut(chi)
    inside = window.cut_mask()
    centred[inside] -= centred[inside].mean(dtype=float)
    return window.restore(convolve(centred, dipole_kernel(window.grid)))

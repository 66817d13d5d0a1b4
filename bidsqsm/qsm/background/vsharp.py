"""Background removal by spheres of varying radius."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.background.spheres import Deconvolution
from bidsqsm.qsm.bounds import Between
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.iteration import iterate
from bidsqsm.qsm.kernels import fits_inside, sphere_kernel
from bidsqsm.qsm.krylov import dot
from bidsqsm.qsm.window import Window

LOGGER = logging.getLogger(__name__)


def vsharp(
    field: Volume,
    mask: Mask,
    grid: Grid,
    *,
    max_radius: Annotated[float, Between(0, 100)] = 6.0,
    min_radius: Annotated[float, Between(0, 100)] = 1.0,
    step: Annotated[float, Between(0, 100)] = 1.0,
    wavelength: Annotated[float, Between(0, 1e6)] = 80.0,
    max_iter: Annotated[int, Between(0, 1000)] = 4,
) -> tuple[Volume, Mask]:
    r"""Variable-radius sophisticated harmonic artefact reduction (V-SHARP).

    The background field is harmonic inside the mask, so its mean over a sphere is its value at
    the centre, and the difference of the two holds the local field alone [schweser2011]_:

    .. math:: (\delta - s_R) * f = (\delta - s_R) * f_{local}

    Each voxel takes the largest sphere that fits in the mask [wu2012]_. The largest sphere of all,
    with gain :math:`G = 1 - S_R(k)`, is then divided out in k-space by :math:`G / (G^2 + t^2)`,
    where t is the gain at a given wavelength, so that radius and regularisation do not depend on
    each other [ozbay2017]_. Near the rim, where spheres are small, that divides by too much. So
    the local field found goes through the spheres again, and what is missing is divided out and
    added; with one iteration there is no such correction.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total field, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels where the field is trusted.
    grid
        Voxel size; the direction of B0 plays no part.
    max_radius
        Radius of the largest sphere, in mm.
    min_radius
        Radius of the smallest sphere, in mm; the longest voxel edge where that is more.
    step
        Difference between two radii, in mm.
    wavelength
        Wavelength that the division leaves half of, in mm; much longer ones are dropped.
    max_iter
        Iterations after which to stop regardless: divisions, all of which are made.

    Returns
    -------
    local_field : (nx, ny, nz) float32 array
        Field of the sources inside the mask in ppm, zero outside the mask that remains.
    mask : (nx, ny, nz) bool array
        Voxels in which the smallest sphere fits.

    References
    ----------
    .. [schweser2011] Schweser et al., NeuroImage 54:2789-2807 (2011).
       doi:10.1016/j.neuroimage.2010.10.070
    .. [wu2012] Wu et al., Magn Reson Med 67:137-147 (2012). doi:10.1002/mrm.23000
    .. [ozbay2017] Özbay et al., NMR Biomed 30:e3550 (2017). doi:10.1002/nbm.3550

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> sphere = make_sphere(chi=0.5)
    >>> local, mask = vsharp(sphere.total_field, sphere.mask, sphere.grid)
    >>> before = abs(sphere.background_field[mask]).mean()
    >>> after = abs(local - sphere.local_field)[mask].mean()
    >>> int(mask.sum()), round(float(after / before), 1)  # voxels, share of the background left
    (2752, 0.2)

    """
    smallest = max(min_radius, *grid.voxel_size)
    largest = max(max_radius, smallest)
    window = Window.around(mask, grid, largest)
    radii = np.arange(largest, smallest - 1e-6, -step)
    if radii[-1] > smallest + 1e-6:
        radii = np.append(radii, smallest)

    spheres = Spheres.fitting(window, radii)
    # the largest sphere reaches the lowest frequencies, so its gain G is the one to divide by
    divide = Deconvolution.of(spheres.kernels[0], window.grid, wavelength)
    remains = spheres.index > 0
    missing = spheres.high_pass(window.cut(field))
    whole = dot(missing, missing) or 1.0
    local = np.zeros_like(missing)

    def correct() -> float:
        nonlocal local, missing
        # (delta - s_R) * (f - f_local): what the local field so far leaves of the filtered field
        if local.any():
            missing = known - spheres.high_pass(local)
        local += divide(missing) * remains
        return float(np.sqrt(dot(missing, missing) / whole))

    known = missing
    iterate(correct, name='vsharp', tol=None, max_iter=max_iter)
    left = window.restore(remains)
    LOGGER.info('vsharp: %d of %d voxels of the mask remain', left.sum(), mask.sum())
    return window.restore(local, left), left


@dataclass(frozen=True)
class Spheres:
    """For each voxel, the largest of some spheres that fits in the mask.

    Attributes
    ----------
    kernels
        Spectra of the spheres in use, the largest first.
    index : (nx, ny, nz) uint8 array
        Which of them a voxel takes, from 1; 0 where none fits.

    """

    kernels: list[Volume]
    index: npt.NDArray[np.uint8]

    @classmethod
    def fitting(cls, window: Window, radii: Volume) -> Spheres:
        """Try spheres of these radii in mm, the largest first."""
        inside = window.cut_mask()
        spectrum = fft.rfftn(inside.astype(np.float32))
        kernels: list[Volume] = []
        index = np.zeros(inside.shape, np.uint8)
        for radius in radii:
            kernel = sphere_kernel(window.grid, radius)
            fits = fits_inside(kernel, inside, spectrum)
            # the largest first: a voxel that has a sphere takes no smaller one
            fits &= index == 0
            if fits.any():
                kernels.append(kernel)
                index[fits] = len(kernels)
        if not kernels:
            raise ValueError(
                f'no sphere of {radii[-1]:g} mm fits in the mask: '
                'give a larger mask or smaller voxels'
            )
        return cls(kernels, index)

    def high_pass(self, field: Volume) -> Volume:
        """Subtract from each voxel the mean over its sphere; zero where none fits."""
        spectrum = fft.rfftn(field)
        result = np.zeros_like(field)
        for number, kernel in enumerate(self.kernels, 1):
            mean = fft.irfftn(kernel * spectrum, s=field.shape, overwrite_x=True)
            np.subtract(field, mean, where=self.index == number, out=result)
        return result

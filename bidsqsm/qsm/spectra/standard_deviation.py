r"""Standard deviation of susceptibility: noise, errors of the model and what the cone hides.

An inversion in closed form with the spectra N of the noise and S of susceptibility leaves an error of
the power

.. math:: E(k) = \frac{S N}{D^2 S + N},

which is that of a Wiener filter [wiener1949]_; other methods that follow the same spectra come near it.
As N is read off the field, it holds what the model does not explain as well.

.. [wiener1949] Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series,
   MIT Press (1949). doi:10.7551/mitpress/2946.001.0001
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.kspace.kspace_filter import mean_over_spectrum
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra

#: Error of a map of total variation over that of the filter, c u^p, with the share u of the field that
#: the model does not explain: edges help where the field is well explained. Of simulated heads.
CLOSED_FORM_FACTOR, CLOSED_FORM_POWER = 1.22, 0.125
#: Error in proportion to chi itself, c u^p: where sources are strong, so are the errors of the model
SOURCE_FACTOR, SOURCE_POWER = 0.9, 0.75
#: Slow error where the background is told apart in the same step, as a share of the spread of chi, for
#: a field that the model explains: spectra behind a total field leave it out
BACKGROUND_SHARE = 0.38


def error_spectrum(spectra: FieldSpectra, grid: Grid) -> Volume:
    """Power of the error of chi, in ppm^2 per voxel, on the half spectrum of a grid; 0 at k = 0.

    Scaled as the spectra are: the mean over the whole of k-space is the variance of a voxel.
    """
    shells = replace(spectra.shells, grid=grid)
    noise, chi = shells.on_grid(spectra.noise), shells.on_grid(spectra.susceptibility)
    error = dipole_kernel(grid)
    error *= error
    error *= chi
    error += noise
    np.divide(noise, error, out=error)
    error *= chi
    error[0, 0, 0] = 0  # the mean is free
    return error * np.float32((CLOSED_FORM_FACTOR * spectra.unexplained**CLOSED_FORM_POWER) ** 2)


def standard_deviation(
    chi: Volume, mask: Mask, spectra: FieldSpectra, *, background_share: float = 0.0
) -> Volume:
    r"""Standard deviation of susceptibility per voxel, in ppm.

    .. math:: \sigma^2(r) = a^2 \langle E \rangle_k + b^2 (\chi(r) - \tilde\chi)^2 + c^2 s^2,
       \quad a = 1.22\, u^{1/8}, \; b = 0.9\, u^{3/4}

    with the median :math:`\tilde\chi` and the standard deviation s of chi over the mask, and the share u of the field's power that the
    model does not explain. On simulated heads, 68 and 95 % of the errors lie within one and 1.96 of it.

    Parameters
    ----------
    chi : (nx, ny, nz) float32 array
        Susceptibility, in ppm.
    mask : (nx, ny, nz) bool array
        Voxels that have one.
    spectra
        Of the field that it was made of.
    background_share
        c over 1 - u: :data:`BACKGROUND_SHARE` for a map of a total field, 0 for one of a local field.

    Returns
    -------
    deviation : (nx, ny, nz) float32 array
        In ppm, of an inversion that knows these spectra; zero outside the mask.

    Examples
    --------
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.spectra.field_spectra import field_spectra
    >>> sphere = make_sphere(chi=0.5)
    >>> spectra = field_spectra(sphere.local_field, sphere.mask, sphere.grid)
    >>> deviation = standard_deviation(sphere.chi, sphere.mask, spectra)
    >>> bool(deviation[sphere.inside].min() > 0), float(deviation[~sphere.mask].max())
    (True, 0.0)

    """
    error = error_spectrum(spectra, spectra.shells.grid)
    share = np.float32(SOURCE_FACTOR * spectra.unexplained**SOURCE_POWER)
    out = np.zeros(chi.shape, np.float32)
    inside = chi[mask]
    slow = background_share * (1 - spectra.unexplained) * inside.std(dtype=np.float64)
    inside = share * (inside - np.median(inside))
    out[mask] = np.sqrt(mean_over_spectrum(error) + inside * inside + np.float32(slow**2))
    return out

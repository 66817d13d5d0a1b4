"""How far noise of the field and errors of the model move the mean susceptibility of a region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.kspace.kspace_filter import mean_over_spectrum
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.qsm.spectra.standard_deviation import error_spectrum

WEIGHT = 5e-3  # of the penalty, the default of the catalogue's Tikhonov regularisation
NOISE_REACH_MM = 48.0  # mm from the region's box within which the noise of the field is counted


@dataclass(frozen=True)
class Noise:
    r"""Noise of the field, from which the error of a region's mean follows.

    The mean of a region is a sum over the field with weights :math:`g`; voxels whose noise is
    independent then give

    .. math:: \operatorname{se}^2 = \sum_r \sigma^2(r) \, g^2(r), \quad
       g = F^{-1}\Big\{ \frac{D}{D^2 + \lambda} F\{1_{ROI} / n\} \Big\}

    with the Tikhonov-regularised inverse of the dipole kernel :math:`D` [bilgic2014]_ for the
    inversion. This is not sd / sqrt(n), which takes the texture of the tissue for noise and voxels
    that share the noise of one field for independent.

    Parameters
    ----------
    sigma : (nx, ny, nz) float32 array
        Standard deviation of the field in ppm; zero outside the mask.
    grid
        Voxel size and field direction.

    References
    ----------
    .. [bilgic2014] Bilgic et al., Magn Reson Med 72:1444-1459 (2014). doi:10.1002/mrm.25029

    """

    sigma: Volume
    grid: Grid

    @classmethod
    def within(cls, noise: Volume, mask: Mask, grid: Grid) -> Noise | None:
        """Take the noise inside a mask; where it is not known, its median. None if it nowhere is."""
        known = mask & np.isfinite(noise) & (noise > 0)
        if not known.any():
            return None
        usual = np.float32(np.median(noise[known]))
        return cls(np.where(known, noise, mask * usual).astype(np.float32), grid)

    def error_of_mean(self, where: npt.NDArray[np.intp]) -> float:
        """Standard error (ppm) of the mean over voxels, given by their indices in the flat image.

        The sum runs over a box that ends 48 mm from the region, with as much room again between
        the periodic copies of the transform.

        Examples
        --------
        >>> import numpy as np
        >>> from bidsqsm.qsm.phantom.sphere import make_sphere
        >>> sphere = make_sphere()
        >>> noise = Noise.within(np.full(sphere.mask.shape, 0.01), sphere.mask, sphere.grid)
        >>> small = noise.error_of_mean(np.flatnonzero(sphere.inside)[:20])
        >>> large = noise.error_of_mean(np.flatnonzero(sphere.inside))
        >>> large < small  # ppm; the mean over more voxels is surer
        True

        """
        if not where.size:
            return float('nan')
        size, shape = self.grid.voxel_size, self.sigma.shape
        places = np.unravel_index(where, shape)
        first = [int(p.min()) for p in places]
        extent = [int(p.max()) - a + 1 for p, a in zip(places, first, strict=True)]
        reach = [int(np.ceil(NOISE_REACH_MM / d)) for d in size]
        nx, ny, nz = extent
        box = replace(self.grid, shape=(nx, ny, nz)).padded(2 * NOISE_REACH_MM + max(size))
        weights = np.zeros(box.shape, np.float32)
        begin = [a - r for a, r in zip(first, reach, strict=True)]
        inner = tuple(p - b for p, b in zip(places, begin, strict=True))
        weights[inner] = 1 / where.size
        spectrum = fft.rfftn(weights, overwrite_x=True)
        spectrum *= _inverse_dipole(box)
        spread = fft.irfftn(spectrum, s=box.shape, overwrite_x=True)
        low = [max(b, 0) for b in begin]
        high = [min(a + n + r, m) for a, n, r, m in zip(first, extent, reach, shape, strict=True)]
        own = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        there = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, begin, strict=True))
        moved = self.sigma[own] * spread[there]
        return float(np.sqrt(np.square(moved, out=moved).sum(dtype=np.float64)))


@dataclass(frozen=True)
class MapError:
    r"""Error of a map that knows the spectra of its field, from which that of a region's mean follows.

    With the power E(k) of the error, see :mod:`bidsqsm.qsm.spectra.standard_deviation`, and n voxels,

    .. math:: \operatorname{se}^2 = q \, \Big\langle E \, |F\{1_{ROI} / n\}|^2 \Big\rangle_k + s^2, \quad
       q = \frac{\langle \sigma^2 \rangle_{ROI} - s^2}{\langle E \rangle_k}

    as errors of neighbours go together, and are larger where the map's standard deviation is. What
    its least value has beyond E is slow, :math:`s^2`: all voxels of a region share it.

    Parameters
    ----------
    deviation : (nx, ny, nz) float32 array
        Standard deviation of susceptibility, in ppm.
    spectra
        Of the field.
    grid
        Voxel size and field direction.

    """

    deviation: Volume
    spectra: FieldSpectra
    grid: Grid

    @cached_property
    def least(self) -> float:
        """Least standard deviation of any voxel that has one, in ppm."""
        known = self.deviation[self.deviation > 0]
        return float(known.min()) if known.size else 0.0

    def error_of_mean(self, where: npt.NDArray[np.intp]) -> float:
        """Standard error (ppm) of the mean over voxels, given by their indices in the flat image.

        Examples
        --------
        >>> import numpy as np
        >>> from bidsqsm.qsm.phantom.sphere import make_sphere
        >>> from bidsqsm.qsm.spectra.field_spectra import field_spectra
        >>> sphere = make_sphere()
        >>> spectra = field_spectra(sphere.local_field, sphere.mask, sphere.grid)
        >>> error = MapError(np.full(sphere.mask.shape, 0.01), spectra, sphere.grid)
        >>> small = error.error_of_mean(np.flatnonzero(sphere.inside)[:20])
        >>> error.error_of_mean(np.flatnonzero(sphere.inside)) < small < 0.01  # ppm
        True

        """
        if not where.size:
            return float('nan')
        places = np.unravel_index(where, self.deviation.shape)
        own = [p - p.min() for p in places]
        nx, ny, nz = (int(p.max()) + 1 for p in own)
        # so far apart, the errors of periodic copies have next to nothing in common
        box = replace(self.grid, shape=(nx, ny, nz)).padded(NOISE_REACH_MM)
        weights = np.zeros(box.shape, np.float32)
        weights[tuple(own)] = 1 / where.size
        mean = fft.rfftn(weights, overwrite_x=True)
        error = error_spectrum(self.spectra, box)
        usual = float(mean_over_spectrum(error))
        error *= np.square(mean.real) + np.square(mean.imag)
        squared = np.square(self.deviation.ravel()[where], dtype=np.float64).mean()
        slow = max(self.least**2 - usual, 0.0)
        quick = float(mean_over_spectrum(error)) * (squared - slow) / usual
        return float(np.sqrt(quick + slow))


def _inverse_dipole(grid: Grid) -> Volume:
    dipole = dipole_kernel(grid)
    whole: Volume = np.square(dipole)
    whole += np.float32(WEIGHT)
    return np.divide(dipole, whole, out=whole)

r"""Susceptibility of regions, fitted to what a map leaves of the field: freed from the map's prior.

A regularised map is too dull, and a region's mean too low. What the map lacks is still in the field,
and of a region only one number is sought, which takes little of the noise with it. As the geometric
transfer matrix does for partial volume in PET, a matrix tells what each region adds to the numbers
of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel, fits_inside, sphere_kernel
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra
from bidsqsm.qsm.window import Window

#: Voxel edge that the fit is made on, in mm: a region's number does not hang on finer ones
COARSE_VOXEL = 2.0
#: Radius in mm of the spheres whose means are free of background
FIT_RADIUS = 6.0
#: Power that the spheres leave, below which no frequency is raised again
LEAST_POWER = 0.05
#: Least share of a region where the field must be known
LEAST_SHARE = 0.5
PADDING = 20.0  # mm

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RegionFit:
    """What the regions of a map lack.

    Attributes
    ----------
    regions
        Their values in the label image.
    lacking : (n,) float64 array
        What to add to the mean of each region, in ppm; NaN where the field does not tell.
    covariance : (n, n) float64 array
        Of these, in ppm^2, from the noise and the errors of the model that the field shows.

    """

    regions: tuple[int, ...]
    lacking: Matrix
    covariance: Matrix

    def of(self, voxels: Sequence[int]) -> tuple[float, float]:
        """What the mean of several regions lacks and its standard deviation, in ppm.

        Parameters
        ----------
        voxels
            How many of the mean each region has, in their order.

        """
        share = np.asarray(voxels, float) / max(sum(voxels), 1)
        own = share > 0
        if not own.any():
            return float('nan'), float('nan')
        share = share[own]
        variance = float(share @ self.covariance[np.ix_(own, own)] @ share)
        return float(share @ self.lacking[own]), float(np.sqrt(variance))


def fit_regions(
    field: Volume,
    chi: Volume,
    labels: Labels,
    values: Sequence[int],
    mask: Mask,
    grid: Grid,
    spectra: FieldSpectra,
) -> RegionFit:
    r"""Fit what each region lacks to what a map leaves of the field.

    .. math:: \min_d \Big\| C^{-1/2} H \Big( f - D\chi - \sum_R d_R \, D 1_R \Big) \Big\|^2, \quad
       C = N + D^2 S

    with the dipole kernel D, the spectra N of the noise and S of susceptibility, and the spheres of one
    radius, H, that take the background away, so that f may be the total field. To d is added the mean
    over the region of what the rest of the residual tells of chi, :math:`D S C^{-1}` of it: together
    the best linear unbiased prediction [robinson1991]_ of the regions' means, without a prior on the
    regions' values and with that of the spectra on everything else, whatever made the map. PET knows the
    like as the geometric transfer matrix [rousset1998]_.

    Parameters
    ----------
    field : (nx, ny, nz) float32 array
        Total or local field, in ppm.
    chi : (nx, ny, nz) float32 array
        Map of the same field, in ppm.
    labels : (nx, ny, nz) integer array
        Label image.
    values
        Regions to fit. All at once, since each one's field is in the others.
    mask : (nx, ny, nz) bool array
        Where field and map are known.
    grid
        Voxel size and field direction.
    spectra
        Of the local field, whose noise holds what the model does not explain.

    Returns
    -------
    fit
        What to add to the means, and its covariance.

    References
    ----------
    .. [robinson1991] Robinson, Stat Sci 6:15-32 (1991). doi:10.1214/ss/1177011926
    .. [rousset1998] Rousset et al., J Nucl Med 39:904-911 (1998).

    Examples
    --------
    A map in closed form has half of a sphere's susceptibility:

    >>> from bidsqsm.qsm.dipole.tikhonov import tikhonov
    >>> from bidsqsm.qsm.phantom.sphere import make_sphere
    >>> from bidsqsm.qsm.spectra.field_spectra import field_spectra
    >>> s = make_sphere(chi=0.1, radius=6.0, shape=(48, 48, 48), voxel_size=(1.0, 1.0, 1.0))
    >>> chi = tikhonov(s.local_field, s.mask, s.grid, weight=0.05)
    >>> found = field_spectra(s.local_field, s.mask, s.grid)
    >>> fit = fit_regions(s.total_field, chi, 1 * s.inside, [1], s.mask, s.grid, found)
    >>> bool(s.contrast(chi) < 0.05), bool(0.09 < s.contrast(chi) + fit.lacking[0] < 0.11)
    (True, True)

    """
    factors = tuple(max(1, round(COARSE_VOXEL / d)) for d in grid.voxel_size)
    known = _blocks(mask.astype(np.float32), factors) > 1 - 1e-6
    size = [d * n for d, n in zip(grid.voxel_size, factors, strict=True)]
    nx, ny, nz = known.shape
    coarse = replace(grid, shape=(nx, ny, nz), voxel_size=(size[0], size[1], size[2]))
    left = _blocks(np.where(mask, field - field_of(chi, mask, grid), 0), factors)
    if not known.any():
        return _unknown(values)
    window = Window.around(known, coarse, PADDING)
    inside = window.cut_mask()
    sphere = sphere_kernel(window.grid, max(FIT_RADIUS, *size))
    fits = fits_inside(sphere, inside, fft.rfftn(inside.astype(np.float32)))
    sphere -= np.float32(1)
    dipole = dipole_kernel(window.grid)

    shares = _shares(np.where(mask, labels, 0), values, factors, coarse)
    told = [
        i
        for i, share in enumerate(shares)
        if share[window.box][fits[window.inside]].sum() > LEAST_SHARE * share.sum()
    ]
    if not told:
        return _unknown(values)
    noise, chi_power = (
        replace(spectra.shells, grid=window.grid).on_grid(power)
        for power in (spectra.noise, spectra.susceptibility)
    )
    # the mean of so many voxels has so much less noise
    cost = np.float32(np.prod(factors)) / (noise + dipole * dipole * chi_power)
    cost[0, 0, 0] = 0  # the mean is free
    filtered = sphere * dipole
    model, weighed = [], []
    for i in told:
        within = _within(window, shares[i], filtered, fits)
        model.append(within[fits])
        weighed.append(_convolved(within, cost)[fits])
    rest = _within(window, left, sphere, fits)
    matrix = np.array([[_dot(a, b) for b in model] for a in weighed])
    covariance = np.linalg.pinv((matrix + matrix.T) / 2, rcond=1e-6, hermitian=True)
    own = covariance @ np.array([_dot(a, rest[fits]) for a in weighed])
    for value, one in zip(own, model, strict=True):
        rest[fits] -= np.float32(value) * one
    undo = cost * (chi_power / np.float32(np.prod(factors))) * filtered
    undo /= np.square(sphere) + np.float32(LEAST_POWER)
    other = _convolved(rest, undo)[window.inside]
    means = [np.average(other, weights=shares[i][window.box]) for i in told]
    result = _unknown(values)
    result.lacking[told] = own + means
    result.covariance[np.ix_(told, told)] = covariance
    return result


def _unknown(values: Sequence[int]) -> RegionFit:
    n = len(values)
    return RegionFit(tuple(values), np.full(n, np.nan), np.full((n, n), np.nan))


def _blocks(volume: Volume | Mask, factors: tuple[int, ...]) -> Volume:
    """Means over blocks of voxels; those that are cut off at the end count as zero."""
    whole = [-n % f for n, f in zip(volume.shape, factors, strict=True)]
    filled = np.pad(volume, [(0, n) for n in whole]).astype(np.float32)
    (x, y, z), (i, j, k) = filled.shape, factors
    parted = filled.reshape(x // i, i, y // j, j, z // k, k)
    return np.asarray(parted.mean(axis=(1, 3, 5), dtype=np.float32))


def _shares(
    labels: Labels, values: Sequence[int], factors: tuple[int, ...], coarse: Grid
) -> list[Volume]:
    """Share of each block that a region has; a pass over the labels, not one for each region."""
    places = np.nonzero(np.isin(labels, values))
    own = labels[places]
    block = np.ravel_multi_index(
        [p // f for p, f in zip(places, factors, strict=True)], coarse.shape
    )
    count, size = math.prod(coarse.shape), math.prod(factors)
    return [
        (np.bincount(block[own == value], minlength=count) / size)
        .astype(np.float32)
        .reshape(coarse.shape)
        for value in values
    ]


def _within(window: Window, volume: Volume, kernel: Volume, where: Mask) -> Volume:
    filled = np.zeros(window.grid.shape, np.float32)
    filled[window.inside] = volume[window.box]
    filtered: Volume = fft.irfftn(fft.rfftn(filled) * kernel, s=filled.shape)
    filtered *= where
    return filtered


def _dot(a: Volume, b: Volume) -> float:
    """Their product, summed in 64 bits in an order that does not hang on threads."""
    return float((a * b).sum(dtype=np.float64))


def _convolved(volume: Volume, kernel: Volume) -> Volume:
    return np.asarray(fft.irfftn(fft.rfftn(volume) * kernel, s=volume.shape))

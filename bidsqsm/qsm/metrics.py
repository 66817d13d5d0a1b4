"""Scores of a map against its truth, all on one given mask.

Maps are compared after the mean over the mask is taken off both: susceptibility is only known up
to a constant, and references differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Labels, Mask, Volume

_C1, _C2 = 1e-4, 1e-6  # (K1 L)^2 and (K2 L)^2 of XSIM: L = 1 ppm, K1 = 0.01, K2 = 0.001


def nrmse(chi: Volume, truth: Volume, mask: Mask) -> float:
    """Error relative to the truth's variation, in percent: 100 for a flat map.

    Parameters
    ----------
    chi, truth : (nx, ny, nz) arrays
        In the same unit.
    mask : (nx, ny, nz) bool array
        Voxels that count.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.linspace(-0.1, 0.1, 512).reshape(8, 8, 8)
    >>> mask = np.ones(truth.shape, bool)
    >>> round(nrmse(0.9 * truth, truth, mask)), round(nrmse(0 * truth, truth, mask))
    (10, 100)

    """
    ours, true = _centred(chi, mask)[mask], _centred(truth, mask)[mask]
    return 100 * _norm(ours - true) / _norm(true)


def detrended_nrmse(chi: Volume, truth: Volume, mask: Mask) -> float:
    """Error in percent after the map's slope and offset against the truth are undone.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.linspace(-0.1, 0.1, 512).reshape(8, 8, 8)
    >>> mask = np.ones(truth.shape, bool)
    >>> wrong = 0.9 * truth + 0.1  # in slope and offset alone
    >>> bool(detrended_nrmse(wrong, truth, mask) < 0.1)
    True

    """
    gain = slope_of(truth[mask], chi[mask])
    if gain == 0:
        raise ValueError('the map does not depend on the truth: it has no slope to undo')
    return nrmse(chi / gain, truth, mask)


def hfen(chi: Volume, truth: Volume, mask: Mask) -> float:
    """High-frequency error norm in percent: of the Laplacian of a Gaussian (1.5 voxels).

    Both maps are zero outside the mask before the filter, which spans 15 voxels.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).normal(size=(16, 16, 16))
    >>> mask = np.ones(truth.shape, bool)
    >>> round(hfen(truth, truth, mask)), round(hfen(0.5 * truth, truth, mask))
    (0, 50)

    """
    ours, true = (
        ndimage.gaussian_laplace(_centred(v, mask), 1.5, mode='constant', truncate=7 / 1.5)
        for v in (chi, truth)
    )
    return 100 * _norm((ours - true)[mask]) / _norm(true[mask])


def xsim(
    chi: Volume,
    truth: Volume,
    mask: Mask,
    *,
    window: Literal['gaussian', 'uniform'] = 'gaussian',
    size: int = 3,
) -> float:
    """Structural similarity adapted to susceptibility: 1 for equal maps.

    Parameters
    ----------
    chi, truth : (nx, ny, nz) arrays
        In ppm; neither is rescaled.
    mask : (nx, ny, nz) bool array
        Voxels over which the similarity is averaged; both maps are zero outside.
    window
        Weights of the neighbourhood: Gaussian with a standard deviation of 1.5 voxels, or equal.
    size
        Voxels along each axis of the window, odd.

    References
    ----------
    .. [milovic2025] Milovic et al., Magn Reson Med 93:411-421 (2025). doi:10.1002/mrm.30271

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).normal(0, 0.1, (16, 16, 16))
    >>> mask = np.ones(truth.shape, bool)
    >>> round(xsim(truth, truth, mask), 2), bool(xsim(truth[::-1], truth, mask) < 0.5)
    (1.0, True)

    """
    x, y = _centred(chi, mask), _centred(truth, mask)
    return float(similarity(x, y, window=window, size=size)[mask].mean())


def similarity(
    x: Volume, y: Volume, *, window: Literal['gaussian', 'uniform'] = 'gaussian', size: int = 3
) -> Volume:
    """Map of the similarity that :func:`xsim` averages, of two maps in ppm taken as they are."""
    weights = _weights(window, size)

    def mean(volume: Volume) -> Volume:
        for axis in range(3):
            volume = ndimage.correlate1d(volume, weights, axis, mode='constant')
        return volume

    mean_x, mean_y = mean(x), mean(y)
    variance = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return np.asarray(light * (2 * covariance + _C2) / (variance + _C2))


def roi_errors(
    chi: Volume, truth: Volume, labels: Labels, mask: Mask, values: Iterable[int]
) -> dict[int, float]:
    """Mean of the map less mean of the truth in each region, by label value.

    Parameters
    ----------
    chi, truth : (nx, ny, nz) arrays
        In the same unit.
    labels : (nx, ny, nz) integer array
        Regions.
    mask : (nx, ny, nz) bool array
        Voxels that count, and over which both maps are centred.
    values
        Labels to look at; those with no voxel in the mask are left out.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((4, 4, 4), int)
    >>> labels[:2] = 7
    >>> truth, mask = np.where(labels, 0.1, 0.0), np.ones(labels.shape, bool)
    >>> errors = roi_errors(0.9 * truth, truth, labels, mask, [7])
    >>> {label: round(error, 3) for label, error in errors.items()}
    {7: -0.005}

    """
    ours, true = _roi_means(chi, labels, mask, values), _roi_means(truth, labels, mask, values)
    return {value: ours[value] - true[value] for value in ours}


def roi_slope(
    chi: Volume, truth: Volume, labels: Labels, mask: Mask, values: Iterable[int]
) -> float:
    """Slope of the regions' means against their true means: 1 for unbiased contrast.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.repeat([1, 2, 3, 4], 16).reshape(4, 4, 4)
    >>> truth, mask = 0.05 * labels, np.ones(labels.shape, bool)
    >>> round(roi_slope(0.8 * truth, truth, labels, mask, [1, 2, 3, 4]), 2)
    0.8

    """
    ours, true = _roi_means(chi, labels, mask, values), _roi_means(truth, labels, mask, values)
    return slope_of(np.array(list(true.values())), np.array(list(ours.values())))


def slope_of(x: Volume, y: Volume) -> float:
    """Slope of the regression of y on x.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(5.0)
    >>> round(slope_of(x, 3 * x + 1), 2)
    3.0

    """
    x = np.asarray(x, float) - np.mean(x, dtype=float)
    y = np.asarray(y, float)
    spread = float((x * x).sum())
    if spread == 0:
        raise ValueError('a slope needs two different values at least')
    return float((x * y).sum()) / spread


def score(
    chi: Volume, truth: Volume, labels: Labels, mask: Mask, values: Iterable[int]
) -> Mapping[str, float]:
    """The scores a chain is judged by; chi and truth in ppm, ``roi_error`` in ppb."""
    values = tuple(values)
    errors = roi_errors(chi, truth, labels, mask, values)
    return {
        'nrmse': nrmse(chi, truth, mask),
        'detrended_nrmse': detrended_nrmse(chi, truth, mask),
        'hfen': hfen(chi, truth, mask),
        'xsim': xsim(chi, truth, mask),
        'roi_error': 1000 * float(np.mean(np.abs(list(errors.values())))),
        'slope': roi_slope(chi, truth, labels, mask, values),
    }


def _roi_means(
    volume: Volume, labels: Labels, mask: Mask, values: Iterable[int]
) -> dict[int, float]:
    middle = volume[mask].mean(dtype=float)
    regions = {value: mask & (labels == value) for value in values}
    return {v: float(volume[r].mean(dtype=float) - middle) for v, r in regions.items() if r.any()}


def _centred(volume: Volume, mask: Mask) -> Volume:
    inside = volume[mask].astype(float)
    centred = np.zeros(volume.shape)
    centred[mask] = inside - inside.mean()
    return centred


def _norm(values: Volume) -> float:
    return float(np.sqrt((values * values).sum()))


def _weights(window: str, size: int) -> Volume:
    if size < 1 or size % 2 == 0:
        raise ValueError(f'the window must have an odd number of voxels, got {size}')
    away = np.arange(size) - size // 2
    kinds = {'gaussian': np.exp(-0.5 * (away / 1.5) ** 2), 'uniform': np.ones(size)}
    if window not in kinds:
        raise ValueError(f'no window {window!r}; there are: {", ".join(kinds)}')
    return np.asarray(kinds[window] / kinds[window].sum())

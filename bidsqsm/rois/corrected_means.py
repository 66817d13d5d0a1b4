"""Means of regions that are freed from what the regularisation of the map takes from them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from bidsqsm.atlases.structures import Label
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.spectra.region_fit import RegionFit, fit_regions
from bidsqsm.qsm.spectra.total_field import spectra_behind

LOGGER = logging.getLogger(__name__)

#: Standard errors that a contrast must have for its recovery to be told
LEAST_CONTRAST = 3.0


def fit_labels(
    labels: Labels,
    names: Sequence[Label],
    chi: Volume,
    total_field: Volume,
    mask: Mask,
    grid: Grid,
) -> RegionFit | None:
    """Fit the labels of an atlas to what a map leaves of the field; None where the field tells nothing.

    Parameters
    ----------
    labels : (nx, ny, nz) integer array
        Label image.
    names
        Labels to fit.
    chi, total_field : (nx, ny, nz) float arrays
        Map and the field that it was made of, in ppm.
    mask : (nx, ny, nz) bool array
        Where the map is known.
    grid
        Voxel size and field direction.

    """
    known = mask & np.isfinite(total_field)
    present = set(np.unique(labels[known]).tolist())
    there = [name.index for name in names if name.index in present]
    if not there:
        return None
    field = np.where(known, total_field, 0).astype(np.float32)
    try:
        spectra = spectra_behind(field, known, grid)
        return fit_regions(field, chi, labels, there, known, grid, spectra)
    except ValueError as error:
        LOGGER.info('means of regions are not corrected: %s', error)
        return None


def corrected(
    mean: float, error: float, lacking: tuple[float, float], whole_brain: float
) -> dict[str, float]:
    """The corrected mean of a region, its standard error and the recovery.

    Parameters
    ----------
    mean, error
        Of the map in the region and its standard error (NaN for unknown), in ppm.
    lacking
        What the mean lacks, and the standard deviation of that, in ppm.
    whole_brain
        Mean over the mask, in ppm.

    Examples
    --------
    >>> row = corrected(0.07, 0.003, (0.03, 0.004), 0.0)
    >>> round(row['mean_corrected'], 3), row['mean_corrected_se'], row['recovery']
    (0.1, 0.005, 0.7)

    A region that hardly differs from the brain has no share to tell:

    >>> corrected(0.01, 0.003, (0.001, 0.004), 0.0)['recovery']
    nan

    """
    more, deviation = lacking
    value = float(np.float32(mean + more))
    se = four_digits(math.hypot(deviation, 0.0 if math.isnan(error) else error))
    contrast = value - whole_brain
    sure = abs(contrast) > LEAST_CONTRAST * se
    return {
        'mean_corrected': value,
        'mean_corrected_se': se,
        'recovery': four_digits((mean - whole_brain) / contrast) if sure else math.nan,
    }


def four_digits(value: float) -> float:
    """Round to the digits that an error has.

    Examples
    --------
    >>> four_digits(0.00123456)
    0.001235

    """
    return float(f'{value:.4g}')

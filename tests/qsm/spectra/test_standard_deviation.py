"""Errors of maps are as large as their standard deviation, of voxels and of means over regions."""

from __future__ import annotations

import numpy as np
import pytest
from qsm.spectra.test_field_spectra import ball, coloured, field_of
from scipy import fft

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.kspace.kspace_filter import mean_over_spectrum
from bidsqsm.qsm.spectra.field_spectra import FieldSpectra, field_spectra
from bidsqsm.qsm.spectra.shells import Shells
from bidsqsm.qsm.spectra.standard_deviation import (
    CLOSED_FORM_FACTOR,
    CLOSED_FORM_POWER,
    error_spectrum,
    standard_deviation,
)
from bidsqsm.rois.precision import MapError

GRID = Grid((48, 48, 48), (2.0, 2.0, 2.0), (0.6, 0.0, 0.8))


def planted():
    """White noise beside red susceptibility, known exactly."""
    shells = Shells(GRID, 0.01)
    k = shells.middle
    return FieldSpectra(shells, np.full(k.size, 0.004**2), (0.03 * 0.1 / k) ** 2, k**3)


def closed_form_error(seed, spectra):
    """Error of a map of the Wiener filter that knows the spectra, in ppm."""
    white = [
        fft.rfftn(np.random.default_rng(seed + part).standard_normal(GRID.shape, np.float32))
        for part in (0, 1000)
    ]
    noise, chi = (spectra.shells.on_grid(p) for p in (spectra.noise, spectra.susceptibility))
    dipole = dipole_kernel(GRID)
    truth = white[0] * np.sqrt(chi)
    found = (dipole * truth + white[1] * np.sqrt(noise)) * dipole * chi / (dipole**2 * chi + noise)
    error = found - truth
    error[0, 0, 0] = 0
    return fft.irfftn(error, s=GRID.shape)


def factor(spectra):
    return CLOSED_FORM_FACTOR * spectra.unexplained**CLOSED_FORM_POWER


def test_the_spectrum_is_that_of_the_errors_of_the_filter():
    spectra = planted()
    found = np.std([closed_form_error(seed, spectra) for seed in range(4)])
    expected = np.sqrt(mean_over_spectrum(error_spectrum(spectra, GRID))) / factor(spectra)
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize('radius', [3, 6, 12])
def test_means_over_regions_err_as_their_standard_error_tells(radius):
    """Scores of 200 means have a size of one: neighbours err together, so it is not sd / sqrt(n)."""
    spectra = planted()
    region = np.flatnonzero(ball(GRID, radius))
    sd = np.sqrt(mean_over_spectrum(error_spectrum(spectra, GRID)))
    error = MapError(np.full(GRID.shape, sd, np.float32), spectra, GRID)
    expected = error.error_of_mean(region) / factor(spectra)
    means = []
    for seed in range(25):
        one = closed_form_error(seed, spectra)
        for shift in np.ndindex(2, 2, 2):
            moved = np.roll(one, [24 * s for s in shift], (0, 1, 2))
            means.append(moved.ravel()[region].mean())
    assert np.sqrt(np.mean(np.square(means))) / expected == pytest.approx(1, abs=0.2)
    assert expected > 1.2 * sd / factor(spectra) / np.sqrt(region.size) or radius == 3


def test_a_region_of_one_voxel_errs_as_its_voxel():
    spectra, deviation = planted(), np.full(GRID.shape, 0.02, np.float32)
    error = MapError(deviation, spectra, GRID).error_of_mean(np.array([1000]))
    assert error == pytest.approx(0.02, rel=0.02)
    assert np.isnan(MapError(deviation, spectra, GRID).error_of_mean(np.array([], int)))


def test_errors_grow_with_the_noise_and_at_strong_sources():
    grid = Grid((96, 96, 96), (2.0, 2.0, 2.0))
    mask, chi = ball(grid), coloured(grid, 0.03, 1.0, 2)
    usual = []
    for level in (0.003, 0.012):
        field = field_of(chi, grid) + coloured(grid, level, 0.0, 1)
        deviation = standard_deviation(chi, mask, field_spectra(field, mask, grid))
        assert not deviation[~mask].any()
        size = np.abs(chi - np.median(chi[mask]))
        strong = mask & (size > np.percentile(size[mask], 95))
        assert deviation[strong].mean() > 1.02 * deviation[mask].mean()
        usual.append(np.median(deviation[mask]))
    assert usual[1] > 1.5 * usual[0]

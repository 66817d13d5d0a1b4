"""Spectra of noise and susceptibility are found in a field as they were put in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.spectra_table import SpectraTable
from bidsqsm.qsm.spectra.total_field import spectra_behind

GRIDS = {
    'plain': Grid((96, 96, 96), (2.0, 2.0, 2.0)),
    'tilted': Grid((96, 96, 96), (2.0, 2.0, 2.0), (math.sin(0.4), 0.0, math.cos(0.4))),
    'anisotropic': Grid((120, 110, 72), (1.6, 1.8, 2.6)),
    'odd': Grid((95, 97, 93), (2.0, 2.0, 2.0)),
}


def coloured(grid, amplitude, power, seed):
    """A Gaussian random field whose spectrum has amplitude (ppm) and the slope k^-2p, 1 at 0.1 / mm."""
    white = np.random.default_rng(seed).standard_normal(grid.shape, np.float32)
    spectrum = fft.rfftn(white)
    k = np.sqrt(sum(q * q for q in grid.frequencies()))
    spectrum *= (np.maximum(k, 5e-3) / 0.1) ** -power
    spectrum[0, 0, 0] = 0
    return np.float32(amplitude) * fft.irfftn(spectrum, s=grid.shape).astype(np.float32)


def ball(grid, radius=80.0):
    axes = [(np.arange(n) - n / 2) * d for n, d in zip(grid.shape, grid.voxel_size, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
    return x**2 + y**2 + z**2 < radius**2


def field_of(chi, grid):
    """Its field, circular as all random fields here are."""
    return fft.irfftn(fft.rfftn(chi) * dipole_kernel(grid), s=grid.shape).astype(np.float32)


def amplitudes(spectra, planted):
    """Mean ratio of amplitudes found and planted, over the well-counted frequencies of the data."""
    noise, chi = planted
    k = spectra.shells.middle
    used = (k > 0.04) & (k < 0.2)
    return (
        float(np.mean(np.sqrt(spectra.noise[used]) / noise(k[used]))),
        float(np.mean(np.sqrt(spectra.susceptibility[used]) / chi(k[used]))),
    )


@pytest.mark.parametrize('name', GRIDS)
@pytest.mark.parametrize('power', [0.0, 1.0])
def test_noise_alone_is_found_as_it_was_made(name, power):
    grid = GRIDS[name]
    spectra = field_spectra(coloured(grid, 0.003, power, 1), ball(grid), grid)
    found, _ = amplitudes(spectra, (lambda k: 0.003 * (k / 0.1) ** -power, np.ones_like))
    assert found == pytest.approx(1, abs=0.1)
    assert spectra.unexplained > 0.7


@pytest.mark.parametrize('name', GRIDS)
@pytest.mark.parametrize('power', [0.0, 1.0])
def test_noise_and_susceptibility_are_told_apart(name, power):
    """White noise, and a coloured field as errors of the model make it."""
    grid = GRIDS[name]
    noise, chi = coloured(grid, 0.006, power, 1), coloured(grid, 0.03, 1.0, 2)
    spectra = field_spectra(field_of(chi, grid) + noise, ball(grid), grid)
    found = amplitudes(
        spectra, (lambda k: 0.006 * (k / 0.1) ** -power, lambda k: 0.03 * (k / 0.1) ** -1)
    )
    assert found == pytest.approx((1, 1), abs=0.1)


def test_twice_the_field_has_four_times_the_power():
    grid = GRIDS['plain']
    field = field_of(coloured(grid, 0.03, 1.0, 2), grid) + coloured(grid, 0.003, 0.0, 1)
    one, other = (field_spectra(factor * field, ball(grid), grid) for factor in (1, 2))
    assert other.noise == pytest.approx(4 * one.noise, rel=1e-3)
    assert other.susceptibility == pytest.approx(4 * one.susceptibility, rel=1e-3)
    assert other.unexplained == pytest.approx(one.unexplained, rel=1e-3)


def test_a_wrong_direction_of_the_field_makes_susceptibility_noise():
    grid = GRIDS['tilted']
    field = field_of(coloured(grid, 0.03, 1.0, 2), grid) + coloured(grid, 0.001, 0.0, 1)
    right = field_spectra(field, ball(grid), grid)
    wrong = field_spectra(field, ball(grid), replace(grid, b0_direction=(0.0, 0.0, 1.0)))
    assert wrong.mean_noise > 4 * right.mean_noise
    assert wrong.unexplained > 3 * right.unexplained


def test_a_harmonic_background_counts_for_little():
    grid = GRIDS['plain']
    local = field_of(coloured(grid, 0.03, 1.0, 2), grid) + coloured(grid, 0.003, 0.0, 1)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in grid.shape), indexing='ij')
    outer = (2 * (x**2 - y**2) + x * z + 3 * z).astype(np.float32)
    mask = ball(grid)
    without, beside = (spectra_behind(f, mask, grid) for f in (local, local + outer))
    assert beside.mean_noise == pytest.approx(without.mean_noise, rel=0.1)
    assert beside.gradient == pytest.approx(without.gradient, rel=0.1)


def test_bits_do_not_hang_on_threads():
    grid = GRIDS['odd']
    field = coloured(grid, 0.01, 0.5, 3)
    with threads(1):
        one = field_spectra(field, ball(grid), grid)
    with threads(2):
        two = field_spectra(field, ball(grid), grid)
    assert np.array_equal(one.noise, two.noise)
    assert np.array_equal(one.susceptibility, two.susceptibility)


def test_what_cannot_be_told_is_said():
    small, grid = Grid((2, 2, 2), (9.0, 9.0, 9.0)), GRIDS['odd']
    noise = coloured(small, 0.01, 0.0, 1)
    with pytest.raises(ValueError, match='too few frequencies near the magic angle'):
        field_spectra(noise, np.ones(small.shape, bool), small)
    with pytest.raises(ValueError, match='zero in its mask'):
        field_spectra(np.zeros(grid.shape, np.float32), ball(grid), grid)


def test_the_table_brings_the_spectra_back():
    grid = GRIDS['anisotropic']
    spectra = field_spectra(coloured(grid, 0.01, 1.0, 3), ball(grid), grid)
    table = SpectraTable.of(spectra)
    again = table.spectra(grid)
    assert again.shells.middle == pytest.approx(spectra.shells.middle, rel=0.01)
    assert again.noise == pytest.approx(spectra.noise, rel=0.02)
    assert again.susceptibility == pytest.approx(spectra.susceptibility, rel=0.02)
    assert table.unexplained == pytest.approx(spectra.unexplained, abs=0.01)

"""Inversions in closed form: what becomes of small values, and of the contrast."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.dipole.tikhonov import tikhonov
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.dipole.tsvd import tsvd
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.kspace.kspace_filter import mean_over_spectrum
from bidsqsm.qsm.operators import gradient, minus_divergence
from helpers.analytic_fields import SHAPES, TILTED, make_scene
from helpers.explicit_weights import explicitly

# these fields have no noise that weights could follow
tikhonov = explicitly(tikhonov)

GRID = Grid((24, 20, 16), (1.0, 0.8, 1.6), TILTED)
EVERYWHERE = np.ones(GRID.shape, bool)
SLIGHT = {
    'floor': lambda f: tkd(f, EVERYWHERE, GRID, threshold=1e-4, padding=0),
    'zero': lambda f: tkd(f, EVERYWHERE, GRID, threshold=1e-4, small='zero', padding=0),
    'tsvd': lambda f: tsvd(f, EVERYWHERE, GRID, threshold=1e-4, padding=0),
    'identity': lambda f: tikhonov(f, EVERYWHERE, GRID, weight=1e-9, padding=0),
    'gradient': lambda f: tikhonov(
        f, EVERYWHERE, GRID, weight=1e-10, operator='gradient', padding=0
    ),
    'laplacian': lambda f: tikhonov(
        f, EVERYWHERE, GRID, weight=1e-11, operator='laplacian', padding=0
    ),
}


def slope(chi, truth, where):
    a, b = chi[where] - chi[where].mean(), truth[where] - truth[where].mean()
    return float(a @ b / (b @ b))


@pytest.fixture(scope='module')
def periodic():
    """A map without a mean and its periodic field."""
    chi = np.random.default_rng(0).standard_normal(GRID.shape, dtype=np.float32)
    chi -= chi.mean()
    return chi, convolve(chi, dipole_kernel(GRID))


@pytest.mark.parametrize('name', SLIGHT)
def test_without_a_threshold_or_weight_all_divide_exactly(name, periodic):
    chi, field = periodic
    seen = np.abs(dipole_kernel(GRID)) > 2e-3  # the rest of the map has left no field
    found, truth = (fft.rfftn(x)[seen] for x in (SLIGHT[name](field), chi))
    assert np.linalg.norm(found - truth) < 0.01 * np.linalg.norm(truth)


@pytest.mark.parametrize('operator', ['identity', 'gradient', 'laplacian'])
def test_tikhonov_solves_its_normal_equations(operator, periodic):
    _, field = periodic
    weight, length = 0.03, 2.0
    chi = tikhonov(
        field, EVERYWHERE, GRID, weight=weight, operator=operator, length=length, padding=0
    )
    kernel = dipole_kernel(GRID)

    def penalty(x):
        return length**2 * minus_divergence(gradient(x, GRID.voxel_size), GRID.voxel_size)

    pull = {
        'identity': lambda x: x,
        'gradient': penalty,
        'laplacian': lambda x: penalty(penalty(x)),
    }
    left = convolve(convolve(chi, kernel), kernel) + np.float32(weight) * pull[operator](chi)
    right = convolve(field, kernel)
    assert np.linalg.norm(left - right) < 1e-4 * np.linalg.norm(right)


def test_tsvd_is_the_fit_of_least_norm(periodic):
    """What lies below the threshold stays empty, what lies above is fitted exactly."""
    _, field = periodic
    small = np.abs(dipole_kernel(GRID)) <= 0.2
    spectrum = fft.rfftn(tsvd(field, EVERYWHERE, GRID, threshold=0.2, padding=0))
    assert np.abs(spectrum[small]).max() < 1e-4 * np.abs(spectrum).max()
    misfit = spectrum * dipole_kernel(GRID) - fft.rfftn(field)
    assert np.abs(misfit[~small]).max() < 1e-4 * np.abs(spectrum).max()


def test_tsvd_is_tkd_with_zeros():
    scene = make_scene(**SHAPES['odd, tilted'])
    zeros = tkd(scene.local, scene.mask, scene.grid, threshold=0.1, small='zero')
    truncated = tsvd(scene.local, scene.mask, scene.grid, threshold=0.1)
    np.testing.assert_array_equal(zeros, truncated)


@pytest.mark.parametrize(
    'method',
    [
        lambda *a, **k: tkd(*a, threshold=0.2, **k),
        lambda *a, **k: tkd(*a, threshold=0.1, small='zero', **k),
        lambda *a, **k: tikhonov(*a, weight=0.01, **k),
    ],
    ids=['floor', 'zero', 'tikhonov'],
)
@pytest.mark.parametrize('shape', SHAPES)
def test_rescaling_gives_back_contrast(method, shape):
    scene = make_scene(**SHAPES[shape])
    arguments = scene.local, scene.mask, scene.grid
    lost = slope(method(*arguments, rescale=False), scene.chi, scene.deep)
    kept = slope(method(*arguments, rescale=True), scene.chi, scene.deep)
    assert kept > 1.2 * lost
    assert kept == pytest.approx(1, abs=0.2)


def test_rescaling_gives_a_point_its_own_value(periodic):
    point = np.zeros(GRID.shape, np.float32)
    point[3, 4, 5] = 1
    field = convolve(point, dipole_kernel(GRID))
    for method in (tkd, tikhonov):
        chi = method(field, EVERYWHERE, GRID, rescale=True, padding=0)
        assert chi[3, 4, 5] == pytest.approx(1, abs=1e-4)


def test_mean_over_the_half_spectrum_is_that_of_all_of_it():
    volume = np.random.default_rng(1).standard_normal((6, 8, 10), dtype=np.float32)
    power = np.abs(fft.rfftn(volume)) ** 2
    assert mean_over_spectrum(power) == pytest.approx(
        (np.abs(fft.fftn(volume)) ** 2).mean(), rel=1e-5
    )


def test_the_penalty_of_changes_has_no_unit():
    """All lengths twice as long: the same map."""
    scene = make_scene(shape=(28, 30, 26))
    wide = Grid(scene.grid.shape, (2.0, 2.0, 2.0), scene.grid.b0_direction)
    here = tikhonov(scene.local, scene.mask, scene.grid, operator='gradient')
    there = tikhonov(scene.local, scene.mask, wide, operator='gradient', length=6.0, padding=40.0)
    np.testing.assert_allclose(here, there, atol=1e-6)

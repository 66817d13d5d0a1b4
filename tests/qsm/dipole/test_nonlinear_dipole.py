"""Inversions whose data term knows turns and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.admm.data_terms import Phasors
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.weak_harmonic import shrink_bend, solve_pair
from bidsqsm.qsm.dipole.hd import believed, hd
from bidsqsm.qsm.dipole.l1 import l1
from bidsqsm.qsm.dipole.ndi import ndi
from bidsqsm.qsm.dipole.nltv import nltv
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.dipole.wh import wh
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.operators import edge_spectra, gradient
from bidsqsm.qsm.phantom.sphere import make_sphere
from helpers.analytic_fields import make_scene
from helpers.explicit_weights import explicitly

# these fields have no noise that weights could follow
hd = explicitly(hd)
l1 = explicitly(l1)
ndi = explicitly(ndi)
nltv = explicitly(nltv)
tv = explicitly(tv)
wh = explicitly(wh)

TURN = 2 * np.pi / 15  # ppm, at the default phase_scale


@pytest.fixture(scope='module')
def scene():
    return make_scene(shape=(36, 38, 34))


def error(chi, scene):
    """Relative rms error, the constant aside."""
    a, b = (v[scene.deep] - v[scene.deep].mean() for v in (chi, scene.chi))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def spoilt(scene, share, value):
    """The local field with a value added to a share of the voxels."""
    wrong = np.random.default_rng(5).random(scene.mask.shape) < share
    return (scene.local + wrong * np.float32(value)).astype(np.float32)


@pytest.mark.parametrize('scale', [15, 0])
def test_split_of_a_plain_distance_is_the_best_of_all_values(scale):
    """Of all z on a fine grid, none costs less than the one that the update finds."""
    shape, mu = (4, 5, 6), 20.0
    random = np.random.default_rng(1)
    field = random.uniform(-0.2, 0.2, shape).astype(np.float32)
    weight = random.uniform(0.3, 1.5, shape).astype(np.float32)
    weight[0] = 0
    model = random.uniform(-0.3, 0.3, shape).astype(np.float32)
    data = Phasors(field, weight, mu, scale, plain=True)
    pull = model.copy()
    data.update(pull, np.float32(1))  # from v = 0: q is the model
    found = model - (model - pull) / 2
    z = np.linspace(-0.6, 0.6, 12001).reshape(-1, 1, 1, 1)

    def cost(z):
        r = 2 * np.abs(np.sin(scale * (z - field) / 2)) / scale if scale else np.abs(z - field)
        return weight * r + mu / 2 * (z - model) ** 2

    assert (cost(found.astype(float)) <= cost(z).min(axis=0) + 1e-6).all()
    np.testing.assert_array_equal(pull[0], model[0])  # nothing known, nothing pulled


@pytest.mark.parametrize('turns', [0, 1, -2])
def test_split_of_squares_rests_at_the_model_with_the_slope_of_the_data(turns):
    """With the same model again and again, z goes to it, and mu v to W^2 sin(k r) / k."""
    shape, mu = (2, 2, 2), 0.5
    field = np.full(shape, 0.02 + turns * TURN, np.float32)
    weight, model = np.full(shape, 1.5, np.float32), np.full(shape, 0.05, np.float32)
    weight[0] = 0
    data = Phasors(field, weight, mu, 15)
    for _ in range(60):
        pull = model.copy()
        data.update(pull, np.float32(1.5))
    np.testing.assert_allclose(data.total - data.multiplier, model, atol=1e-5)
    np.testing.assert_allclose(mu * data.multiplier, weight**2 * np.sin(15 * 0.03) / 15, atol=1e-4)


def test_nltv_finds_a_minimum_of_its_cost_however_large_the_phases():
    """No map nearby costs less, with voxels that are off by up to half a turn."""
    grid, weight = Grid((16, 20, 12), (1.0, 0.8, 1.6), (0.6, 0.0, 0.8)), 2e-3
    random = np.random.default_rng(0)
    d, trust = dipole_kernel(grid), random.uniform(0.5, 1.4, grid.shape).astype(np.float32)
    truth = np.zeros(grid.shape, np.float32)
    truth[5:10, 7:12, 4:8] = 0.1
    field = convolve(truth, d) + np.float32(0.05) * random.standard_normal(grid.shape, dtype='f4')

    def cost(chi):
        off = 15 * (convolve(chi, d) - field).astype(float)
        slopes = np.sqrt((gradient(chi, grid.voxel_size).astype(float) ** 2).sum(axis=0))
        return np.sum(trust**2 * (1 - np.cos(off))) / 15**2 + weight * slopes.sum()

    everywhere = np.ones(grid.shape, bool)
    data = Phasors(field, trust, 0.3, 15)
    penalty = TotalVariation(grid, everywhere, (weight, weight), rho=50 * weight)
    admm = Admm(OneField(d, data), penalty)
    for _ in range(400):
        admm.step()
    best = cost(admm.chi)
    for seed in range(8):
        nudge = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
        if seed % 2:  # smooth nudges change the field more than the gradient
            nudge = convolve(nudge, np.exp(-200 * sum(k**2 for k in grid.frequencies())))
        for size in (1e-4, -1e-4, 2e-3, -2e-3):
            assert cost(admm.chi + np.float32(size / nudge.std()) * nudge) > best * (1 - 2e-6)


def test_small_phases_are_linear(scene):
    same = {'weight': 2e-4, 'outside': 0.5, 'tol': 1e-3, 'max_iter': 30}
    linear = tv(scene.local, scene.mask, scene.grid, **same)
    nonlinear = nltv(scene.local, scene.mask, scene.grid, phase_scale=0.05, **same)
    np.testing.assert_allclose(nonlinear, linear, atol=1e-4)


def test_whole_turns_do_no_harm(scene):
    field = spoilt(scene, 0.01, TURN)
    clean, bent = (nltv(f, scene.mask, scene.grid) for f in (scene.local, field))
    assert error(bent, scene) < error(clean, scene) + 0.05
    assert error(tv(field, scene.mask, scene.grid), scene) > 2 * error(bent, scene)


def test_l1_forgives_gross_errors(scene):
    field = spoilt(scene, 0.03, 0.15)
    clean, bent = (l1(f, scene.mask, scene.grid) for f in (scene.local, field))
    assert error(bent, scene) < error(clean, scene) + 0.05
    assert error(tv(field, scene.mask, scene.grid), scene) > 3 * error(bent, scene)


def test_hd_forgives_gross_errors_more_than_its_second_stage_would(scene):
    field = spoilt(scene, 0.03, 0.15)
    clean, bent = (hd(f, scene.mask, scene.grid) for f in (scene.local, field))
    assert error(bent, scene) < error(clean, scene) + 0.1
    second = tv(field, scene.mask, scene.grid, weight=1.2e-4, outside=2.0)
    assert error(second, scene) > 3 * error(bent, scene)


def test_what_the_first_stage_of_hd_leaves_weighs_in_the_second(scene):
    """Voxels that are a little off, which nothing but the misfit tells."""
    field = spoilt(scene, 0.03, 0.02)
    weighed = hd(field, scene.mask, scene.grid, weight=1.2e-4, outside=2.0)
    second = tv(field, scene.mask, scene.grid, weight=1.2e-4, outside=2.0)
    assert error(second, scene) > 1.5 * error(weighed, scene)


def test_trust_falls_with_the_misfit_to_none_at_the_largest():
    misfit = np.array([[[0.0, 0.01, -0.025, 0.1, 7.0]]], np.float32)
    trust = np.array([[[1, 1, 2, 2, 0]]], np.float32)
    np.testing.assert_allclose(believed(trust, misfit), [[[1, 0.9, 1.5, 0, 0]]], rtol=1e-5)


def test_wh_leaves_a_harmonic_rest_of_the_background_alone(scene):
    field = scene.local + np.float32(0.3) * scene.background
    clean, bent = (wh(f, scene.mask, scene.grid) for f in (scene.local, field))
    assert error(bent, scene) < error(clean, scene) + 0.15
    assert error(nltv(field, scene.mask, scene.grid), scene) > 2 * error(bent, scene)


def test_pair_of_chi_and_harmonic_field_solves_its_equations():
    """Put into the normal equations, written with arrays, what the kernel finds leaves nothing."""
    grid = Grid((8, 9, 10), (1.0, 0.8, 1.5), (0.6, 0.0, 0.8))
    random = np.random.default_rng(0)
    a, g, h = (fft.rfftn(random.standard_normal(grid.shape, dtype=np.float32)) for _ in range(3))
    d, edges = dipole_kernel(grid), edge_spectra(grid)
    nx, ny, _ = d.shape
    square = edges[:nx, None, None] + edges[nx : nx + ny, None] + edges[nx + ny :]
    mu, rho, nu = 0.3, 0.02, 0.5
    found = []
    for modelled in (False, True):
        out, bend = np.zeros_like(a), np.zeros_like(a)
        solve_pair(a, g, h, d, edges, mu, rho, nu, modelled, out, bend)
        found += [out, bend]
    chi, bend, model = found[:3]
    phi = np.divide(-bend, square, out=np.zeros_like(bend), where=square > 0)
    first = mu * d * (d * chi + phi - a) + rho * (square * chi - g)
    second = mu * (d * chi + phi - a) - nu * square * (bend - h)
    for rest in (first, second):
        assert np.abs(rest.ravel()[1:]).max() < 1e-4 * np.abs(a).max()
    np.testing.assert_allclose(model.ravel()[1:], (d * chi + phi).ravel()[1:], atol=1e-3)


def test_bend_is_shrunk_in_the_mask_alone():
    inside = np.array([[[True, False]]])
    bend, split = np.full((1, 1, 2), 2, np.float32), np.zeros((1, 1, 2), np.float32)
    shrink_bend(bend, split, inside, np.float32(0.75), np.float32(1))
    np.testing.assert_allclose(split, [[[2, 2]]])
    np.testing.assert_allclose(bend, [[[0.25 * 2 - 0.75 * 2, 2]]])


def test_ndi_without_weight_fits_the_field_ever_better():
    """Each step comes closer to the data, and weight keeps the map small."""
    scene, free = make_scene(shape=(36, 40, 32)), {'weight': 0, 'gradient_tol': 0}
    misfit = []
    for steps in (2, 8, 30):
        chi = ndi(
            scene.local, np.ones_like(scene.mask), scene.grid, **free, max_iter=steps, padding=0
        )
        misfit.append(np.linalg.norm(convolve(chi, dipole_kernel(scene.grid)) - scene.local))
    assert misfit[2] < 0.6 * misfit[1] < 0.3 * misfit[0]
    loose, tight = (ndi(scene.local, scene.mask, scene.grid, weight=w).std() for w in (1e-4, 0.1))
    assert tight < 0.7 * loose


def test_ndi_finds_the_least_of_a_cost_that_is_nearly_linear():
    """For small phases and all weights one it is the closed form D f / (D^2 + weight)."""
    scene = make_scene(shape=(36, 40, 32))
    everywhere = np.ones_like(scene.mask)
    chi = ndi(
        scene.local,
        everywhere,
        scene.grid,
        weight=0.02,
        gradient_tol=1e-4,
        phase_scale=0.1,
        padding=0,
    )
    d = dipole_kernel(scene.grid)
    expected = convolve(scene.local, d / (d**2 + np.float32(0.02)))
    np.testing.assert_allclose(chi, expected, atol=2e-3 * np.abs(expected).max())


def test_ndi_loses_contrast_to_sources_outside_unless_they_are_dear():
    """The least map of a ball's field: all data are explained, by weaker sources and more of them."""
    sphere = make_sphere(chi=0.5)
    kept = [
        sphere.contrast(
            ndi(sphere.local_field, sphere.mask, sphere.grid, outside=outside, weight=weight)
        )
        for outside, weight in ((1, 2e-3), (1, 1e-4), (10, 2e-3), (1000, 2e-3))
    ]
    np.testing.assert_allclose(kept, [0.29, 0.295, 0.378, 0.405], atol=0.01)


@pytest.mark.parametrize('method', [nltv, l1, hd, wh, ndi], ids=lambda m: m.__name__)
def test_weight_map_has_no_unit_and_zero_means_unknown(method, scene):
    random = np.random.default_rng(3)
    bad = scene.mask & (random.random(scene.mask.shape) < 0.05)
    trust = np.where(bad, 0, 1).astype(np.float32)
    field = np.where(bad, np.float32(3), scene.local)
    once, scaled = (
        method(field, scene.mask, scene.grid, weight_map=w) for w in (trust, 50 * trust)
    )
    np.testing.assert_allclose(scaled, once, atol=1e-4)
    exact = method(scene.local, scene.mask, scene.grid)
    assert error(once, scene) < error(exact, scene) + 0.03

"""Inversion that knows where the magnitude has edges."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.magnitude_edges import edge_codes, without_mean
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.outlier_weights import Reweighted
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.tv_cell_kernels import join_slabs
from bidsqsm.qsm.admm.tv_kernels import shrink_differences
from bidsqsm.qsm.admm.uniform_region import Uniform
from bidsqsm.qsm.dipole.medi import medi
from bidsqsm.qsm.dipole.medi0 import medi0
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.operators import gradient, inverse, minus_divergence
from bidsqsm.qsm.window import Window
from helpers.analytic_fields import SHAPES, ball, field_of_sphere, make_scene, shell_of
from helpers.explicit_weights import explicitly

# these fields have no noise that weights could follow
medi, medi0 = explicitly(medi), explicitly(medi0)


@pytest.fixture(scope='module')
def scene():
    return make_scene(shape=(30, 32, 28))


@pytest.fixture(scope='module')
def magnitude(scene):
    """Brighter where there is iron, under a receive field that falls off to one side."""
    slope = np.exp(np.linspace(0, 1.5, scene.mask.shape[1]))[None, :, None]
    return ((1 - 2 * scene.chi) * slope * scene.mask).astype(np.float32)


def inverted(field, scene, magnitude, **settings):
    """A map, with the margin and the edges that suit so small a scene."""
    settings = {'padding': 8, 'edges': 3, 'magnitude': magnitude, **settings}
    return medi(field, scene.mask, scene.grid, **settings)


def noisy(scene, sd=4e-3):
    random = np.random.default_rng(3)
    return scene.local + np.float32(sd) * random.standard_normal(
        scene.mask.shape, dtype=np.float32
    )


def error(chi, scene):
    """Relative rms error deep inside, the constant aside."""
    a, b = (v[scene.deep] - v[scene.deep].mean() for v in (chi, scene.chi))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_edges_of_the_magnitude_make_a_noisy_map_better(scene, magnitude):
    field = noisy(scene)
    blind, seeing = (
        error(inverted(field, scene, magnitude, weight=1e-3, edges=e), scene) for e in (0, 3)
    )
    assert seeing < 0.9 * blind


@pytest.mark.parametrize('name', SHAPES)
def test_edges_lie_where_a_ball_begins_and_not_where_the_receive_field_slopes(name):
    scene = make_scene(**SHAPES[name])
    inside = ball(scene.grid, (0, 0, 0), 6) > 0.5
    slope = np.exp(np.linspace(0, 2, scene.mask.shape[1], dtype=np.float32))[None, :, None]
    window = Window.around(scene.mask, scene.grid, 4)
    codes = edge_codes((1 + 0.3 * inside) * slope * np.ones_like(scene.chi), window, 1.0)
    found = codes[window.inside]
    here, mask = inside[window.box], scene.mask[window.box]
    for axis in range(3):
        crossing = (here != np.roll(here, -1, axis)) & mask
        bit = (found >> axis) & 1 == 1
        assert bit[crossing].mean() > 0.95
        assert bit[~crossing].mean() < 0.01
        outside = (codes >> (3 + axis)) & 1 == 1
        either = window.cut_mask() | np.roll(window.cut_mask(), -1, axis)
        np.testing.assert_array_equal(outside, ~either)


def test_neither_unit_matters(scene, magnitude):
    """Seven times the magnitude and a third of the trust are the same data."""
    random = np.random.default_rng(2)
    grainy = magnitude * random.uniform(0.98, 1.02, magnitude.shape).astype(np.float32)
    trust = (0.5 + magnitude).astype(np.float32)
    one, other = (
        inverted(
            scene.local,
            scene,
            np.float32(m) * grainy,
            weight_map=np.float32(w) * trust,
            max_iter=15,
        )
        for m, w in ((1, 1), (7, 1 / 3))
    )
    np.testing.assert_allclose(one, other, atol=2e-4 * np.abs(one).max())


def test_a_magnitude_is_asked_for(scene):
    with pytest.raises(ValueError, match='none was given'):
        medi(scene.local, scene.mask, scene.grid)
    with pytest.raises(ValueError, match='zero throughout'):
        medi(scene.local, scene.mask, scene.grid, magnitude=np.zeros_like(scene.local))


def test_wild_voxels_do_little_harm(scene, magnitude):
    """Errors that noise cannot explain lose their weight."""
    wild = np.random.default_rng(5).random(scene.mask.shape) < 0.003
    field = noisy(scene, 1e-3) + np.float32(0.15) * wild
    robust, plain = (error(inverted(field, scene, magnitude, outlier=c), scene) for c in (6, 1000))
    assert robust < 0.3 * plain


def test_weights_fall_with_the_fourth_power_and_come_back():
    field = np.zeros((10, 10, 20), np.float32)
    data = Reweighted(field, np.ones_like(field), 0.05, 0.01, 6.0)
    model = np.full_like(field, 1e-3)
    model[0, 0, 0] = 0.5
    rms = np.sqrt((model.astype(float) ** 2).mean())
    for _ in range(10):
        data.update(model.copy(), np.float32(1))
    assert data.weight[0, 0, 0] == pytest.approx((6 * rms / 0.5) ** 4, rel=1e-3)
    np.testing.assert_array_equal(data.weight.ravel()[1:], 1)
    for _ in range(10):
        data.update(np.full_like(field, 1e-3), np.float32(1))
    assert data.weight.min() == 1


def test_sphere_takes_what_is_left_of_the_background(scene, magnitude):
    """Harmonic errors of the field vanish with its mean over a sphere."""
    field = scene.local + np.float32(0.2) * scene.background
    left, taken = (error(inverted(field, scene, magnitude, smv_radius=r), scene) for r in (0, 3))
    assert taken < 0.5 * left


def test_mean_over_a_sphere_is_taken_from_data_and_model_alike():
    """Far from the rim, the blurred kernel makes of a ball what is left of its field."""
    grid = Grid((40, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.6, 0.8))
    mask = shell_of(grid, 0)
    field = field_of_sphere(grid, (0, 0, 0), 4, 0.1)
    window = Window.around(mask, grid, 20)
    data, weight, blur = without_mean(field, None, window, 3.0)
    model = convolve(window.cut(0.1 * ball(grid, (0, 0, 0), 4, 4)), dipole_kernel(window.grid))
    model = convolve(model, blur)
    assert (weight > 0).sum() < 0.7 * mask.sum()
    known = weight > 0
    known[window.inside] &= (ball(grid, (0, 0, 0), 5) == 0)[window.box]
    assert np.linalg.norm((model - data)[known]) < 0.2 * np.linalg.norm(data[known])
    with pytest.raises(ValueError, match='no sphere of 19 mm fits'):
        without_mean(field, None, window, 19.0)


def weighted_cost(chi, field, grid, weights):
    misfit = convolve(chi, dipole_kernel(grid)) - field
    slopes = np.abs(gradient(chi, grid.voxel_size).astype(float))
    return 0.5 * np.sum(misfit.astype(float) ** 2) + np.sum(weights * slopes)


def test_the_solver_finds_a_minimum_of_its_cost():
    """No map nearby costs less, whatever the weights of the differences."""
    grid = Grid((20, 24, 16), (1.0, 0.8, 1.6), (0.48, 0.6, 0.64))
    random = np.random.default_rng(0)
    truth = np.zeros(grid.shape, np.float32)
    truth[6:12, 8:14, 5:9] = 0.1
    field = convolve(truth, dipole_kernel(grid)) + np.float32(0.002) * random.standard_normal(
        grid.shape, dtype=np.float32
    )
    codes = random.integers(0, 64, grid.shape, np.uint8)
    weights = [
        np.where(codes >> a & 1, 0, np.where(codes >> (3 + a) & 1, 5e-4, 2e-3)) for a in range(3)
    ]
    data = LeastSquares(field, np.ones_like(field), 0.3)
    everywhere = np.ones(grid.shape, bool)
    penalty = TotalVariation(grid, everywhere, (2e-3, 5e-4), rho=0.1, codes=codes)
    solver = Admm(OneField(dipole_kernel(grid), data), penalty)
    for _ in range(500):
        solver.step()
    best = weighted_cost(solver.chi, field, grid, weights)
    for seed in range(12):
        nudge = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
        if seed % 2:  # smooth nudges change the field more than the gradient
            nudge = convolve(nudge, np.exp(-200 * sum(k**2 for k in grid.frequencies())))
        for size in (1e-4, -1e-4, 2e-3, -2e-3):
            moved = solver.chi + np.float32(size / nudge.std()) * nudge
            assert weighted_cost(moved, field, grid, weights) > best * (1 - 2e-6)


@pytest.mark.parametrize(('shape', 'slabs'), [((13, 9, 11), 4), ((6, 7, 5), 1)])
def test_fused_step_of_the_differences_equals_the_plain_one(shape, slabs):
    voxel_size, relax = (1.0, 0.7, 2.0), np.float32(1.6)
    random = np.random.default_rng(1)
    codes = random.integers(0, 64, shape, np.uint8)
    thresholds = np.array([0.4, 0.1], np.float32)
    t = np.stack([np.where(codes >> a & 1, 0, thresholds[codes >> (3 + a) & 1]) for a in range(3)])
    split = np.zeros((3, *shape), np.float32)
    y, u = np.zeros_like(split), np.zeros_like(split)
    pull, seam = np.empty(shape, np.float32), np.empty((slabs, *shape[1:]), np.float32)
    for _ in range(3):
        chi = random.standard_normal(shape, dtype=np.float32)
        shrink_differences(chi, split, inverse(voxel_size), codes, thresholds, relax, pull, seam)
        join_slabs(seam, pull)
        w = relax * gradient(chi, voxel_size) + (1 - relax) * y + u
        y = np.sign(w) * np.maximum(np.abs(w) - t, 0)
        u = w - y
        np.testing.assert_allclose(split, w, atol=2e-5)
        np.testing.assert_allclose(pull, minus_divergence(y - u, voxel_size), atol=5e-5)


def fluid(scene):
    """Relaxation rates with two ventricles of slow decay."""
    slow = ball(scene.grid, (-3, 0, 6), 3) + ball(scene.grid, (3, 0, 6), 3) > 0
    return np.where(slow, 2, 20).astype(np.float32), slow


def test_fluid_is_made_uniform_across_its_parts(scene, magnitude):
    """Noise and shadows in the ventricles go, be they in one part or between two."""
    r2star, slow = fluid(scene)
    field = noisy(scene)
    plain, even = (
        inverted(field, scene, magnitude),
        medi0(
            field,
            scene.mask,
            scene.grid,
            magnitude=magnitude,
            r2star=r2star,
            csf_weight=1,
            edges=3,
            padding=8,
        ),
    )
    assert even[slow].std() < 0.3 * plain[slow].std()
    assert error(even, scene) < 1.1 * error(plain, scene)


@pytest.mark.parametrize('rate', [None, 20.0])
def test_without_fluid_it_is_medi_and_says_so(rate, scene, magnitude, caplog):
    r2star = None if rate is None else np.full_like(scene.local, rate)
    settings = {'magnitude': magnitude, 'max_iter': 5, 'padding': 8}
    chi = medi0(scene.local, scene.mask, scene.grid, r2star=r2star, **settings)
    assert 'works as medi does' in caplog.text
    np.testing.assert_array_equal(chi, medi(scene.local, scene.mask, scene.grid, **settings))


def test_split_of_the_fluid_ends_at_the_minimum():
    """Chi that only the penalty and a spring to given values pull on ends where both balance."""
    random = np.random.default_rng(7)
    region, given = np.zeros((4, 5, 6), bool), random.standard_normal((4, 5, 6)).astype('f4')
    region[1:3, 1:4, 2:5] = True
    term = Uniform(region, 0.7, 0.2)
    chi = given.copy()
    for _ in range(400):
        pull = np.zeros_like(chi)
        term.update(chi, pull, 0.2)
        chi = (given + pull) / np.float32(1 + 0.2)
    expected, mean = given.copy(), given[region].mean()
    expected[region] = mean + (given[region] - mean) / 1.7
    np.testing.assert_allclose(chi, expected, atol=1e-4)

"""Operators and their adjoints, kernels and what they must leave alone, solvers of linear systems."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel, sphere_kernel
from bidsqsm.qsm.krylov import conjugate_gradients, dot, least_squares
from bidsqsm.qsm.multigrid import (
    compact_stencil,
    continue_outwards,
    cycle,
    hierarchy,
    minus_laplacian,
)
from bidsqsm.qsm.operators import edge_spectra, gradient, inner_voxels, minus_divergence
from bidsqsm.qsm.window import Window
from helpers.analytic_fields import (
    SHAPES,
    TILTED,
    ball,
    field_of_cylinder,
    field_of_sphere,
    make_scene,
    positions,
)

GRIDS = [
    Grid((12, 14, 10), (1.0, 1.0, 1.0), TILTED),
    Grid((11, 13, 9), (0.8, 1.1, 2.5), TILTED),
    Grid((12, 9, 15), (0.7, 0.7, 3.0)),
]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize('grid', GRIDS)
def test_minus_divergence_is_the_adjoint_of_the_gradient(grid):
    x, y = noise(*grid.shape), noise(3, *grid.shape, seed=1)
    left = np.vdot(gradient(x, grid.voxel_size), y)
    right = np.vdot(x, minus_divergence(y, grid.voxel_size))
    assert left == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize('grid', GRIDS)
def test_gradient_of_a_ramp_is_its_slope_per_mm(grid):
    ramp = sum(s * p for s, p in zip((2, -3, 5), positions(grid), strict=True))
    slopes = gradient(ramp.astype(np.float32), grid.voxel_size)[:, :-1, :-1, :-1]
    for slope, expected in zip(slopes, (2, -3, 5), strict=True):
        np.testing.assert_allclose(slope, expected, rtol=1e-3)


def test_edge_spectra_are_those_of_the_gradient():
    grid = GRIDS[1]
    x = noise(*grid.shape)
    direct = minus_divergence(gradient(x, grid.voxel_size), grid.voxel_size)
    nx, ny, _ = grid.shape
    e = edge_spectra(grid)
    kernel = e[:nx, None, None] + e[nx : nx + ny, None] + e[nx + ny :]
    np.testing.assert_allclose(convolve(x, kernel), direct, atol=2e-5 * np.abs(direct).max())


@pytest.mark.parametrize('grid', GRIDS)
def test_the_field_of_a_source_is_symmetric_between_source_and_place(grid):
    x, y = noise(*grid.shape), noise(*grid.shape, seed=1)
    kernel = dipole_kernel(grid)
    left, right = np.vdot(convolve(x, kernel), y), np.vdot(x, convolve(y, kernel))
    assert left == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize('grid', GRIDS)
def test_weighted_projection_onto_outer_sources_is_symmetric(grid):
    x, y = noise(*grid.shape), noise(*grid.shape, seed=1)
    kernel, weight = dipole_kernel(grid), np.abs(noise(*grid.shape, seed=2))
    outside = noise(*grid.shape, seed=3) > 0

    def normal(sources):
        return convolve(weight * convolve(sources * outside, kernel), kernel) * outside

    assert np.vdot(normal(x), y) == pytest.approx(np.vdot(x, normal(y)), rel=1e-4)


@pytest.mark.parametrize('order', list(itertools.permutations(range(3))))
def test_swapping_axes_swaps_the_dipole_kernel(order):
    grid = Grid((12, 14, 10), (0.8, 1.1, 2.0), TILTED)
    turned = Grid(
        tuple(grid.shape[a] for a in order),
        tuple(grid.voxel_size[a] for a in order),
        tuple(TILTED[a] for a in order),
    )
    x = noise(*grid.shape)
    here = convolve(x, dipole_kernel(grid)).transpose(order)
    there = convolve(np.ascontiguousarray(x.transpose(order)), dipole_kernel(turned))
    np.testing.assert_allclose(there, here, atol=2e-6)


@pytest.mark.parametrize('b0', [(0.0, 0.0, 1.0), TILTED])
def test_kernel_makes_the_field_of_a_sphere(b0):
    """Outside, that of a dipole: chi/3 (a/r)^3 (3 cos^2 - 1); inside, none."""
    grid = Grid((80, 80, 64), (1.0, 1.0, 1.25), b0)
    field = convolve(ball(grid, (0, 0, 0), 8, 4), dipole_kernel(grid))
    exact = field_of_sphere(grid, (0, 0, 0), 8, 1.0)
    r = np.sqrt(sum(p**2 for p in positions(grid)))
    for shell in (r < 6, (r > 10) & (r < 20)):
        np.testing.assert_allclose(field[shell], exact[shell], atol=0.012)
        assert (field - exact)[shell].std() < 0.004


@pytest.mark.parametrize('b0', [(1.0, 0.0, 0.0), TILTED])
def test_kernel_makes_the_field_of_a_cylinder(b0):
    """Outside, chi/2 sin^2 (R/r)^2 cos 2phi; inside, chi/6 (3 cos^2 - 1)."""
    grid = Grid((160, 160, 8), (1.0, 1.0, 1.0), b0)
    x, y, _ = positions(grid)
    r = np.broadcast_to(np.sqrt(x**2 + y**2), grid.shape)
    field = convolve((r < 10).astype(np.float32), dipole_kernel(grid))
    exact = field_of_cylinder(grid, 10, 1.0)
    inside, near = r < 7, (r > 13) & (r < 30)
    field = field - field[near].mean() + exact[near].mean()
    assert np.abs(field - exact)[near].max() < 0.02
    assert field[inside].mean() == pytest.approx(exact[inside].mean(), abs=0.01)


@pytest.mark.parametrize('voxel_size', [(1.0, 1.0, 1.0), (0.8, 0.9, 2.4)])
@pytest.mark.parametrize('radius', [2.5, 4.3, 8.0])
def test_mean_over_a_sphere_keeps_harmonic_polynomials(voxel_size, radius):
    grid = Grid((37, 35, 25), voxel_size)
    x, y, z = positions(grid)
    kernel = sphere_kernel(grid, radius)
    deep = tuple(slice(int(radius / d) + 2, -int(radius / d) - 2) for d in voxel_size)
    for harmonic in (1 + 0 * x, x + 2 * y - z, x * y - y * z, x**2 - z**2, z * (x**2 - y**2)):
        volume = np.broadcast_to(harmonic, grid.shape).astype(np.float32)
        scale = np.abs(volume).max()
        np.testing.assert_allclose(convolve(volume, kernel)[deep], volume[deep], atol=1e-5 * scale)


def test_a_sphere_smaller_than_a_voxel_is_refused():
    with pytest.raises(ValueError, match='smaller than a voxel'):
        sphere_kernel(GRIDS[1], 2.0)


@pytest.mark.parametrize('voxel_size', [(1.0, 1.0, 1.0), (0.8, 0.9, 2.4)])
def test_compact_laplacian_is_right_for_parabolas_and_blind_to_harmonics(voxel_size):
    grid = Grid((11, 12, 10), voxel_size)
    x, y, z = positions(grid)
    domain = np.zeros(grid.shape, np.uint8)
    domain[2:-2, 2:-2, 2:-2] = 1
    out = np.zeros(grid.shape, np.float32)

    def laplacian(polynomial):
        volume = np.broadcast_to(polynomial, grid.shape).astype(np.float32)
        minus_laplacian(volume, domain, compact_stencil(voxel_size), out)
        return -out[domain > 0] / np.abs(volume).max()

    parabola = x**2 + 3 * y**2 - 2 * z**2
    np.testing.assert_allclose(laplacian(parabola) * np.abs(parabola).max(), 4, rtol=1e-2)
    for harmonic in (x * y, x**2 - y**2, x**4 - 6 * x**2 * z**2 + z**4, x**3 * y - x * y**3):
        np.testing.assert_allclose(laplacian(harmonic), 0, atol=2e-6)


def irregular_domain(shape=(20, 17, 19)):
    domain = np.zeros(shape, bool)
    domain[2:-2, 2:-2, 2:-2] = noise(*(n - 4 for n in shape)) > -1.5
    return domain


@pytest.mark.parametrize('voxel_size', [(1.0, 1.0, 1.0), (0.8, 0.9, 2.4)])
def test_laplacian_and_multigrid_cycle_are_symmetric_and_positive(voxel_size):
    domain = irregular_domain()
    levels = hierarchy(domain, voxel_size)
    assert len(levels) > 1

    def laplacian(x):
        out = np.zeros_like(x)
        minus_laplacian(x, levels[0].domain, compact_stencil(voxel_size), out)
        return out

    def preconditioned(x):
        levels[0].right[...] = x
        cycle(levels)
        return levels[0].x.copy()

    a, b = (noise(*domain.shape, seed=s) * domain for s in (1, 2))
    for operator in (laplacian, preconditioned):
        assert dot(operator(a), b) == pytest.approx(dot(a, operator(b)), rel=1e-3)
        assert dot(operator(a), a) > 0


def test_multigrid_makes_short_work_of_poissons_equation():
    voxel_size = (1.0, 1.0, 2.0)
    domain = np.zeros((42, 40, 30), bool)
    domain[2:-2, 2:-2, 2:-2] = True
    levels = hierarchy(domain, voxel_size)
    solution = noise(*domain.shape) * domain
    right, image = np.zeros_like(solution), np.zeros_like(solution)
    stencil = compact_stencil(voxel_size)
    minus_laplacian(solution, levels[0].domain, stencil, right)

    def operator(x):
        minus_laplacian(x, levels[0].domain, stencil, image)
        return image

    def precondition(residual):
        levels[0].right[...] = residual
        cycle(levels)
        return levels[0].x

    found = conjugate_gradients(operator, right, tol=1e-9, max_iter=12, precondition=precondition)
    np.testing.assert_allclose(found, solution, atol=2e-3)


def test_least_squares_fit_what_can_be_fitted():
    """Smoothed and weighted data give the source back, and the misfit is left to its null space."""
    grid = GRIDS[1]
    kernel = 1 / (1 + 3 * sum(k**2 for k in grid.frequencies()))
    weight = 1 + np.abs(noise(*grid.shape, seed=2))
    source = noise(*grid.shape)
    found = least_squares(
        lambda x: weight * convolve(x, kernel),
        lambda y: convolve(weight * y, kernel),
        weight * convolve(source, kernel),
        tol=1e-6,
        max_iter=200,
    )
    np.testing.assert_allclose(found, source, atol=5e-3)


def test_conjugate_gradients_stop_at_once_where_there_is_no_way_down():
    zero, one = np.zeros((4, 5, 6), np.float32), np.ones((4, 5, 6), np.float32)
    assert not conjugate_gradients(lambda x: x, zero, tol=1e-3, max_iter=5).any()
    assert not conjugate_gradients(lambda x: -x, one, tol=1e-3, max_iter=5).any()
    assert not least_squares(lambda x: x, lambda x: x, zero, tol=1e-3, max_iter=5).any()


def test_inner_voxels_lose_one_layer():
    mask = np.zeros((7, 8, 9), bool)
    mask[1:-1, 1:-1, 1:-1] = True
    inner = inner_voxels(mask)
    assert inner[2:-2, 2:-2, 2:-2].all()
    assert inner.sum() == 3 * 4 * 5
    mask[3, 4, 4] = False
    assert not inner_voxels(mask)[[2, 4, 3, 3], [4, 4, 3, 4], [4, 4, 4, 5]].any()


def test_parabolas_go_on_beyond_the_known():
    grid = Grid((12, 12, 12), (1.0, 1.0, 1.0))
    x, y, z = positions(grid)
    volume = np.broadcast_to(x**2 - 2 * y * y + z, grid.shape).astype(np.float32)
    known = np.zeros(grid.shape, bool)
    known[3:-3, 3:-3, 3:-3] = True
    out = np.zeros_like(volume)
    continue_outwards(np.where(known, volume, np.float32(99)), known, out)
    np.testing.assert_allclose(out[2, 3:-3, 3:-3], volume[2, 3:-3, 3:-3], atol=1e-4)
    np.testing.assert_allclose(out[3:-3, -3, 3:-3], volume[3:-3, -3, 3:-3], atol=1e-4)
    assert not out[:2].any()


def test_window_brings_back_what_it_took():
    scene = make_scene(**SHAPES['odd, tilted'])
    window = Window.around(scene.mask, scene.grid, margin=7)
    inner = window.cut(scene.total)
    assert inner.dtype == np.float32
    assert all(n % 2 == 0 for n in inner.shape)
    assert window.cut_mask().sum() == scene.mask.sum()
    np.testing.assert_array_equal(window.restore(inner), np.where(scene.mask, scene.total, 0))


def test_window_explains_what_does_not_fit():
    grid, mask = GRIDS[0], np.zeros(GRIDS[0].shape, bool)
    with pytest.raises(ValueError, match='mask is empty'):
        Window.around(mask, grid, 0)
    mask[2:5, 2:5, 2:5] = True
    with pytest.raises(ValueError, match='mask has shape'):
        Window.around(mask[1:], grid, 0)
    window = Window.around(mask, grid, 0)
    with pytest.raises(ValueError, match='volume has shape'):
        window.cut(noise(3, 4, 5))
    with pytest.raises(ValueError, match='NaN'):
        window.cut(np.full(grid.shape, np.nan, np.float32))
    with pytest.raises(ValueError, match='weight map'):
        window.data_weight(np.zeros(grid.shape, np.float32))


def test_data_weight_has_mean_one_whatever_its_unit():
    grid, mask = GRIDS[0], np.zeros(GRIDS[0].shape, bool)
    mask[2:9, 2:9, 2:9] = True
    weight = np.abs(noise(*grid.shape)) + np.float32(0.1)
    weight[3] = 0
    window = Window.around(mask, grid, 0)
    once, more = window.data_weight(weight), window.data_weight(1000 * weight)
    assert once[once > 0].mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(more, once, rtol=1e-5)
    assert not once[~window.cut_mask()].any()

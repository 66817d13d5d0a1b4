"""What every dipole inversion must do, and what each one promises on its own."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.admm.data_terms import LeastSquares, match_data
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import CELL_SHARE, TotalVariation
from bidsqsm.qsm.admm.tv_cell_kernels import join_slabs, part_factors, shrink_cells
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.window import Window
from helpers.analytic_fields import (
    SHAPES,
    TILTED,
    ball,
    field_of_cylinder,
    make_scene,
    positions,
    shell_of,
)
from helpers.explicit_weights import explicit, explicitly

# these fields have no noise that weights could follow
tv = explicitly(tv)

ERROR = {  # rms, as a share of the truth's
    'hd': 0.36,
    'ilsqr': 0.6,
    'l1': 0.36,
    'medi': 0.36,
    'medi0': 0.36,
    'ndi': 0.75,
    'nltgv': 0.45,
    'nltv': 0.42,
    'rts': 0.4,
    'star': 0.36,
    'tikhonov': 0.75,
    'tkd': 0.75,
    'tsvd': 0.75,
    'tv': 0.36,
    'wh': 0.42,
    'wiener': 0.4,
    'wiener-tv': 0.36,
}
SLOPE = {
    'hd': (0.82, 1.05),
    'ilsqr': (0.8, 1.1),
    'l1': (0.9, 1.05),
    'medi': (0.9, 1.05),
    'medi0': (0.9, 1.05),
    'ndi': (0.7, 0.95),
    'nltgv': (0.9, 1.05),
    'nltv': (0.9, 1.05),
    'rts': (0.9, 1.05),
    'star': (0.85, 1.05),
    'tikhonov': (0.65, 0.95),
    'tkd': (0.7, 0.95),
    'tsvd': (0.7, 0.95),
    'tv': (0.9, 1.05),
    'wh': (0.9, 1.05),
    'wiener': (0.8, 1.05),
    'wiener-tv': (0.9, 1.05),
}

#: Of a tilted cylinder, whose spectrum lies in one plane, filters lose more than of a ball.
CONTRAST = {'ndi': 0.5, 'tikhonov': 0.45, 'tkd': 0.4, 'tsvd': 0.4, 'wiener': 0.5}


#: Those that invert; a network does what it was trained for.
SOLVERS = [m for m in STEPS['dipole'].methods if m.name != 'onnx']


def invert(method, field, mask, grid):
    """A map by a method; a magnitude, where it takes one, is even and shows no edges."""
    data = {'magnitude': mask.astype(np.float32)} if method.takes('magnitude') else {}
    return method.function(field, mask, grid, **data, **explicit(method))


@pytest.fixture(params=SOLVERS, ids=lambda m: m.name)
def method(request):
    return request.param


@functools.cache
def map_of(method, shape):
    """Map that a method makes of a scene's exact local field; leave it alone."""
    scene = make_scene(**SHAPES[shape])
    return invert(STEPS['dipole'][method], scene.local, scene.mask, scene.grid)


@pytest.fixture(scope='module', params=SHAPES)
def shape(request):
    return request.param


@pytest.fixture(scope='module')
def scene(shape):
    return make_scene(**SHAPES[shape])


def compare(chi, truth, where):
    """Slope and relative rms error of a map, its constant aside."""
    a, b = chi[where] - chi[where].mean(), truth[where] - truth[where].mean()
    return float(a @ b / (b @ b)), float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_recovers_spheres_from_their_exact_field(method, shape, scene):
    slope, error = compare(map_of(method.name, shape), scene.chi, scene.deep)
    low, high = SLOPE[method.name]
    assert low < slope < high
    assert error < ERROR[method.name]


def test_an_unturned_kernel_would_be_noticed(method):
    """Taking B0 along the third axis for a tilted head, or mirroring it, spoils the map."""
    scene = make_scene(**SHAPES['odd, tilted'])
    upright = replace(scene.grid, b0_direction=(0.0, 0.0, 1.0))
    mirrored = replace(scene.grid, b0_direction=(-TILTED[0], *TILTED[1:]))
    _, right = compare(map_of(method.name, 'odd, tilted'), scene.chi, scene.deep)
    for grid in (upright, mirrored):
        _, wrong = compare(invert(method, scene.local, scene.mask, grid), scene.chi, scene.deep)
        assert wrong > 1.4 * right


@pytest.mark.parametrize('b0', [(1.0, 0.0, 0.0), (0.8, 0.0, 0.6)])
def test_recovers_a_cylinder_across_the_field(method, b0):
    """An endless vein: from its exact field comes its contrast to what is around it."""
    grid = Grid((48, 48, 40), (1.0, 1.0, 1.0), b0)
    mask = shell_of(grid, 0)
    chi = invert(method, field_of_cylinder(grid, 4, 0.3), mask, grid)
    x, y, z = positions(grid)
    distance = np.broadcast_to(np.hypot(x, y), grid.shape)
    middle = np.broadcast_to(np.abs(z) < 6, grid.shape)
    contrast = (
        chi[middle & (distance < 3)].mean() - chi[middle & (distance > 6) & (distance < 12)].mean()
    )
    assert contrast == pytest.approx(0.3, rel=CONTRAST.get(method.name, 0.25))


def test_is_zero_outside_the_mask(method, shape, scene):
    chi = map_of(method.name, shape)
    assert chi.shape == scene.grid.shape
    assert not chi[~scene.mask].any()
    assert chi[scene.mask].all()


def test_what_lies_outside_the_mask_does_not_matter(method):
    scene = make_scene()
    other = np.where(scene.mask, scene.local, np.float32(np.nan))
    np.testing.assert_array_equal(
        invert(method, other, scene.mask, scene.grid), map_of(method.name, 'plain')
    )


def twelve(chi, voxel_size):
    """Half of the four differences of each cell along each axis, per mm; circular."""
    found = []
    for axis, size in enumerate(voxel_size):
        slope = (np.roll(chi, -1, axis) - chi) / (2 * size)
        first, second = (a for a in range(3) if a != axis)
        around = ((0, 0), (0, -1), (-1, 0), (-1, -1))
        found += [np.roll(slope, steps, (first, second)) for steps in around]
    return np.stack(found)


def adjoint_of_twelve(parts, voxel_size):
    out = 0
    for n, part in enumerate(parts):
        axis, steps = n // 4, ((0, 0), (0, 1), (1, 0), (1, 1))[n % 4]
        slope = np.roll(part, steps, tuple(a for a in range(3) if a != axis))
        out = out + (np.roll(slope, 1, axis) - slope) / (2 * voxel_size[axis])
    return out


def tv_cost(chi, field, squared_weight, grid, weight):
    misfit = convolve(chi, dipole_kernel(grid)) - field
    lengths = CELL_SHARE * np.linalg.norm(twelve(chi.astype(float), grid.voxel_size), axis=0)
    return 0.5 * np.sum(squared_weight * misfit.astype(float) ** 2) + weight * lengths.sum()


def test_tv_finds_a_minimum_of_its_cost():
    """No map nearby costs less, with weights that vary and anisotropic voxels."""
    grid = Grid((20, 24, 16), (1.0, 0.8, 1.6), TILTED)
    random = np.random.default_rng(0)
    squared = random.uniform(0.2, 2, grid.shape).astype(np.float32)
    truth = np.zeros(grid.shape, np.float32)
    truth[6:12, 8:14, 5:9] = 0.1
    field = convolve(truth, dipole_kernel(grid)) + np.float32(0.002) * random.standard_normal(
        grid.shape, dtype=np.float32
    )
    data = LeastSquares(field, np.sqrt(squared), 0.3)
    penalty = TotalVariation(grid, np.ones(grid.shape, bool), (2e-3, 2e-3), rho=0.1)
    admm = Admm(OneField(dipole_kernel(grid), data), penalty)
    for _ in range(400):
        admm.step()
    best = tv_cost(admm.chi, field, squared, grid, 2e-3)
    assert best < tv_cost(truth, field, squared, grid, 2e-3)
    for seed in range(12):
        nudge = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
        if seed % 2:  # smooth nudges change the field more than the gradient
            nudge = convolve(nudge, np.exp(-200 * sum(k**2 for k in grid.frequencies())))
        for size in (1e-4, -1e-4, 2e-3, -2e-3):
            moved = admm.chi + np.float32(size / nudge.std()) * nudge
            assert tv_cost(moved, field, squared, grid, 2e-3) > best * (1 - 2e-6)


def reference_shrink(chi, y, u, voxel_size, threshold, relax):
    """One update of the gradient's split, written with all twelve differences of a cell."""
    w = relax * twelve(chi, voxel_size) + (1 - relax) * y + u
    size = np.linalg.norm(w, axis=0)
    y = w * np.maximum(1 - threshold / np.maximum(size, 1e-12), 0)
    return y, w - y, adjoint_of_twelve(2 * y - w, voxel_size)


@pytest.mark.parametrize(('shape', 'slabs'), [((13, 9, 11), 4), ((5, 8, 6), 5), ((6, 7, 5), 1)])
def test_fused_gradient_step_equals_the_plain_one(shape, slabs):
    voxel_size = (1.0, 0.7, 2.0)
    random = np.random.default_rng(1)
    cells = random.random(shape) < 0.6
    thresholds = np.array([0.4, 0.1], np.float32)
    split = np.zeros((*shape[:2], 7, shape[2]), np.float32)
    y, u = np.zeros((2, 12, *shape))
    pull, seam = np.empty(shape, np.float32), np.empty((slabs, *shape[1:]), np.float32)
    for _ in range(3):
        chi = random.standard_normal(shape, dtype=np.float32)
        relax = np.float32(1.6)
        factors = part_factors(voxel_size)
        shrink_cells(chi, split, factors, cells, thresholds, relax, pull, seam)
        join_slabs(seam, pull)
        where = np.where(cells, *thresholds)
        y, u, expected = reference_shrink(chi, y, u, voxel_size, where, relax)
        lengths = [np.linalg.norm(w, axis=a) for w, a in ((split, 2), (y + u, 0))]
        np.testing.assert_allclose(*lengths, atol=2e-5)
        np.testing.assert_allclose(pull, expected, atol=5e-5)


def test_total_variation_of_an_even_face_is_the_step_times_its_area():
    """A slope costs what a step does, and no face, edge or corner is told from its mirror image."""
    chi = np.zeros((12, 12, 12))
    chi[:6] = 1
    assert np.linalg.norm(twelve(chi, (1, 1, 1)), axis=0).sum() == pytest.approx(2 * 144)
    chi[2:6, 3:7, 4:6] = 0.3
    cost = np.linalg.norm(twelve(chi, (1, 2, 3)), axis=0).sum()
    for axis in range(3):
        mirrored = np.linalg.norm(twelve(np.flip(chi, axis), (1, 2, 3)), axis=0).sum()
        assert mirrored == pytest.approx(cost)


def test_fused_field_step_equals_the_plain_one():
    shape, mu = (5, 6, 7), 0.3
    random = np.random.default_rng(2)
    field, z, squared = (random.random(shape, dtype=np.float32) for _ in range(3))
    share, split, v = squared / (squared + np.float32(mu)), field.copy(), np.zeros(shape)
    z = share * field + (1 - share) * split
    v = split - z
    pull = np.empty(shape, np.float32)
    for _ in range(3):
        model = random.standard_normal(shape, dtype=np.float32)
        match_data(model, split, field, share, np.float32(1.6), pull)
        q = 1.6 * model - 0.6 * z + v
        z = (squared * field + mu * q) / (squared + mu)
        v = q - z
        np.testing.assert_allclose(pull, z - v, atol=1e-5)


def test_tv_settles_and_stays():
    """What over-relaxation gains must not come back as a slow oscillation."""
    scene = make_scene(shape=(28, 30, 26))
    window = Window.around(scene.mask, scene.grid, 8)
    data = LeastSquares(window.cut(scene.local), window.data_weight(None), 0.05)
    penalty = TotalVariation(window.grid, window.cut_mask(), (2e-4, 2e-5), rho=0.02)
    admm = Admm(OneField(dipole_kernel(window.grid), data), penalty)
    changes = [admm.step() for _ in range(200)]
    assert changes[40] < 1e-2
    assert max(changes[150:]) < 5e-4


def test_tv_weight_map_has_no_unit_and_tells_bad_voxels():
    scene = make_scene()
    random = np.random.default_rng(3)
    bad = scene.mask & (random.random(scene.mask.shape) < 0.05)
    field = scene.local + np.where(bad, random.normal(0, 0.1, bad.shape), 0).astype(np.float32)
    trust = np.where(bad, 0.02, 1).astype(np.float32)
    blind = tv(field, scene.mask, scene.grid)
    aware = tv(field, scene.mask, scene.grid, weight_map=trust)
    scaled = tv(field, scene.mask, scene.grid, weight_map=50 * trust)
    np.testing.assert_allclose(scaled, aware, atol=1e-4)
    assert (
        compare(aware, scene.chi, scene.deep)[1] < 0.5 * compare(blind, scene.chi, scene.deep)[1]
    )


def test_tv_finds_susceptibility_where_the_field_is_unknown():
    """A ball with no field of its own shows in the field around it."""
    scene = make_scene()
    known = np.ones_like(scene.mask)
    known[ball(scene.grid, (-7.0, 2.0, 1.0), 4.5) > 0] = False
    field = np.where(known, scene.local, np.float32(5))
    chi = tv(field, scene.mask, scene.grid, weight_map=known.astype(np.float32))
    hidden = ball(scene.grid, (-7.0, 2.0, 1.0), 3) > 0
    around = (ball(scene.grid, (-7.0, 2.0, 1.0), 7) > 0) & known
    assert chi[hidden].mean() - chi[around].mean() == pytest.approx(0.1, abs=0.03)


def test_tv_smooths_more_with_more_weight():
    scene = make_scene()
    noisy = scene.local + np.random.default_rng(4).normal(0, 0.01, scene.local.shape).astype('f4')
    rough, smooth = (
        tv(noisy, scene.mask, scene.grid, weight=w)[scene.deep].std() for w in (1e-5, 3e-3)
    )
    assert smooth < 0.5 * rough


def test_tv_lets_sources_outside_take_up_harmonic_errors():
    """With chi cheap outside the mask, a leftover of the background does less harm inside."""
    scene = make_scene()
    field = scene.local + np.float32(0.1) * scene.background
    cheap, dear = (
        compare(tv(field, scene.mask, scene.grid, outside=o), scene.chi, scene.deep)[1]
        for o in (0.1, 10)
    )
    assert cheap < 0.7 * dear

"""What every background removal must do, and what each one promises on its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.background.geometry import geometry
from bidsqsm.qsm.background.harperella import _inverse_laplacian, harperella
from bidsqsm.qsm.background.homodyne import homodyne
from bidsqsm.qsm.background.ismv import ismv
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.background.pdf import pdf
from bidsqsm.qsm.background.resharp import resharp
from bidsqsm.qsm.background.sharp import sharp
from bidsqsm.qsm.background.spheres import Deconvolution
from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel, sphere_kernel, sphere_weights
from bidsqsm.qsm.multigrid import compact_stencil, minus_laplacian
from helpers.analytic_fields import SHAPES, ball, field_of_sphere, make_scene, positions

#: Of the local field's rms, 6 mm deep.
TOLERANCE = {
    'harperella': 0.2,
    'ismv': 0.07,
    'lbv': 0.05,
    'pdf': 0.12,
    'resharp': 0.03,
    'sharp': 0.03,
    'vsharp': 0.25,
}
#: Of the background's rms.
LEAK = {
    'harperella': 0.001,
    'ismv': 0.003,
    'lbv': 0.005,
    'pdf': 0.015,
    'resharp': 0.002,
    'sharp': 0.002,
    'vsharp': 0.002,
}
#: Share of the small mask that is left where more than its outermost layer goes.
KEPT = {'ismv': 0.5, 'resharp': 0.35, 'sharp': 0.35}
#: The homodyne filter passes some of the background and loses some of what is inside; geometry
#: knows no background but that of the shape of the head.
QUANTITATIVE = [m for m in STEPS['background'].methods if m.name not in ('homodyne', 'geometry')]


@pytest.fixture(params=QUANTITATIVE, ids=lambda m: m.name)
def method(request):
    return request.param


@pytest.fixture(scope='module', params=SHAPES.values(), ids=SHAPES.keys())
def scene(request):
    return make_scene(**request.param)


@pytest.fixture(scope='module')
def removed(scene):
    """Local field and mask that each method makes of the scene's total field."""
    return {m.name: m.function(scene.total, scene.mask, scene.grid) for m in QUANTITATIVE}


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


def test_recovers_the_local_field(method, scene, removed):
    assert rms(scene.background[scene.mask]) > 5 * rms(scene.local[scene.mask])
    local, left = removed[method.name]
    where = left & scene.deep
    assert where.sum() > 0.9 * scene.deep.sum()
    assert rms((local - scene.local)[where]) < TOLERANCE[method.name] * rms(scene.local[where])
    slope = np.vdot(local[where], scene.local[where]) / np.vdot(
        scene.local[where], scene.local[where]
    )
    assert 0.9 < slope < 1.05


def test_leaves_nothing_of_a_field_from_outside(method, scene):
    local, left = method.function(scene.background, scene.mask, scene.grid)
    assert rms(local[left]) < LEAK[method.name] * rms(scene.background[left])


def test_a_constant_field_is_background(method):
    scene = make_scene(**SHAPES['odd, tilted'])
    local, left = method.function(np.ones_like(scene.total), scene.mask, scene.grid)
    assert rms(local[left & scene.deep]) < 0.02


def test_mask_that_remains_lies_in_the_mask_and_keeps_most_of_it(method, scene, removed):
    local, left = removed[method.name]
    assert not (left & ~scene.mask).any()
    assert left.sum() > KEPT.get(method.name, 0.7) * scene.mask.sum()
    assert not local[~left].any()


def test_peeling_takes_layers_off():
    scene = make_scene()
    _, left = lbv(scene.total, scene.mask, scene.grid)
    _, less = lbv(scene.total, scene.mask, scene.grid, peel=2)
    assert not (less & ~left).any()
    assert less.sum() < 0.8 * left.sum()


def test_lbv_fulfils_its_equation():
    """The Laplacian of what it took away is zero, but for the tolerance."""
    scene = make_scene(**SHAPES['odd, tilted'])
    x, y, z = positions(scene.grid)
    bowl = 1e-4 * np.broadcast_to(x**2 + y**2 + z**2, scene.grid.shape).astype(np.float32)
    local, _ = lbv(bowl, scene.mask, scene.grid, residual_tol=1e-6)
    second = sum(np.diff(local, 2, axis)[_trim(axis)] for axis in range(3))
    inner = scene.deep[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(second[inner], 6e-4, rtol=0.02)


def _trim(axis):
    return tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))


def test_a_mask_too_small_is_explained():
    scene = make_scene()
    mask = np.zeros_like(scene.mask)
    mask[20:22, 20:22, 20:22] = True
    with pytest.raises(ValueError, match='nothing is left of the mask'):
        lbv(scene.total, mask, scene.grid)
    with pytest.raises(ValueError, match=r'no sphere of .* fits'):
        vsharp(scene.total, mask, scene.grid, min_radius=3)
    for method in (sharp, resharp, ismv):
        with pytest.raises(ValueError, match=r'no sphere of .* fits'):
            method(scene.total, mask, scene.grid)
    with pytest.raises(ValueError, match='all its neighbours'):
        harperella(scene.total, mask, scene.grid)


def test_vsharp_takes_radii_in_mm():
    """Halving all lengths and radii changes nothing."""
    scene = make_scene(shape=(40, 42, 38))
    fine = make_scene(shape=(40, 42, 38), voxel_size=(0.5, 0.5, 0.5))
    whole = vsharp(
        scene.total, scene.mask, scene.grid, max_radius=8, min_radius=2, step=2, wavelength=40
    )
    half = vsharp(
        scene.total, scene.mask, fine.grid, max_radius=4, min_radius=1, step=1, wavelength=20
    )
    np.testing.assert_array_equal(half[1], whole[1])
    np.testing.assert_allclose(half[0], whole[0], atol=1e-6)


def test_pdf_trusts_where_the_weight_is():
    """A lie in a corner of the mask does little harm if it is given little weight."""
    scene = make_scene()
    wrong = scene.total.copy()
    corner = scene.mask.copy()
    corner[:, :36] = False
    wrong[corner] += 0.2
    weight = np.where(corner, 0.01, 1).astype(np.float32)
    there = scene.deep & ~corner
    blind, _ = pdf(wrong, scene.mask, scene.grid)
    aware, _ = pdf(wrong, scene.mask, scene.grid, weight_map=weight)
    misses = [rms((local - scene.local)[there]) for local in (blind, aware)]
    assert misses[1] < 0.6 * misses[0]


def test_pdf_needs_the_direction_of_the_field():
    """A dipole just outside is explained by one source, if the kernel is turned with the head."""
    scene = make_scene(**SHAPES['odd, tilted'])
    source = field_of_sphere(scene.grid, (0, 0, 26), 4, 5.0)
    local, left = pdf(source, scene.mask, scene.grid, max_iter=15)
    assert rms(local[left]) < 0.1 * rms(source[left])


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_homodyne_halves_twice_its_wavelength(axis):
    """A Hann window passes half at half of its width, here 1 / (16 mm), whatever the voxels."""
    grid = Grid((64, 64, 32), (1.0, 1.0, 2.0))
    mask = np.ones(grid.shape, bool)
    wave = 1e-3 * np.cos(2 * np.pi * positions(grid)[axis] / 16)
    wave = np.broadcast_to(wave, grid.shape).astype(np.float32)
    local, left = homodyne(wave, mask, grid, min_wavelength=8)
    middle = tuple(slice(n // 4, -n // 4) for n in grid.shape)
    assert left.all()
    np.testing.assert_allclose(local[middle], 0.5 * wave[middle], atol=3e-5)


def test_homodyne_does_not_see_whole_turns_of_the_phase():
    scene = make_scene(shape=(32, 34, 30))
    turned = scene.total.copy()
    turned[:16] += 2 * np.pi / 5
    once, _ = homodyne(scene.total, scene.mask, scene.grid, phase_scale=5)
    again, _ = homodyne(turned, scene.mask, scene.grid, phase_scale=5)
    np.testing.assert_allclose(np.exp(5j * once), np.exp(5j * again), atol=1e-4)


def test_homodyne_passes_what_is_small_and_takes_off_what_is_smooth():
    scene = make_scene(**SHAPES['odd, tilted'])
    x, y, z = positions(scene.grid)
    smooth = np.broadcast_to(2e-3 * x - 3e-3 * y + 1e-3 * z, scene.grid.shape)
    small = field_of_sphere(scene.grid, (0, 0, 0), 1.5, 0.3)
    field = (smooth + small).astype(np.float32)
    local, _ = homodyne(field, scene.mask, scene.grid, min_wavelength=12)
    slope = np.vdot(local[scene.deep], small[scene.deep]) / np.vdot(
        small[scene.deep], small[scene.deep]
    )
    assert 0.6 < slope < 1
    ramp, _ = homodyne(smooth.astype(np.float32), scene.mask, scene.grid, min_wavelength=6)
    assert rms(ramp[scene.deep]) < 0.02 * rms(smooth[scene.deep])


def test_ismv_arrives_where_repeated_means_do():
    """Worked out here by taking the mean over and over, with the rim held fixed."""
    scene = make_scene(shape=(24, 26, 15), voxel_size=(1.0, 1.0, 1.6))
    local, left = ismv(scene.total, scene.mask, scene.grid, residual_tol=1e-6)
    weights = sphere_weights(3.0, scene.grid.voxel_size)
    background = scene.total.astype(float)
    for _ in range(250):
        background[left] = ndimage.convolve(background, weights)[left]
    expected = (scene.total - background) * left
    np.testing.assert_allclose(local, expected, atol=0.003 * np.abs(expected).max())


def test_resharp_is_the_smallest_field_of_its_misfit():
    """The slope of its cost is zero: H M H (x - f) + weight x = 0."""
    scene = make_scene(shape=(24, 26, 15), voxel_size=(1.0, 1.0, 1.6))
    wide = {'radius': 3.0, 'weight': 0.3, 'residual_tol': 1e-6}
    local, left = resharp(scene.local, scene.mask, scene.grid, **wide)
    weights = sphere_weights(3.0, scene.grid.voxel_size)

    def high_pass(volume):
        return volume - ndimage.convolve(volume.astype(float), weights)

    # x is not handed out beyond the mask; there it is what the slope asks for
    whole = local.astype(float)
    for _ in range(80):
        slope = high_pass(left * high_pass(whole - scene.local))
        whole[~left] = -slope[~left] / 0.3 * 0.2 + 0.8 * whole[~left]
    slope = high_pass(left * high_pass(whole - scene.local)) + 0.3 * whole
    assert rms(slope[left]) < 0.01 * rms(0.3 * whole[left])


def test_resharp_leaves_less_with_more_weight():
    scene = make_scene(**SHAPES['odd, tilted'])
    sizes = []
    for weight in (1e-4, 1e-2, 1):
        local, left = resharp(scene.total, scene.mask, scene.grid, weight=weight)
        sizes.append(rms(local[left]))
    assert sizes[0] > 1.03 * sizes[1] > 1.5 * sizes[2]


def test_sharp_takes_off_what_is_longer_than_its_wavelength():
    scene = make_scene()
    long, left = sharp(scene.local, scene.mask, scene.grid, wavelength=500)
    short, _ = sharp(scene.local, scene.mask, scene.grid, wavelength=5)
    assert rms((long - scene.local)[left]) < 0.05 * rms(scene.local[left])
    assert rms(short[left]) < 0.7 * rms(scene.local[left])


@pytest.mark.parametrize('radius', [3.0, 6.0])
def test_deconvolution_leaves_half_of_its_wavelength(radius):
    grid = Grid((48, 40, 30), (1.0, 1.2, 1.6))  # 48 mm along each axis
    sphere = sphere_kernel(grid, radius)
    whole = (1 - sphere) * Deconvolution.of(sphere, grid, 48.0).inverse
    np.testing.assert_allclose([whole[1, 0, 0], whole[0, 1, 0], whole[0, 0, 1]], 0.5, rtol=0.01)
    assert whole[0, 0, 0] == pytest.approx(0, abs=1e-4)
    assert whole[4, 0, 0] > 0.95


def test_vsharp_makes_good_what_the_largest_sphere_divides_by_too_much():
    """Once corrected, its result hardly depends on how large that sphere is."""
    scene = make_scene(**SHAPES['odd, tilted'])
    apart = []
    for count in (1, 6):
        near, far = (
            vsharp(
                scene.total,
                scene.mask,
                scene.grid,
                max_radius=radius,
                max_iter=count,
                wavelength=40,
            )[0]
            for radius in (3, 8)
        )
        apart.append(rms(near - far) / rms(near))
    assert apart[0] > 0.1
    assert apart[1] < 0.3 * apart[0]


def test_harperella_keeps_the_laplacian():
    """It takes off what is harmonic alone."""
    scene = make_scene(**SHAPES['odd, tilted'])
    x, y, z = positions(scene.grid)
    bowl = 1e-4 * np.broadcast_to(x**2 + y**2 + z**2, scene.grid.shape).astype(np.float32)
    local, _ = harperella(bowl, scene.mask, scene.grid)
    second = sum(np.diff(local, 2, axis)[_trim(axis)] for axis in range(3))
    np.testing.assert_allclose(second[scene.deep[1:-1, 1:-1, 1:-1]], 6e-4, rtol=0.02)


def test_the_inverse_laplacian_undoes_the_stencil():
    grid = Grid((24, 20, 12), (1.0, 1.2, 2.0))
    blob = ball(grid, (0, 0, 0), 5.0, 4)
    blob -= blob.mean()
    potential = convolve(blob, _inverse_laplacian(grid))
    domain = np.zeros(grid.shape, np.uint8)
    domain[1:-1, 1:-1, 1:-1] = 1
    back = np.zeros_like(blob)
    minus_laplacian(potential, domain, compact_stencil(grid.voxel_size), back)
    np.testing.assert_allclose(back[domain > 0], blob[domain > 0], atol=1e-4)


@pytest.fixture(scope='module')
def tilted_head():
    """A head of an odd shape around a brain, the field of the air around it, and a local field."""
    grid = Grid((46, 40, 35), (2.0, 2.0, 2.5), (0.3, -0.2, float(np.sqrt(0.87))))
    x, y, z = positions(grid)
    head = (x / 38) ** 2 + (y / 32) ** 2 + (z / 35) ** 2 + 0 * (x + y + z) < 1
    nose = (x / 8) ** 2 + ((y - 30) / 10) ** 2 + ((z + 5) / 8) ** 2 + 0 * (x + y + z) < 1
    brain = (x / 28) ** 2 + (y / 22) ** 2 + (z / 24) ** 2 + 0 * (x + y + z) < 1
    head |= nose
    around = np.pad(-9.4 * head.astype(np.float32), [(0, 60)] * 3)
    wide = Grid(around.shape, grid.voxel_size, grid.b0_direction)
    air = np.ascontiguousarray(convolve(around, dipole_kernel(wide))[:46, :40, :35])
    local = field_of_sphere(grid, (6.0, -4.0, 3.0), 5.0, 0.2)
    return grid, brain, (100 * head).astype(np.float32), air, local


def test_the_field_of_the_shape_of_the_head_is_taken_off(tilted_head):
    grid, brain, magnitude, air, local = tilted_head
    x, y, z = positions(grid)
    shim = (0.3 + 4e-3 * x - 2e-3 * z + 1e-4 * x * y - 5e-5 * z**2 + 0 * y).astype(np.float32)
    total = np.float32(0.8) * air + shim + local
    assert np.std(total[brain]) > 10 * np.std(local[brain])
    found, left = geometry(total, brain, grid, magnitude=magnitude)
    np.testing.assert_array_equal(left, brain)
    assert not found[~brain].any()
    rest = (found - local)[brain]
    assert np.std(rest) < 0.2 * np.std(local[brain])  # but for what a polynomial takes of a ball


def test_geometry_sees_the_direction_of_the_field_and_the_difference_to_air(tilted_head):
    grid, brain, magnitude, air, _ = tilted_head
    upright = replace(grid, b0_direction=(0.0, 0.0, 1.0))
    right, wrong = (geometry(air, brain, g, magnitude=magnitude)[0] for g in (grid, upright))
    assert rms(right[brain]) < 0.04 * rms(wrong[brain])
    fixed, double = (
        geometry(
            air,
            brain,
            grid,
            magnitude=magnitude,
            fit_difference=False,
            air_tissue_difference=ppm,
        )[0]
        for ppm in (9.4, 18.8)
    )
    assert rms(fixed[brain]) < 0.04 * rms(double[brain])


def test_geometry_without_a_magnitude_says_what_is_missing(tilted_head):
    grid, brain, _, air, _ = tilted_head
    with pytest.raises(ValueError, match='found in the magnitude'):
        geometry(air, brain, grid)

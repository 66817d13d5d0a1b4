"""Several orientations: what they determine together, and how they are brought onto one grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.demo.simulate import head_pose, scan_affine
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.joint.cosmos import cosmos
from bidsqsm.qsm.joint.normal_equations import NormalEquations
from bidsqsm.qsm.joint.orientations import Orientation, angles, brought, condition_number
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.registration.rigid import register_rigid
from bidsqsm.qsm.resampling import resample
from helpers.analytic_fields import INNER, TILTED, ball, field_of_sphere, make_scene, shell_of
from helpers.explicit_weights import explicitly

# these fields have no noise that thresholds could follow
tkd = explicitly(tkd)


def unit(*b):
    return tuple((np.array(b) / np.linalg.norm(b)).tolist())


TURNS = [unit(0, 0, 1), unit(0, 0.45, 1), unit(-0.45, 0.1, 1)]  # about 24 degrees apart


def seen(directions=TURNS, noise=1e-3, **shape):
    """Fields of one scene in several directions of B0, with noise."""
    random = np.random.default_rng(0)
    scenes = [make_scene(b0_direction=b, **shape) for b in directions]
    fields = [(s.local + random.normal(0, noise, s.mask.shape)).astype(np.float32) for s in scenes]
    return scenes[0], fields


def error(chi, scene):
    a, b = (
        chi[scene.deep] - chi[scene.deep].mean(),
        scene.chi[scene.deep] - scene.chi[scene.deep].mean(),
    )
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_a_ball_comes_out_as_it_is():
    """From the closed-form fields of a ball, its susceptibility and nothing around it."""
    grid = Grid((44, 40, 42), (1.0, 1.1, 1.0))
    mask = shell_of(grid, 0)
    fields = [field_of_sphere(replace(grid, b0_direction=b), (2.0, -1, 1), 5, 0.2) for b in TURNS]
    chi = cosmos(fields, [mask] * 3, grid, TURNS, weight=1e-3, outside=1e4)
    inside, around = ball(grid, (2.0, -1, 1), 4) == 1, ball(grid, (2.0, -1, 1), 6) == 0
    level = chi[around & mask].mean()
    assert chi[inside].mean() - level == pytest.approx(0.2, rel=0.07)
    alone = tkd(fields[0], mask, replace(grid, b0_direction=TURNS[0]))
    assert chi[around & mask].std() < 0.8 * alone[around & mask].std()
    assert not chi[~mask].any()


def averaged(grid, parts=3):
    """Field of the balls of the scenes, averaged over each voxel as a scanner does."""
    fine = tuple(parts * n for n in grid.shape), tuple(d / parts for d in grid.voxel_size)
    field = sum(field_of_sphere(Grid(*fine, grid.b0_direction), *one) for one in INNER)
    nx, ny, nz = grid.shape
    return field.reshape(nx, parts, ny, parts, nz, parts).mean(axis=(1, 3, 5))


@pytest.mark.parametrize('shape', [{}, {'shape': (47, 51, 27), 'voxel_size': (1.0, 1.0, 1.7)}])
def test_three_orientations_are_far_better_than_one(shape):
    scene = make_scene(**shape)
    random = np.random.default_rng(0)
    fields = [
        (
            averaged(replace(scene.grid, b0_direction=b))
            + random.normal(0, 2e-4, scene.mask.shape)
        ).astype(np.float32)
        for b in TURNS
    ]
    together = error(cosmos(fields, [scene.mask] * 3, scene.grid, TURNS, outside=1e4), scene)
    grid = replace(scene.grid, b0_direction=TURNS[0])
    assert together < 0.65 * error(tkd(fields[0], scene.mask, grid), scene)
    turned = [unit(*b[::-1]) for b in TURNS]
    assert error(cosmos(fields, [scene.mask] * 3, scene.grid, turned), scene) > 2 * together


def test_without_weights_the_closed_form_is_the_minimum():
    scene = make_scene((48, 54, 42))
    everywhere = np.ones_like(scene.mask)
    kernels = [dipole_kernel(replace(scene.grid, b0_direction=b)) for b in TURNS]
    fields = [convolve(scene.chi, kernel) for kernel in kernels]
    chi = cosmos(
        fields, [everywhere] * 3, scene.grid, TURNS, padding=0, weight=1e-2, residual_tol=1e-4
    )
    power = sum(kernel**2 for kernel in kernels)
    np.testing.assert_allclose(chi, convolve(scene.chi, power / (power + 0.01)), atol=2e-4)


def test_the_normal_equations_are_symmetric_and_those_of_the_cost():
    grid = Grid((10, 12, 8), (1.0, 0.8, 1.3))
    random = np.random.default_rng(1)
    kernels = [dipole_kernel(replace(grid, b0_direction=b)) for b in TURNS]
    squares = [random.random(grid.shape).astype(np.float32) for _ in TURNS]
    inside = random.random(grid.shape) < 0.6
    places = [inside, *[~inside] * 3]
    normal = NormalEquations(kernels, squares, places, (0.02, 0.004))
    chi, *others = (random.normal(size=grid.shape).astype(np.float32) * p for p in places)
    x, y = np.concatenate([chi, *others]), np.concatenate([others[0], *[chi] * 3])
    y = normal.precondition(y)
    assert np.vdot(x, normal(y)) == pytest.approx(np.vdot(normal(x), y), rel=1e-4)
    cost = 0.02 * (chi**2).sum() + 0.004 * sum((e**2).sum() for e in others)
    for square, kernel, other in zip(squares, kernels, others, strict=True):
        cost += (square * convolve(chi + other, kernel) ** 2).sum()
    assert np.vdot(x, normal(x)) == pytest.approx(cost, rel=1e-4)


def test_sources_outside_take_up_what_the_background_left():
    """A tenth of each orientation's own background does less harm than it would inside."""
    scene, fields = seen()
    scenes = [make_scene(b0_direction=b) for b in TURNS]
    left = [f + np.float32(0.1) * s.background for f, s in zip(fields, scenes, strict=True)]
    masks = [scene.mask] * 3
    cheap, dear = (
        error(cosmos(left, masks, scene.grid, TURNS, outside=o), scene) for o in (0.1, 1e4)
    )
    assert cheap < 0.7 * dear


def test_weights_have_no_unit_and_tell_bad_voxels():
    scene, fields = seen()
    random = np.random.default_rng(3)
    bad = scene.mask & (random.random(scene.mask.shape) < 0.05)
    fields[1] = np.where(bad, np.float32(0.3), fields[1])
    masks, trust = [scene.mask] * 3, [np.ones_like(f) for f in fields]
    blind = cosmos(fields, masks, scene.grid, TURNS, weight_maps=trust)
    trust[1] = np.where(bad, np.float32(0.02), np.float32(1))
    aware = cosmos(fields, masks, scene.grid, TURNS, weight_maps=trust)
    scaled = cosmos(fields, masks, scene.grid, TURNS, weight_maps=[40 * w for w in trust])
    np.testing.assert_allclose(scaled, aware, atol=1e-4)
    assert error(aware, scene) < 0.5 * error(blind, scene)


def test_the_map_ends_where_one_orientation_is_not_trusted():
    scene, fields = seen()
    masks = [scene.mask.copy() for _ in TURNS]
    masks[2][:, :, :18] = False
    fields[2][:, :, :18] = np.nan
    chi = cosmos(fields, masks, scene.grid, TURNS)
    assert np.isfinite(chi).all()
    np.testing.assert_array_equal(chi != 0, scene.mask & masks[2])


def test_two_orientations_are_refused():
    scene, fields = seen()
    with pytest.raises(ValueError, match=r'2 fields.* expected three or more'):
        cosmos(fields[:2], [scene.mask] * 2, scene.grid, TURNS[:2])


def test_angles_and_condition_tell_how_well_orientations_determine_the_map():
    assert angles([(0, 0, 1), (0, 1, 0), (0, 0, -1)]) == pytest.approx([90, 0, 90])
    sixty = [(np.sin(a), 0.0, np.cos(a)) for a in np.deg2rad([0, 60, 120])]
    assert condition_number(sixty) == pytest.approx(2, abs=0.05)  # Liu 2009: the best for three
    assert condition_number(TURNS) < 8
    assert condition_number([*TURNS[:1], unit(0, 0.1, 1), unit(0.1, 0, 1)]) > 12
    assert condition_number(TURNS[:2]) > 50


def test_an_orientation_is_brought_with_its_field_and_field_direction():
    """A ball in a head that turned and moved, seen by a tilted volume of other voxels."""
    shape, size = (44, 46, 40), (1.2, 1.2, 1.2)
    affine = scan_affine(shape, size)
    own_shape, own_size = (50, 48, 42), (1.0, 1.1, 1.4)
    own_affine = scan_affine(own_shape, own_size, [('x', 8)])
    motion = head_pose([('y', 20), ('x', -15)], (3.0, -2.0, 1.5))
    centre = np.array([5.0, -20.0, 9.0])  # mm, in the world of the reference
    moved = motion[:3, :3] @ centre + motion[:3, 3]

    def field(grid, affine, place):
        voxel = np.linalg.inv(affine) @ [*place, 1]
        offset = (voxel[:3] - (np.array(grid.shape) - 1) / 2) * grid.voxel_size
        return field_of_sphere(grid, offset, 7, 0.2), offset

    grid = Grid.from_affine(own_shape, own_affine)
    there, _ = field(grid, own_affine, moved)
    mask = shell_of(grid, 0)
    ones = np.ones_like(there)
    own = Orientation(there, mask, ones, ones, own_affine)
    found, kept, weights, magnitude, b0 = brought(own, motion, shape, affine)
    expected_b0 = motion[:3, :3].T @ [0, 0, 1]  # the axes of the reference are those of the world
    np.testing.assert_allclose(b0, expected_b0, atol=1e-6)
    expected, offset = field(Grid(shape, size, b0), affine, centre)
    smooth = kept & (ball(Grid(shape, size), offset, 11) == 0)  # away from the jump at its rim
    assert smooth.sum() > 5000
    np.testing.assert_allclose(found[smooth], expected[smooth], atol=0.004)
    assert not found[~kept].any()
    assert kept.sum() * np.prod(size) == pytest.approx(mask.sum() * np.prod(own_size), rel=0.05)
    np.testing.assert_allclose(weights[kept], 1, atol=1e-4)
    np.testing.assert_allclose(magnitude[kept], 1, atol=1e-4)


def test_the_reference_stays_as_it_is():
    scene, fields = seen()
    affine = np.eye(4)
    own = Orientation(fields[0], scene.mask, fields[1], fields[2], affine)
    field, mask, weights, magnitude, b0 = brought(own, np.eye(4), scene.mask.shape, affine)
    np.testing.assert_array_equal(field, fields[0] * scene.mask)
    assert (mask is scene.mask, weights is fields[1], magnitude is fields[2]) == (True,) * 3
    assert b0 == (0, 0, 1)


def test_the_field_direction_is_in_voxel_axes_of_a_tilted_reference():
    affine = scan_affine((8, 9, 7), (1.0, 2.0, 1.5), [('x', 30), ('y', 10)])
    array = np.ones((8, 9, 7), np.float32)
    own = Orientation(array, array > 0, array, array, affine)
    *_, b0 = brought(own, np.eye(4), (8, 9, 7), affine)
    np.testing.assert_allclose(b0, Grid.from_affine((8, 9, 7), affine).b0_direction, atol=1e-6)


def test_registration_finds_how_the_head_moved(small_head):
    """The head seen again, turned by 25 degrees and shifted, by a tilted volume of other voxels."""
    head = small_head.head
    image = np.sqrt((small_head.magnitude**2).sum(axis=0)).astype(np.float32)
    motion = head_pose([('x', 22), ('z', -12)], (6.0, 4.0, -5.0))
    shape = (60, 64, 66)
    affine = scan_affine(shape, (3.2, 3.4, 2.8), [('y', 6)])
    back = np.linalg.inv(motion @ head.affine) @ affine
    place = back[:3, :3], back[:3, 3], shape
    moved = resample(image, *place, order=1) + np.random.default_rng(0).normal(0, 0.02, shape)
    mask = resample(head.mask.astype(np.float32), *place, order=1) > 0.5
    found = register_rigid(image, moved.astype(np.float32), head.mask, mask, head.affine, affine)
    points = np.argwhere(head.mask)[::40] @ head.affine[:3, :3].T + head.affine[:3, 3]
    miss = points @ (found - motion)[:3, :3].T + (found - motion)[:3, 3]
    assert np.linalg.norm(miss, axis=1).max() < 0.6, 'a fifth of a voxel'
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-6)


def test_the_unused_direction_of_the_grid_does_not_matter():
    scene, fields = seen()
    one = cosmos(fields, [scene.mask] * 3, scene.grid, TURNS, max_iter=3)
    grid = replace(scene.grid, b0_direction=TILTED)
    np.testing.assert_array_equal(cosmos(fields, [scene.mask] * 3, grid, TURNS, max_iter=3), one)

"""What every background removal must do, and what each one promises on its own."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import SHAPES, field_of_sphere, make_scene, positions

from bidsqsm.catalog import BACKGROUND
from bidsqsm.qsm.background.lbv import lbv
from bidsqsm.qsm.background.pdf import pdf
from bidsqsm.qsm.background.vsharp import vsharp

TOLERANCE = {'lbv': 0.3, 'pdf': 0.45, 'vsharp': 0.5}  # of the local field's rms, 6 mm deep
LEAK = {'lbv': 0.01, 'pdf': 0.03, 'vsharp': 0.004}  # of the background's rms


@pytest.fixture(params=BACKGROUND.methods, ids=lambda m: m.name)
def method(request):
    return request.param


@pytest.fixture(scope='module', params=SHAPES.values(), ids=SHAPES.keys())
def scene(request):
    return make_scene(**request.param)


@pytest.fixture(scope='module')
def removed(scene):
    """Local field and mask that each method makes of the scene's total field."""
    return {m.name: m.function(scene.total, scene.mask, scene.grid) for m in BACKGROUND.methods}


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
    assert 0.75 < slope < 1.1


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
    assert left.sum() > 0.7 * scene.mask.sum()
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
    local, _ = lbv(bowl, scene.mask, scene.grid, tol=1e-6)
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


def test_vsharp_takes_radii_in_mm():
    """Halving all lengths and radii changes nothing."""
    scene = make_scene(shape=(40, 42, 38))
    fine = make_scene(shape=(40, 42, 38), voxel_size=(0.5, 0.5, 0.5))
    whole = vsharp(scene.total, scene.mask, scene.grid, max_radius=8, min_radius=2, step=2)
    half = vsharp(scene.total, scene.mask, fine.grid, max_radius=4, min_radius=1, step=1)
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

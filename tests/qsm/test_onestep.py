"""One-step methods: the map comes out of a total field whose background is far stronger."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import SHAPES, make_scene

from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.onestep.field import field_of
from bidsqsm.qsm.onestep.spheres import radii_of_bank, sphere_terms
from bidsqsm.qsm.onestep.sstv import sstv
from bidsqsm.qsm.window import Window


@pytest.fixture(scope='module', params=SHAPES)
def scene(request):
    return make_scene(**SHAPES[request.param])


def agreement(chi, scene):
    """Slope over the true map and relative error, as :func:`compare` has them."""
    return compare(chi, scene.chi, scene.deep)


def compare(found, true, where):
    """Slope and relative error there, both without the means."""
    found, true = (v[where] - v[where].mean() for v in (found, true))
    slope = (found @ true) / (true @ true)
    return slope, np.linalg.norm(found - true) / np.linalg.norm(true)


@pytest.mark.parametrize('method', [sstv], ids=lambda f: f.__name__)
def test_balls_come_out_of_a_field_of_sources_outside(scene, method):
    assert np.std(scene.background[scene.mask]) > 5 * np.std(scene.local[scene.mask])
    slope, error = agreement(method(scene.total, scene.mask, scene.grid), scene)
    assert slope == pytest.approx(1, abs=0.1)
    assert error < 0.45


def test_the_spheres_do_not_see_the_background(scene):
    window = Window.around(scene.mask, scene.grid, 12)
    mask = window.cut_mask()
    radii = radii_of_bank(8.0, 4, scene.grid.voxel_size)
    assert radii[0] == 8
    assert radii[-1] == pytest.approx(max(scene.grid.voxel_size))
    data = [
        sphere_terms(window.cut(field), mask * np.float32(1), mask, window, radii)
        for field in (scene.background, scene.local)
    ]
    size = [np.sqrt(sum((term.data**2).sum() for term in terms)) for terms in data]
    assert size[0] < 0.1 * size[1]
    owners = sum(term.squared_weight for term in data[0])
    assert owners.max() == 1, 'each voxel belongs to one sphere'
    assert owners.sum() > 0.7 * mask.sum()


def test_the_data_is_the_model_of_the_true_map(scene):
    window = Window.around(scene.mask, scene.grid, 20)
    mask, chi = window.cut_mask(), window.cut(scene.chi)
    radii = radii_of_bank(6.0, 3, scene.grid.voxel_size)
    field = convolve(chi, dipole_kernel(window.grid)) * mask + window.cut(scene.background)
    terms = sphere_terms(field, mask * np.float32(1), mask, window, radii)
    miss = [t.squared_weight * (convolve(chi, t.kernel) - t.data) for t in terms]
    size = np.linalg.norm([t.data for t in terms])
    assert np.linalg.norm(miss) < 0.15 * size


def test_the_field_of_a_map_is_that_of_its_balls(scene):
    chi = scene.chi - scene.chi[scene.mask].mean()
    field = field_of((chi + 0.7) * scene.mask, scene.mask, scene.grid)
    slope, error = compare(field, scene.local, scene.deep)
    assert slope == pytest.approx(0.9, abs=0.1), 'edges of balls are sharper than voxels'
    assert error < 0.4
    assert not field[~scene.mask].any()

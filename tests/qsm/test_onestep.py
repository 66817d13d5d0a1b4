"""One-step methods: the map comes out of a total field whose background is far stronger."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.admm.sphere_terms import radii_of_bank, sphere_terms
from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.harmonic_field import (
    anharmonic_part,
    harmonic_part,
    minus_phase_laplacian,
)
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.onestep.qsip import qsip
from bidsqsm.qsm.onestep.sstgv import sstgv
from bidsqsm.qsm.onestep.sstv import sstv
from bidsqsm.qsm.onestep.tfi import tfi
from bidsqsm.qsm.onestep.tgv import tgv
from bidsqsm.qsm.operators import inner_voxels
from bidsqsm.qsm.window import Window
from helpers.analytic_fields import SHAPES, TILTED, make_scene, positions


@pytest.fixture(scope='module')
def scene():
    return make_scene(**SHAPES['anisotropic, tilted'])


def agreement(chi, scene):
    """Slope over the true map and relative error, as :func:`compare` has them."""
    return compare(chi, scene.chi, scene.deep)


def compare(found, true, where):
    """Slope and relative error there, both without the means."""
    found, true = (v[where] - v[where].mean() for v in (found, true))
    slope = (found @ true) / (true @ true)
    return slope, np.linalg.norm(found - true) / np.linalg.norm(true)


@pytest.mark.parametrize('method', [sstgv, sstv, tgv], ids=lambda f: f.__name__)
def test_balls_come_out_of_a_field_of_sources_outside(scene, method):
    assert np.std(scene.background[scene.mask]) > 5 * np.std(scene.local[scene.mask])
    slope, error = agreement(method(scene.total, scene.mask, scene.grid, tol=0.01), scene)
    assert slope == pytest.approx(1, abs=0.1)
    assert error < 0.45


def test_a_quadratic_penalty_sees_the_balls_a_little_weaker(scene):
    slope, error = agreement(qsip(scene.total, scene.mask, scene.grid, weight=0.05), scene)
    assert slope == pytest.approx(0.85, abs=0.15)
    assert error < 0.65


def test_the_field_of_the_air_around_a_head_is_expected():
    grid = Grid((40, 36, 30), (2.0, 2.0, 2.0), TILTED)
    x, y, z = positions(grid)
    head = (x / 34) ** 2 + (y / 26) ** 2 + (z / 22) ** 2 + 0 * (x + y + z) < 1
    brain = np.roll(head, 1, axis=1) & np.roll(head, 2, axis=2) & head
    wide = grid.padded(20)
    around = np.zeros(wide.shape, np.float32)
    around[:40, :36, :30] = -9.4 * head
    field = convolve(around, dipole_kernel(wide))[:40, :36, :30].copy()
    blind = qsip(field, brain, grid)
    expected = qsip(field, brain, grid, magnitude=100 * head.astype(np.float32))
    assert np.abs(blind).max() > 1e-3
    assert np.linalg.norm(expected) < 0.01 * np.linalg.norm(blind)


def test_total_field_inversion_finds_balls_beside_strong_sources_outside(scene):
    flat = np.ones(scene.mask.shape, np.float32)  # a magnitude without edges
    slope, error = agreement(tfi(scene.total, scene.mask, scene.grid, magnitude=flat), scene)
    assert slope == pytest.approx(1, abs=0.05)
    assert error < 0.35


@pytest.mark.parametrize(('share', 'slope'), [(0.0, 0.72), (0.8, 0.87), (1.0, 0.975)])
def test_what_a_ball_makes_at_the_edge_of_the_mask_is_given_back(share, slope):
    grid = Grid((40, 36, 32), (1.5, 1.5, 1.5), TILTED)
    x, y, z = positions(grid)
    mask = x**2 + y**2 + z**2 < 20**2
    ball = (0.1 * ((x - 3) ** 2 + y**2 + z**2 < 13**2)).astype(np.float32)
    wide = grid.padded(40)
    around = np.pad(ball, [(0, n - m) for n, m in zip(wide.shape, grid.shape, strict=True)])
    nx, ny, nz = grid.shape
    field = np.ascontiguousarray(convolve(around, dipole_kernel(wide))[:nx, :ny, :nz])
    chi = tfi(field, mask, grid, magnitude=np.ones(grid.shape, np.float32), share=share)
    deep = x**2 + y**2 + z**2 < 17**2
    assert compare(chi, ball, deep)[0] == pytest.approx(slope, abs=0.03)


def test_a_harmonic_field_is_all_harmonic_and_a_bump_is_not():
    grid = Grid((26, 22, 24), (1.0, 1.3, 2.0))
    x, y, z = positions(grid)
    known = x**2 + y**2 + (z / 2) ** 2 < 10**2
    window, domain = Window.around(np.ones_like(known), grid, 0), inner_voxels(known)
    saddle = (x * y + z * x + 0.5 * (x**2 - z**2) + 0 * y).astype(np.float32)
    found = window.restore(harmonic_part(window.cut(saddle), domain, window))
    assert np.abs(found - saddle)[domain].max() < 0.02 * np.abs(saddle[domain]).max()
    bump = np.exp(-(x**2 + y**2 + z**2) / 10).astype(np.float32)
    found = window.restore(harmonic_part(window.cut(bump), domain, window))
    assert np.abs(found).max() < 0.02


def test_the_spheres_do_not_see_the_background(scene):
    window = Window.around(scene.mask, scene.grid, 12)
    mask = window.cut_mask()
    radii = radii_of_bank(8.0, 4, scene.grid.voxel_size)
    assert radii[0] == 8
    assert radii[-1] == pytest.approx(max(scene.grid.voxel_size))
    data = [
        sphere_terms(window.cut(field), mask * np.float32(1), mask, window, radii, mu=1.0)
        for field in (scene.background, scene.local)
    ]
    size = [np.sqrt(sum((term.fidelity.field**2).sum() for term in terms)) for terms in data]
    assert size[0] < 0.1 * size[1]
    owners = sum(2 * term.fidelity.share for term in data[0])  # a weight of one, a mu of one
    assert owners.max() == 1, 'each voxel belongs to one sphere'
    assert owners.sum() > 0.7 * mask.sum()


def test_the_data_is_the_model_of_the_true_map(scene):
    window = Window.around(scene.mask, scene.grid, 20)
    mask, chi = window.cut_mask(), window.cut(scene.chi)
    radii = radii_of_bank(6.0, 3, scene.grid.voxel_size)
    field = convolve(chi, dipole_kernel(window.grid)) * mask + window.cut(scene.background)
    terms = sphere_terms(field, mask * np.float32(1), mask, window, radii, mu=1.0)
    miss = [2 * t.fidelity.share * (convolve(chi, t.kernel) - t.fidelity.field) for t in terms]
    size = np.linalg.norm([t.fidelity.field for t in terms])
    assert np.linalg.norm(miss) < 0.15 * size


def test_the_field_of_a_map_is_that_of_its_balls(scene):
    chi = scene.chi - scene.chi[scene.mask].mean()
    field = field_of((chi + 0.7) * scene.mask, scene.mask, scene.grid)
    slope, error = compare(field, scene.local, scene.deep)
    assert slope == pytest.approx(0.9, abs=0.1), 'edges of balls are sharper than voxels'
    assert error < 0.4
    assert not field[~scene.mask].any()


def rising_echoes(field, times, frequency=123.2):
    """Wrapped phase of a field in ppm, all of one magnitude."""
    phase = 2 * np.pi * frequency * np.reshape(times, (-1, 1, 1, 1)) * field
    phase = np.angle(np.exp(1j * phase)).astype(np.float32)
    return Echoes(phase, np.ones_like(phase), times, frequency)


def test_the_laplacian_of_wrapped_phase_is_that_of_the_field():
    """Late echoes wrap from voxel to voxel; the first tells by how many turns."""
    x, y, z = np.meshgrid(*(np.arange(n) * 1.0 for n in (14, 13, 12)), indexing='ij')
    field = 0.4 * x + 0.002 * (x**2 + 3 * y**2 - z**2)  # 0.4 ppm a voxel: 1.2 turns at 24 ms
    known = np.ones(field.shape, bool)
    known[:3, :3] = False
    domain = inner_voxels(known)
    echoes = rising_echoes(field, [0.004, 0.012, 0.024])
    found = minus_phase_laplacian(echoes, known, domain, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(found[domain], -0.012, atol=1e-5)
    assert not found[~domain].any()


def test_a_harmonic_field_leaves_nothing():
    x, y, z = np.meshgrid(*(np.arange(n) - 7.0 for n in (14, 15, 16)), indexing='ij')
    known = x**2 + y**2 + z**2 < 40
    domain = inner_voxels(known)
    size = (1.0, 1.0, 1.0)
    for field, harmonic in ((0.02 * (x * y + z**2 - x**2), True), (0.02 * z**2, False)):
        source = minus_phase_laplacian(rising_echoes(field, [0.004]), known, domain, size)
        found = anharmonic_part(source, domain, size, tol=1e-5, max_iter=50)
        assert (np.abs(found).max() < 1e-4) == harmonic


def test_wrapped_phase_and_unwrapped_field_give_one_map():
    scene = make_scene(shape=(33, 37, 31), b0_direction=TILTED)
    echoes = rising_echoes(scene.total, [0.003, 0.006, 0.012])
    by_field = tgv(scene.total, scene.mask, scene.grid, weight=2e-4)
    # no field: all that is known of it is in the phase
    by_phase = tgv(0 * scene.total, scene.mask, scene.grid, echoes=echoes, weight=2e-4)
    assert np.linalg.norm(by_phase - by_field) < 0.1 * np.linalg.norm(by_field)

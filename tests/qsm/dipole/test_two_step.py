"""Inversions that treat the cone of small kernel values apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.admm.modelled_fields import KnownSpectrum
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.admm.tv_kernels import solve_known
from bidsqsm.qsm.dipole.rts import rts
from bidsqsm.qsm.dipole.star import star
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.kspace.weighted_least_squares import fit
from bidsqsm.qsm.operators import edge_spectra, gradient
from helpers.analytic_fields import SHAPES, TILTED, ball, field_of_sphere, make_scene
from helpers.explicit_weights import explicitly

# these fields have no noise that weights could follow
rts = explicitly(rts)

GRID = Grid((20, 24, 16), (1.0, 0.8, 1.6), TILTED)


def error(chi, truth, where):
    a, b = chi[where] - chi[where].mean(), truth[where] - truth[where].mean()
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.fixture(scope='module')
def box():
    chi = np.zeros(GRID.shape, np.float32)
    chi[6:12, 8:14, 5:9] = 0.1
    return chi - chi.mean()


def test_the_fit_solves_the_weighted_problem(box):
    """With steps enough its misfit is at right angles to all that a map can do."""
    dipole = dipole_kernel(GRID)
    random = np.random.default_rng(0)
    weight = random.uniform(0.3, 2, GRID.shape).astype(np.float32)
    weight[:5] = 0
    field = convolve(box, dipole) + random.normal(0, 0.01, GRID.shape).astype(np.float32)
    few, many = (
        fft.irfftn(fit(field, weight, dipole, 0.1, steps, 'test'), s=GRID.shape)
        for steps in (3, 200)
    )
    misfit, start = (
        convolve(weight**2 * (convolve(x, dipole) - field), dipole)
        for x in (many, np.zeros_like(field))
    )
    assert np.linalg.norm(misfit) < 0.02 * np.linalg.norm(start)
    clean = convolve(box, dipole)
    unweighted = fit(clean, np.ones_like(clean), dipole, 0.1, 3, 'test')
    known = np.abs(dipole) > 0.1
    np.testing.assert_allclose(unweighted[known], fft.rfftn(box)[known], atol=1e-3)
    assert few.std() < many.std()


def test_fused_solution_equals_the_plain_one():
    random = np.random.default_rng(1)
    shape = (6, 8, 5)
    grid = Grid((6, 8, 8), (1.0, 0.7, 2.0))
    known, pull = (
        (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)
        for _ in range(2)
    )
    trust = (random.random(shape) > 0.4).astype(np.float32)
    edges = edge_spectra(grid)
    whole = edges[:6, None, None] + edges[6:14, None] + edges[14:]
    out = np.empty_like(known)
    solve_known(known, trust, pull, edges, np.float32(0.3), out)
    whole[0, 0, 0] = 1
    plain = (known + 0.3 * pull) / (trust + 0.3 * whole)
    plain[0, 0, 0] = 0
    np.testing.assert_allclose(out, plain, rtol=1e-4, atol=1e-5)


def filling_of(given, trust, weight, *, rho):
    """The iteration that fills the gaps of a spectrum with the least total variation."""
    penalty = TotalVariation(GRID, np.ones(GRID.shape, bool), (weight, weight), rho=rho)
    return Admm(KnownSpectrum(given, trust), penalty)


def test_filling_finds_a_minimum_of_its_cost(box):
    trust = (np.abs(dipole_kernel(GRID)) > 0.15).astype(np.float32)
    random = np.random.default_rng(2)
    given = fft.rfftn(box + random.normal(0, 0.01, GRID.shape).astype(np.float32))
    filling = filling_of(given, trust, 5e-3, rho=0.3)
    for _ in range(400):
        filling.step()

    def cost(chi):
        off = fft.irfftn((fft.rfftn(chi) - given) * trust, s=GRID.shape)
        slopes = np.sqrt((gradient(chi, GRID.voxel_size).astype(float) ** 2).sum(axis=0))
        return 0.5 * np.sum(off.astype(float) ** 2) + 5e-3 * slopes.sum()

    best = cost(filling.chi)
    assert best < cost(box)
    for seed in range(8):
        nudge = np.random.default_rng(seed).standard_normal(GRID.shape, dtype=np.float32)
        if seed % 2:
            nudge = convolve(nudge, np.exp(-200 * sum(k**2 for k in GRID.frequencies())))
        nudge -= nudge.mean()
        for size in (1e-4, -1e-4, 2e-3, -2e-3):
            assert cost(filling.chi + np.float32(size / nudge.std()) * nudge) > best * (1 - 2e-6)


def test_the_cone_is_filled_from_the_rest(box):
    """A box is found although a fifth of its spectrum was taken out."""
    trust = (np.abs(dipole_kernel(GRID)) > 0.12).astype(np.float32)
    given = fft.rfftn(box) * trust
    filling = filling_of(given, trust, 1e-5, rho=1e-3)
    for _ in range(200):
        filling.step()
    everywhere = np.ones(GRID.shape, bool)
    assert error(fft.irfftn(given, s=GRID.shape), box, everywhere) > 0.3
    assert error(filling.chi, box, everywhere) < 0.05


def test_rts_weight_map_has_no_unit_and_leaves_chi_free_where_the_field_is_unknown():
    scene = make_scene(**SHAPES['odd, tilted'])
    known = np.ones_like(scene.mask)
    known[ball(scene.grid, (-7.0, 2.0, 1.0), 4.5) > 0] = False
    field = np.where(known, scene.local, np.float32(5))
    trust = known.astype(np.float32)
    chi = rts(field, scene.mask, scene.grid, weight_map=trust, steps=10)
    scaled = rts(field, scene.mask, scene.grid, weight_map=50 * trust, steps=10)
    np.testing.assert_allclose(scaled, chi, atol=1e-4)
    hidden = ball(scene.grid, (-7.0, 2.0, 1.0), 3) > 0
    around = (ball(scene.grid, (-7.0, 2.0, 1.0), 7) > 0) & known
    assert chi[hidden].mean() - chi[around].mean() > 0.05


def test_rts_threshold_and_weight_do_what_they_say():
    scene = make_scene()
    noisy = scene.local + np.random.default_rng(4).normal(0, 0.01, scene.local.shape).astype('f4')
    maps = [
        rts(noisy, scene.mask, scene.grid, weight=w, threshold=t)[scene.deep].std()
        for w, t in ((3e-5, 0.12), (3e-2, 0.12), (3e-5, 0.3))
    ]
    assert maps[1] < 0.7 * maps[0]
    assert maps[2] < 0.8 * maps[0]


def test_star_takes_off_the_field_of_strong_sources():
    """A bleed next to faint balls: with its field gone, the balls are a little nearer to the truth."""
    scene = make_scene(shape=(34, 36, 30))
    place = (-4.0, -1.0, -4.0)
    field = scene.local + field_of_sphere(scene.grid, place, 3, 3.0)
    away = scene.deep & (ball(scene.grid, place, 5) == 0)
    one, two = (
        star(field, scene.mask, scene.grid, weight=1e-3, strong=3, source_threshold=t)
        for t in (1e3, 0.5)
    )
    assert error(two, scene.chi, away) < 0.98 * error(one, scene.chi, away)


def test_star_weight_map_has_no_unit():
    scene = make_scene(shape=(28, 30, 26))
    trust = np.random.default_rng(5).uniform(0.5, 2, scene.mask.shape).astype(np.float32)
    chi = star(scene.local, scene.mask, scene.grid, weight_map=trust)
    scaled = star(scene.local, scene.mask, scene.grid, weight_map=50 * trust)
    np.testing.assert_allclose(scaled, chi, atol=1e-4)

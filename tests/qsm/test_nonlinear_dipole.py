"""Inversions whose data term knows turns and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import make_scene

from bidsqsm.qsm.dipole.fidelity import Phasors
from bidsqsm.qsm.dipole.l1 import l1
from bidsqsm.qsm.dipole.nltv import nltv
from bidsqsm.qsm.dipole.tv import tv

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


@pytest.mark.parametrize(('plain', 'scale'), [(False, 15), (False, 0.1), (True, 15), (True, 0)])
def test_split_of_the_field_is_the_best_of_all_values(plain, scale):
    """Of all z on a fine grid, none costs less than the one that the update finds."""
    shape, mu = (4, 5, 6), 20.0 if plain else 0.3
    random = np.random.default_rng(1)
    field = random.uniform(-0.2, 0.2, shape).astype(np.float32)
    weight = random.uniform(0.3, 1.5, shape).astype(np.float32)
    weight[0] = 0
    model = random.uniform(-0.3, 0.3, shape).astype(np.float32)
    data = Phasors(field, weight, mu, scale, plain=plain)
    pull, one = model.copy(), np.float32(1)
    data.update(pull, one)  # from v = 0: q is the model
    found = model - (model - pull) / 2
    z = np.linspace(-0.6, 0.6, 24001).reshape(-1, 1, 1, 1)

    def cost(z):
        r = 2 * np.abs(np.sin(scale * (z - field) / 2)) / scale if scale else np.abs(z - field)
        return (weight * r if plain else (weight * r) ** 2 / 2) + mu / 2 * (z - model) ** 2

    assert (cost(found.astype(float)) <= cost(z).min(axis=0) + 1e-6).all()
    np.testing.assert_array_equal(pull[0], model[0])  # nothing known, nothing pulled


def test_multiplier_of_the_field_split_adds_up():
    """With the same model again and again, z goes to the model and v to the slope of the data term."""
    field, model = np.full((2, 2, 2), 0.02, np.float32), np.full((2, 2, 2), 0.05, np.float32)
    data = Phasors(field, np.ones_like(field), 0.5, 15)
    for _ in range(40):
        pull = model.copy()
        data.update(pull, np.float32(1.5))
    np.testing.assert_allclose(data.total - data.multiplier, model, atol=1e-5)
    np.testing.assert_allclose(data.multiplier, np.sin(15 * 0.03) / 15 / -0.5 * -1, atol=1e-5)


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


@pytest.mark.parametrize('method', [nltv, l1], ids=lambda m: m.__name__)
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

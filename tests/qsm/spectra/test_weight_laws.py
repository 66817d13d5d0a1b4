"""Weights that follow the data: their scaling, and the data term with an error of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft, optimize

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.modelled_fields import ColouredField, DataTerm, SeveralFields
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.weight_laws import found_weights
from helpers.analytic_fields import make_scene

AUTOMATIC = [
    (step, method)
    for step in ('dipole', 'onestep')
    for method in STEPS[step].methods
    if any(p.automatic for p in method.parameters.values())
]
every_automatic = pytest.mark.parametrize(
    ('step', 'method'), AUTOMATIC, ids=[f'{s}-{m.name}' for s, m in AUTOMATIC]
)


@pytest.fixture(scope='module')
def noisy():
    scene = make_scene()
    random = np.random.default_rng(3)
    noise = 0.003 * random.standard_normal(scene.local.shape, np.float32)
    return scene, (scene.local + noise) * scene.mask, noise * scene.mask


def found_by(method, field, scene):
    data = {'magnitude': scene.mask.astype(np.float32)} if method.takes('magnitude') else {}
    short = {'max_iter': 2} if 'max_iter' in method.parameters else {}
    with found_weights() as found:
        method.function(field, scene.mask, scene.grid, **data, **short)
    return found


@every_automatic
def test_a_weight_grows_with_the_noise(step, method, noisy):
    scene, field, noise = noisy
    once, more = found_by(method, field, scene), found_by(method, field + 2 * noise, scene)
    assert once.keys() == more.keys()
    for name, value in once.items():
        assert more[name] > 1.3 * value, name


@every_automatic
def test_a_weight_has_the_unit_of_its_parameter(step, method, noisy):
    """In another unit of the field a weight in ppm mm scales with it, one without a unit stays."""
    scene, field, _ = noisy
    once, thrice = found_by(method, field, scene), found_by(method, 3 * field, scene)
    for name, value in once.items():
        has_ppm = 'in ppm mm' in method.parameters[name].help
        assert thrice[name] == pytest.approx((3 if has_ppm else 1) * value, rel=0.06), name


def test_a_finer_grid_asks_for_a_smaller_voxel_only(noisy):
    """The same voxels declared half as large: gradients per mm double, the weight halves."""
    scene, field, _ = noisy
    tv = STEPS['dipole']['tv']
    half = replace(scene.grid, voxel_size=tuple(d / 2 for d in scene.grid.voxel_size))
    found = {}
    for name, grid in (('whole', scene.grid), ('half', half)):
        spectra = field_spectra(field, scene.mask, grid)
        found[name] = spectra.mean_noise / spectra.gradient
    assert found['half'] == pytest.approx(found['whole'] / 2, rel=0.25)
    assert tv.parameters['weight'].automatic


def test_an_error_of_the_model_is_solved_for_as_by_another_minimiser():
    """1/2 |W (z - f)|^2 + 1/2 |C^-1/2 (z - D chi)|^2 + smooth variation, against L-BFGS on all unknowns."""
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.6, 0.8))
    random = np.random.default_rng(0)
    field = random.standard_normal(grid.shape).astype(np.float32)
    weight = (random.random(grid.shape) > 0.3).astype(np.float32)
    kx, ky, kz = grid.frequencies()
    error = (0.5 / (0.1 + np.sqrt(kx**2 + ky**2 + kz**2))).astype(np.float32)
    dipole, lam = dipole_kernel(grid), 0.05

    def solve(quadratic):
        penalty = TotalVariation(grid, np.ones(grid.shape, bool), (lam, lam), rho=2 * lam)
        admm = Admm(quadratic, penalty)
        for _ in range(3000):
            admm.step()
        return admm.chi

    one = solve(ColouredField(dipole, LeastSquares(field, weight, 0.3), error))
    several = solve(SeveralFields([DataTerm(dipole, LeastSquares(field, weight, 0.3), error)]))
    assert np.linalg.norm(one - several) < 2e-3 * np.linalg.norm(one)
    cost = Cost(grid, field, weight, dipole, error, lam)
    start = np.concatenate([one.ravel(), np.zeros(field.size)]).astype(float)
    best = optimize.minimize(
        cost, start, jac=True, method='L-BFGS-B', options={'maxiter': 20000, 'maxfun': 40000}
    )
    least = best.x[: field.size].reshape(grid.shape)
    assert np.linalg.norm(one - least + least.mean()) < 0.02 * np.linalg.norm(one)


class Cost:
    """The cost and its gradient, over chi and the square-root-scaled error, variation smoothed by 1e-4."""

    def __init__(self, grid, field, weight, dipole, error, lam):
        self.grid, self.field, self.weight = grid, field.astype(float), weight.astype(float)
        self.dipole, self.root, self.lam = dipole.astype(float), np.sqrt(error.astype(float)), lam

    def apply(self, image, spectrum):
        return fft.irfftn(fft.rfftn(image) * spectrum, s=self.grid.shape)

    def __call__(self, x):
        chi, scaled = (part.reshape(self.grid.shape) for part in np.split(x, 2))
        off = self.apply(chi, self.dipole) + self.apply(scaled, self.root) - self.field
        pull = self.weight**2 * off
        value = 0.5 * np.sum(self.weight**2 * off**2) + 0.5 * np.sum(scaled**2)
        variation, slope = cell_variation(chi)
        gradient = [
            self.apply(pull, self.dipole) + self.lam * slope,
            self.apply(pull, self.root) + scaled,
        ]
        return value + self.lam * variation, np.concatenate([g.ravel() for g in gradient])


def cell_variation(chi):
    """Sum over cells of the length of the gradient (mean square of four differences per axis)."""
    from bidsqsm.qsm.admm.total_variation import CELL_SHARE

    edges = [np.roll(chi, -1, axis) - chi for axis in range(3)]
    total = np.zeros_like(chi)
    for axis, edge in enumerate(edges):
        one, two = (a for a in range(3) if a != axis)
        square = edge**2
        square = square + np.roll(square, -1, one)
        total += (square + np.roll(square, -1, two)) / 4
    length = np.sqrt(total + 1e-8)
    slope = np.zeros_like(chi)
    for axis, edge in enumerate(edges):
        one, two = (a for a in range(3) if a != axis)
        share = 1 / length
        share = share + np.roll(share, 1, one)
        share = (share + np.roll(share, 1, two)) / 4
        flow = share * edge
        slope += np.roll(flow, 1, axis) - flow
    return CELL_SHARE * length.sum(), CELL_SHARE * slope

"""Total generalised variation: its operators, its step and what it does to a slope."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.admm.generalized_variation import GeneralizedVariation, step_spectra
from bidsqsm.qsm.admm.tgv_forward_kernels import (
    pull_bends,
    shrink_bends,
    shrink_slopes,
    solve_slopes,
)
from bidsqsm.qsm.dipole.nltgv import nltgv
from bidsqsm.qsm.dipole.nltv import nltv
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.operators import gradient, inverse
from helpers.analytic_fields import positions

GRID = Grid((7, 6, 8), (1.0, 0.7, 2.0), (0.6, 0.0, 0.8))
PER_MM = inverse(GRID.voxel_size)
EVERYWHERE = np.ones(GRID.shape, bool)
ONE = np.float32(1)


def noise(*parts, seed=0):
    return np.random.default_rng(seed).standard_normal((*parts, *GRID.shape), dtype=np.float32)


def bends(slopes):
    """Symmetric differences of the slopes, with a threshold that shrinks nothing."""
    out, share = np.zeros((6, *GRID.shape), np.float32), np.empty(GRID.shape, np.float32)
    shrink_bends(slopes, PER_MM, EVERYWHERE, np.full(2, 1e-20, np.float32), ONE, out, share)
    return out


def adjoint(parts):
    out = np.empty((3, *GRID.shape), np.float32)
    pull_bends(parts, np.ones(GRID.shape, np.float32), PER_MM, out)
    return out


def test_pull_of_the_bends_is_the_adjoint():
    w, p = noise(3), noise(6, seed=1)
    assert np.vdot(bends(w), p) == pytest.approx(np.vdot(w, adjoint(p)), rel=1e-4)


def test_bends_of_a_gradient_are_second_differences_and_of_a_turn_nothing():
    """On a paraboloid they are its curvatures; a field that turns about an axis does not bend."""
    x, y, z = (np.broadcast_to(p, GRID.shape).astype(np.float32) for p in positions(GRID))
    inner = (slice(None), slice(2, -2), slice(2, -2), slice(2, -2))
    curved = bends(gradient(x**2 + x * y - 3 * y * z, GRID.voxel_size))[inner]
    for part, value in zip(curved, (2, 0, 0, 2**0.5, 0, -3 * 2**0.5), strict=True):
        np.testing.assert_allclose(part, value, atol=1e-4)
    turning = bends(np.stack([-(y + 0.35), x + 0.5, 0 * z]))[inner]
    np.testing.assert_allclose(turning, 0, atol=1e-5)


def test_both_splits_shrink_as_the_plain_formulas_do():
    chi, w, threshold, relax = noise(), noise(3, seed=1), 0.8, 1.5
    thresholds = np.array([threshold, 9], np.float32)
    split, pull = noise(3, seed=2), np.empty((3, *GRID.shape), np.float32)
    bent, share = noise(6, seed=3), np.empty(GRID.shape, np.float32)
    expected = []
    for old, image in ((split, gradient(chi, GRID.voxel_size) - w), (bent, bends(w))):
        y = old * np.maximum(1 - threshold / np.linalg.norm(old, axis=0), 0)
        total = relax * image + (1 - relax) * y + (old - y)
        y = total * np.maximum(1 - threshold / np.linalg.norm(total, axis=0), 0)
        expected.append((total, 2 * y - total))
    r = np.float32(relax)
    shrink_slopes(chi, w, PER_MM, EVERYWHERE, thresholds, r, split, pull)
    shrink_bends(w, PER_MM, EVERYWHERE, thresholds, r, bent, share)
    for found, right in zip((split, pull, bent, share * bent), sum(expected, ()), strict=True):
        np.testing.assert_allclose(found, right, atol=2e-5)


def test_k_space_solves_the_equations_of_the_operators():
    """Put back through the differences on the grid, chi and w leave nothing of the equations."""
    mu, rho, nu = (np.float32(v) for v in (0.3, 0.05, 0.2))
    field, g, h = noise(), noise(3, seed=1), noise(6, seed=2)
    pulls = field, g, adjoint(h)
    spectra = [fft.rfftn(v, axes=(-3, -2, -1)) for v in pulls]
    d, out, slopes = dipole_kernel(GRID), np.empty_like(spectra[0]), np.empty_like(spectra[1])
    solve_slopes(*spectra, d, step_spectra(GRID), mu, rho, nu, False, out, slopes)
    chi = fft.irfftn(out, s=GRID.shape)
    w = fft.irfftn(slopes, s=GRID.shape, axes=(1, 2, 3))
    off = rho * (gradient(chi, GRID.voxel_size) - w - g)
    back = fft.irfftn(  # the adjoint of the gradient, by its spectrum
        sum(
            np.conj(e) * fft.rfftn(o)
            for e, o in zip(axes_of(step_spectra(GRID)), off, strict=True)
        ),
        s=GRID.shape,
    )
    first = convolve(mu * (convolve(chi, d) - field), d) + back
    second = nu * adjoint(bends(w) - h) - off
    assert np.abs(first - first.mean()).max() < 1e-4
    assert np.abs(second - second.mean(axis=(1, 2, 3), keepdims=True)).max() < 1e-4
    model = np.empty_like(out)
    solve_slopes(*spectra, d, step_spectra(GRID), mu, rho, nu, True, model, slopes)
    np.testing.assert_allclose(model, d * out, atol=1e-4)


@pytest.mark.parametrize('mixed', ['forward', 'backward'])
def test_each_discretisation_has_one_way_to_be_solved(mixed):
    """The other would take kernels that do not belong to its differences, and is refused."""
    penalty = GeneralizedVariation(GRID, EVERYWHERE, (1.0, 1.0), length=2.0, rho=1.0, mixed=mixed)
    if mixed == 'forward':
        with pytest.raises(ValueError, match="mixed='backward' alone"):
            penalty.curvature()
    else:
        d = dipole_kernel(GRID)
        out = np.empty(d.shape, np.complex64)
        with pytest.raises(ValueError, match="mixed='forward' alone"):
            penalty.solve(out, d, ONE, modelled=False, out=out)


def axes_of(steps):
    nx, ny, _ = GRID.shape
    return steps[:nx, None, None], steps[nx : nx + ny, None], steps[nx + ny :]


def test_a_slope_has_no_steps():
    """Of a cone in noise, the slope comes out evener than with total variation."""
    grid = Grid((36, 36, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    away = np.sqrt(sum(p**2 for p in positions(grid)))
    cone = np.maximum(0.2 - 0.2 * away / 12, 0).astype(np.float32)
    field = convolve(cone, dipole_kernel(grid))
    field += np.random.default_rng(0).normal(0, 0.004, grid.shape).astype(np.float32)
    flank = (away > 3) & (away < 10)
    same = {'weight': 2e-3, 'outside': 1.0, 'padding': 0}
    uneven = []
    for chi in (
        nltgv(field, np.ones(grid.shape, bool), grid, bend=2.0, **same),
        nltv(field, np.ones(grid.shape, bool), grid, **same),
    ):
        off = gradient(chi - cone, grid.voxel_size)[:, flank]
        uneven.append(np.sqrt((off**2).mean()))
    assert uneven[0] < 0.8 * uneven[1]

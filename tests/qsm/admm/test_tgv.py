"""Total generalised variation: its operators, its step and what it does to a slope."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from bidsqsm.qsm.admm.generalized_variation import GeneralizedVariation, step_spectra
from bidsqsm.qsm.admm.tgv_kernels import (
    face_codes,
    pull_bends,
    pull_slopes,
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
NONE = np.full(2, 1e-20, np.float32)  # thresholds that shrink nothing
ONE = np.float32(1)


def noise(*parts, seed=0):
    return np.random.default_rng(seed).standard_normal((*parts, *GRID.shape), dtype=np.float32)


def bends(slopes):
    """Symmetric differences of the slopes, with a threshold that shrinks nothing."""
    out, share = np.zeros((6, *GRID.shape), np.float32), np.empty(GRID.shape, np.float32)
    shrink_bends(slopes, PER_MM, face_codes(EVERYWHERE), NONE, ONE, out, share)
    return out


def adjoint(parts):
    out, share = np.empty((3, *GRID.shape), np.float32), np.ones(GRID.shape, np.float32)
    pull_bends(parts, share, face_codes(EVERYWHERE), NONE, PER_MM, out)
    return out


def sides(slopes):
    """Of each voxel, the slopes on both of its sides over the root of two, as the split has them."""
    parts = [np.stack([s, np.roll(s, 1, axis)]) for axis, s in enumerate(slopes)]
    return np.ascontiguousarray(np.moveaxis(np.concatenate(parts), 0, 2) / 2**0.5)


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


def shrunk(total, threshold, axis):
    size = np.linalg.norm(total, axis=axis, keepdims=True)
    return total * np.maximum(1 - threshold / np.maximum(size, 1e-12), 0)


def updated(old, image, threshold, relax, axis):
    """Sum and difference of a split and its multiplier after an update, by the plain formulas."""
    y = shrunk(old, threshold, axis)
    total = relax * image + (1 - relax) * y + (old - y)
    return total, 2 * shrunk(total, threshold, axis) - total


def test_the_split_of_both_sides_shrinks_as_the_plain_formulas_do():
    chi, w, relax = noise(), noise(3, seed=1), 1.5
    inside = noise(seed=5) > 0
    thresholds = np.array([0.8, 0.3], np.float32)
    where = np.where(inside, *thresholds)[:, :, None]
    split = np.ascontiguousarray(np.moveaxis(noise(6, seed=2), 0, 2))
    image = sides(gradient(chi, GRID.voxel_size) - w)
    total, back = updated(split, image, where, relax, 2)
    share, pull = np.empty(GRID.shape, np.float32), np.empty_like(w)
    shrink_slopes(chi, w, PER_MM, inside, thresholds, np.float32(relax), split, share)
    pull_slopes(split, share, pull)
    np.testing.assert_allclose(split, total, atol=2e-5)
    for axis in range(3):  # the adjoint of what puts slopes on both sides
        ahead, behind = back[:, :, 2 * axis], np.roll(back[:, :, 2 * axis + 1], -1, axis)
        np.testing.assert_allclose(pull[axis], (ahead + behind) / 2**0.5, atol=2e-5)


def test_second_differences_shrink_as_the_plain_formulas_do():
    """Those along the axes together, each mixed one by itself, where a corner of it is in the mask."""
    w, relax = noise(3, seed=1), 1.5
    inside = noise(seed=5) > 1
    thresholds = np.array([0.8, 0.3], np.float32)
    split = noise(6, seed=3)
    image, expected = bends(w), split.copy()
    where = np.where(inside, *thresholds)
    expected[:3], back = updated(split[:3], image[:3], where, relax, 0)
    backs = [*back]
    for part, axes in enumerate(((0, 1), (0, 2), (1, 2)), 3):
        corners = [np.roll(inside, steps, axes) for steps in ((0, 0), (-1, 0), (0, -1), (-1, -1))]
        where = np.where(np.any(corners, axis=0), *thresholds)
        total, back = updated(split[part][None], image[part], where, relax, 0)
        expected[part] = total[0]
        backs.append(back[0])
    share, codes = np.empty(GRID.shape, np.float32), face_codes(inside)
    shrink_bends(w, PER_MM, codes, thresholds, np.float32(relax), split, share)
    np.testing.assert_allclose(split, expected, atol=2e-5)
    out = np.empty_like(w)
    pull_bends(split, share, codes, thresholds, PER_MM, out)
    np.testing.assert_allclose(out, adjoint(np.stack(backs).astype(np.float32)), atol=5e-5)


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


def test_several_fields_are_solved_for_as_one_is():
    """What is tabulated for chi, with w following, is the pass that solves for both."""
    mu, d = np.float32(0.3), dipole_kernel(GRID)
    penalty = GeneralizedVariation(GRID, EVERYWHERE, (1.0, 1.0), length=2.0, rho=0.05)
    field, penalty.pull, penalty.bend_pull = (
        fft.rfftn(v, axes=(-3, -2, -1)) for v in (noise(), noise(3, seed=1), noise(3, seed=2))
    )
    once = np.empty_like(field)
    penalty.solve(field, d, mu, modelled=False, out=once)
    slopes = penalty.slope_spectra.copy()
    curvature = penalty.curvature() + mu * d**2
    curvature[0, 0, 0] = np.inf
    chi = ((penalty.right_side() + mu * d * field) / curvature).astype(np.complex64)
    penalty.follow(chi)
    np.testing.assert_allclose(chi, once, atol=1e-4 * np.abs(once).max())
    off = penalty.slope_spectra - slopes
    off[:, 0, 0, 0] = 0
    assert np.abs(off).max() < 1e-4 * np.abs(slopes).max()


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

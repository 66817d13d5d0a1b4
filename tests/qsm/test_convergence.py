"""Methods that claim to converge end where many more steps would, and where another minimiser ends."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import optimize

from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import simulate
from bidsqsm.qsm.admm.total_variation import CELL_SHARE
from bidsqsm.qsm.dipole.l1 import l1
from bidsqsm.qsm.dipole.medi import medi
from bidsqsm.qsm.dipole.ndi import ndi
from bidsqsm.qsm.dipole.nltv import nltv
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import dipole_kernel
from bidsqsm.qsm.phantom.sphere import make_sphere

#: Given here, so that other defaults change neither the cost nor this test.
WEIGHT = {
    'hd': 1.2e-4,
    'l1': 0.1,
    'medi': 1e-4,
    'medi0': 1e-4,
    'ndi': 2e-3,
    'nltgv': 1e-4,
    'nltv': 1.2e-4,
    'rts': 3e-3,
    'star': 2e-4,
    'tv': 2e-4,
    'qsip': 0.05,
    'sstgv': 1e-4,
    'sstv': 1e-4,
    'tgv': 2e-4,
    'wiener-tv': 1e-4,
    'ismv': None,
    'lbv': None,
}
CONVERGING = [
    (step, STEPS[step][name])
    for step in ('background', 'dipole', 'onestep')
    for name in (m.name for m in STEPS[step].methods)
    if name in WEIGHT
]
#: In closed form, a network, or with a number of steps that is part of the method.
WITHOUT = {'geometry', 'homodyne', 'sharp', 'vsharp', 'onnx', 'tikhonov', 'tkd', 'tsvd', 'wiener'}


@dataclass(frozen=True)
class Case:
    """What the methods take."""

    grid: Grid
    mask: Mask
    total: Volume
    local: Volume
    magnitude: Volume
    r2star: Volume
    trust: Volume


@functools.cache
def sphere_case() -> Case:
    sphere = make_sphere(chi=0.5)
    noise = 1e-3 * np.random.default_rng(1).standard_normal(sphere.mask.shape, dtype=np.float32)
    return Case(
        sphere.grid,
        sphere.mask,
        (sphere.total_field + noise) * sphere.mask,
        (sphere.local_field + noise) * sphere.mask,
        100 - 50 * sphere.chi,
        np.where(sphere.inside, 2, 20).astype(np.float32),
        sphere.mask.astype(np.float32),
    )


@functools.cache
def head_case() -> Case:
    """The middle of a head at 2 mm, with the field of the strong sources around it."""
    scan = simulate((2.0, 2.0, 2.0), shape=(36, 40, 32))
    head = scan.head
    strength = np.sqrt((scan.magnitude**2).sum(axis=0)).astype(np.float32)
    x, y, z = (np.linspace(-1, 1, n) for n in head.mask.shape)
    mask = head.mask & (x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < 0.9)
    trust = strength / np.median(strength[mask]) * mask
    noise = np.random.default_rng(0).standard_normal(mask.shape, dtype=np.float32)
    noise *= np.float32(1e-3) / np.maximum(trust, np.float32(0.1))
    local = field_of(head.chi * mask, mask, head.grid) + noise
    return Case(
        head.grid,
        mask,
        (head.total_field + noise) * mask,
        local * mask,
        strength,
        head.r2star,
        trust.astype(np.float32),
    )


def outcome(step, method, case, **settings):
    """What a method makes of a case, without the mean of the mask that is left, and that mask."""
    data = {'weight_map': case.trust, 'magnitude': case.magnitude, 'r2star': case.r2star}
    data = {name: value for name, value in data.items() if method.takes(name)}
    if WEIGHT[method.name] is not None:
        settings['weight'] = WEIGHT[method.name]
    field = case.local if step == 'dipole' else case.total
    found = method.function(field, case.mask, case.grid, **data, **settings)
    values, where = found if step == 'background' else (found, case.mask)
    return values[where] - values[where].mean()


@pytest.mark.parametrize('case', [sphere_case, head_case], ids=['sphere', 'head'])
@pytest.mark.parametrize(('step', 'method'), CONVERGING, ids=[m.name for _, m in CONVERGING])
def test_the_default_tolerance_is_near_the_limit(step, method, case):
    (tolerance,) = (name for name in method.parameters if name.endswith('tol'))
    found = outcome(step, method, case())
    limit = outcome(step, method, case(), **{tolerance: 1e-6, 'max_iter': 1500})
    assert np.linalg.norm(found - limit) < 0.02 * np.linalg.norm(limit)


def test_every_method_converges_or_says_how_it_stops():
    for step in ('background', 'dipole', 'onestep'):
        for method in STEPS[step].methods:
            early = 'early by design' in ' '.join((method.function.__doc__ or '').split())
            known = method.name in WEIGHT or method.name in WITHOUT
            assert known or early, f'{method.name} neither converges nor says how it stops'


# ---------------------------------------------------------------------------------------------
# another minimiser, L-BFGS in double precision, of costs written down once more and rounded a
# little at their kinks

TINY = Grid((16, 16, 16), (1.0, 1.2, 1.5), (0.3, -0.2, float(np.sqrt(0.87))))
SCALE = 15.0  # rad/ppm
KERNEL = dipole_kernel(TINY).astype(float)


def modelled(chi):
    return np.fft.irfftn(KERNEL * np.fft.rfftn(chi), s=chi.shape, axes=(0, 1, 2))


def slopes(chi):
    return [(np.roll(chi, -1, a) - chi) / d for a, d in enumerate(TINY.voxel_size)]


def pulled(parts):
    """Adjoint of the slopes."""
    return sum(
        (np.roll(part, 1, a) - part) / d
        for a, (part, d) in enumerate(zip(parts, TINY.voxel_size, strict=True))
    )


def rounded(squares, width):
    """A root that is round at zero, and its derivative by the square, twice."""
    root = np.sqrt(squares + width**2)
    return root, 1 / root


def corners(values, axis, shift):
    """Mean over the four neighbours of a cell (-1) or of a difference (1), across an axis."""
    for other in (a for a in range(3) if a != axis):
        values = (values + np.roll(values, shift, other)) / 2
    return values


def total_variation(chi, weight, *, by_axis=False):
    parts = slopes(chi)
    if by_axis:
        lengths = [rounded(part**2, 1e-5) for part in parts]
        value = sum(root.sum() for root, _ in lengths)
        pull = pulled([part * rate for part, (_, rate) in zip(parts, lengths, strict=True)])
    else:
        # in a cell, the mean square of its four differences along each axis
        squares = sum(corners(part**2, axis, -1) for axis, part in enumerate(parts))
        root, rate = rounded(squares, 1e-5)
        value = CELL_SHARE * root.sum()
        pull = CELL_SHARE * pulled(
            [part * corners(rate, axis, 1) for axis, part in enumerate(parts)]
        )
    return weight * value, weight * pull


def linear(off, trust):
    return 0.5 * np.sum(trust**2 * off**2), trust**2 * off


def turning(off, trust):
    value = np.sum(trust**2 * (1 - np.cos(SCALE * off))) / SCALE**2
    return value, trust**2 * np.sin(SCALE * off) / SCALE


def plain(off, trust):
    half = SCALE / 2 * off
    root, rate = rounded((np.sin(half) * 2 / SCALE) ** 2, 1e-6)
    return np.sum(trust * root), trust * rate * np.sin(2 * half) / SCALE


def least(field, trust, data, penalty):
    """The map of least cost, from zero."""

    def cost(flat):
        chi = flat.reshape(TINY.shape)
        value, slope = data(modelled(chi) - field, trust)
        more, pull = penalty(chi)
        return (value + more) * 1e4, (modelled(slope) + pull).ravel() * 1e4

    options = {'maxiter': 6000, 'maxfun': 8000, 'ftol': 1e-14, 'gtol': 1e-9, 'maxcor': 30}
    found = optimize.minimize(
        cost, np.zeros(field.size), jac=True, method='L-BFGS-B', options=options
    )
    return found.x.reshape(TINY.shape)


COSTS = {
    'tv': (tv, 1e-3, linear, total_variation, {'outside': 1.0}),
    'nltv': (nltv, 1e-3, turning, total_variation, {'outside': 1.0}),
    'l1': (l1, 0.3, plain, total_variation, {'outside': 1.0}),
    'medi': (
        medi,
        1e-3,
        turning,
        functools.partial(total_variation, by_axis=True),
        {'outside': 1.0, 'edges': 0.0, 'outlier': 999.0},
    ),
    'ndi': (
        ndi,
        2e-2,
        turning,
        lambda chi, weight: (weight / 2 * np.sum(chi**2), weight * chi),
        {},
    ),
}


@pytest.mark.parametrize('name', COSTS)
def test_another_minimiser_finds_the_same_map(name):
    method, weight, data, penalty, settings = COSTS[name]
    random = np.random.default_rng(2)
    truth = np.zeros(TINY.shape)
    truth[4:10, 5:11, 6:10] = 0.1
    truth[10:13, 3:6, 3:6] = -0.05
    noise = 2e-3 * random.standard_normal(TINY.shape)
    field = (modelled(truth) + noise).astype(np.float32)
    trust = random.uniform(0.5, 1.5, TINY.shape).astype(np.float32)
    trust /= trust.mean()
    expected = least(field, trust, data, lambda chi: penalty(chi, weight))
    if method is medi:
        settings = {**settings, 'magnitude': np.ones(TINY.shape, np.float32)}
    found = method(
        field,
        np.ones(TINY.shape, bool),
        TINY,
        weight_map=trust,
        weight=weight,
        padding=0.0,
        **settings,
    )
    away = (found - found.mean()) - (expected - expected.mean())
    assert np.linalg.norm(away) < 0.02 * np.linalg.norm(expected - expected.mean())

"""Sources that share a voxel are told apart by what they do to the field and to the decay."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.demo.simulate import head_pose, subject_anatomy
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.metrics import xsim
from bidsqsm.qsm.operators import inverse
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LABELS
from bidsqsm.qsm.phantom.source_split import sources_of
from bidsqsm.qsm.separation.closed import closed
from bidsqsm.qsm.separation.iterative import iterative
from bidsqsm.qsm.separation.roughness import add_roughness
from bidsqsm.qsm.window import Window


@pytest.fixture(scope='module')
def truth(small_head):
    """Sources of the small head."""
    anatomy = subject_anatomy(Subject(), small_head.head.grid.voxel_size)
    return sources_of(small_head.head, anatomy, Subject(), pose=head_pose())


@pytest.fixture
def mixture(phantom):
    """Sources of both signs in one ball of tissue, with their R2' for unequal relaxivities."""
    inside = phantom.mask.astype(np.float32)
    positive = (np.maximum(phantom.chi, 0) + 0.02) * inside
    negative = (np.maximum(-phantom.chi, 0) + 0.02) * inside
    return positive, negative, (120 * positive + 180 * negative).astype(np.float32)


UNEQUAL = {'paramagnetic': 120.0, 'diamagnetic': 180.0}


def test_the_parts_of_the_head_add_up_to_its_maps(small_head, truth):
    head = small_head.head
    np.testing.assert_allclose(truth.paramagnetic + truth.diamagnetic, head.chi, atol=1e-7)
    np.testing.assert_allclose(truth.r2prime + truth.r2, head.r2star, rtol=1e-6)
    assert truth.paramagnetic.min() == 0 == truth.diamagnetic.max()
    assert truth.r2prime.min() >= 0
    mean = {
        name: [1000 * part[head.labels == value].mean() for part in truth[:2]]
        for value, name in LABELS.items()
        if value < 25
    }
    assert mean['left_pallidum'][0] > 100
    assert 8 < -mean['left_pallidum'][1] < 25
    assert -mean['white_matter'][1] > 2 * mean['white_matter'][0] > 15
    assert mean['gray_matter'][0] > -mean['gray_matter'][1] > 5
    assert mean['calcification'][0] < 0.02 * -mean['calcification'][1]
    assert mean['vein'][0] > 20 * -mean['vein'][1]


@pytest.mark.parametrize('method', ['closed', 'iterative'])
def test_true_maps_give_the_sources_of_a_head(method, small_head, truth):
    head = small_head.head
    given = (head.chi, truth.r2prime, head.mask, head.grid, 3.0)
    if method == 'closed':
        found = closed(*given)
    else:
        found = iterative(*given, local_field=head.local_field)
    assert xsim(found.paramagnetic, truth.paramagnetic, head.mask) > 0.88
    assert xsim(found.diamagnetic, truth.diamagnetic, head.mask) > 0.90


@pytest.mark.parametrize('field_strength', [3.0, 7.0])
def test_the_closed_form_solves_both_equations(mixture, phantom, field_strength):
    positive, negative, r2prime = mixture
    rate = r2prime * np.float32(field_strength / 3)
    chi = positive - negative
    found = closed(chi, rate, phantom.mask, phantom.grid, field_strength, **UNEQUAL)
    np.testing.assert_allclose(found.paramagnetic, positive, atol=1e-6)
    np.testing.assert_allclose(found.diamagnetic, -negative, atol=1e-6)


def test_susceptibility_beyond_the_rate_is_one_kind_of_source(phantom):
    """Without R2' there are no mixtures, and the sum is the map still."""
    nothing = np.zeros(phantom.mask.shape, np.float32)
    nothing[24, 24, 20], nothing[25, 24, 20] = np.nan, -5
    chi = phantom.chi.astype(np.float32)
    found = closed(chi, nothing, phantom.mask, phantom.grid, 3.0)
    np.testing.assert_array_equal(found.paramagnetic, np.maximum(chi, 0))
    np.testing.assert_array_equal(found.diamagnetic, np.minimum(chi, 0))


def test_r2star_stands_in_for_r2prime_by_its_ratio(mixture, phantom):
    positive, negative, r2prime = mixture
    given = (phantom.mask, phantom.grid, 3.0)
    true = closed(positive - negative, r2prime, *given)
    pseudo = closed(positive - negative, None, *given, r2star=2.5 * r2prime, ratio=2.5)
    np.testing.assert_allclose(pseudo.paramagnetic, true.paramagnetic, atol=1e-6)
    with pytest.raises(ValueError, match='found neither: fit R2'):
        closed(positive - negative, None, *given)


def objective(parts, chi, field, r2prime, phantom, *, r2prime_weight, anchor, smoothing, edge):
    """What the docstring of the iteration says it minimises, in float64."""
    positive, negative = parts
    mask = phantom.mask
    window = Window.around(mask, phantom.grid, 20.0)
    source = window.cut((positive - negative - chi[mask].mean()) * mask).astype(float)
    made = window.restore(convolve(source, dipole_kernel(window.grid)))
    misfit = (made - field)[mask]
    rate = ((120 * positive + 180 * negative - r2prime) / 150)[mask]
    total = (misfit**2).sum() + r2prime_weight * (rate**2).sum()
    total += anchor * ((positive - negative - chi)[mask] ** 2).sum()
    rough = sum(roughness(part, mask, phantom.grid.voxel_size, edge) for part in parts)
    return total / 2 + smoothing * rough


def roughness(volume, mask, voxel_size, edge):
    square = np.zeros(mask.shape)
    for axis, size in enumerate(voxel_size):
        both = mask & np.roll(mask, -1, axis)
        both[tuple(slice(-1, None) if a == axis else slice(None) for a in range(3))] = False
        step = np.where(both, (np.roll(volume, -1, axis) - volume) / size, 0)
        square += (step**2 + np.roll(step, 1, axis) ** 2) / 2  # to the neighbours on both sides
    length = np.sqrt(square)
    return np.where(length > edge, length - edge / 2, square / (2 * edge))[mask].sum()


def test_the_iteration_comes_to_rest_at_the_least_of_its_terms(mixture, phantom):
    positive, negative, r2prime = mixture
    random = np.random.default_rng(0)
    noise = [random.normal(0, sd, phantom.mask.shape) * phantom.mask for sd in (2e-3, 5.0, 0.02)]
    field = (phantom.field * phantom.mask + noise[0]).astype(np.float32)
    rate = (r2prime + noise[1]).astype(np.float32)
    chi = (positive - negative + noise[2]).astype(np.float32)
    terms = {'r2prime_weight': 0.2, 'anchor': 0.3, 'smoothing': 3e-4, 'edge': 0.01}
    found = iterative(
        chi,
        rate,
        phantom.mask,
        phantom.grid,
        3.0,
        local_field=field,
        **UNEQUAL,
        **terms,
        tol=1e-5,
        max_iter=300,
    )
    parts = np.stack([found.paramagnetic, -found.diamagnetic]).astype(float)
    assert parts.min() == 0
    least = objective(parts, chi, field, rate, phantom, **terms)
    ways = [random.normal(0, 1, parts.shape) * phantom.mask for _ in range(4)]
    ways += [parts[:1] * [[[[1]]], [[[0]]]], parts[1:] * [[[[0]]], [[[1]]]]]
    ways += [np.stack([phantom.mask] * 2) * 1.0, np.stack([phantom.mask, -1.0 * phantom.mask])]
    for way in ways:
        for step in (-1e-3, 1e-3):
            other = np.maximum(parts + step * way / np.sqrt((way**2).mean()), 0)
            assert objective(other, chi, field, rate, phantom, **terms) > least


def test_the_field_mends_a_map_that_is_too_flat(mixture, phantom):
    positive, negative, r2prime = mixture
    flat = (0.6 * (positive - negative)).astype(np.float32)
    field = phantom.field.astype(np.float32) * phantom.mask
    given = (phantom.mask, phantom.grid, 3.0)
    terms = {**UNEQUAL, 'anchor': 0.1, 'smoothing': 0.0}
    found = iterative(flat, r2prime, *given, local_field=field, **terms)
    core = phantom.chi > 0.05
    total = (found.paramagnetic + found.diamagnetic)[core].mean()
    assert flat[core].mean() + 0.015 < total < 1.05 * (positive - negative)[core].mean()


def test_noise_of_the_rate_is_kept_down_by_the_iteration(small_head, truth):
    head = small_head.head
    noise = np.random.default_rng(1).normal(0, 3, head.mask.shape)
    rate = (np.maximum(truth.r2prime + noise, 0) * head.mask).astype(np.float32)
    given = (head.chi, rate, head.mask, head.grid, 3.0)
    plain, smooth = closed(*given), iterative(*given, local_field=head.local_field)
    for found, better, true in zip(plain, smooth, truth, strict=False):
        errors = [np.std((part - true)[head.mask]) for part in (found, better)]
        assert errors[1] < 0.85 * errors[0]


def test_roughness_is_pushed_down_its_own_gradient():
    random = np.random.default_rng(0)
    voxel_size = (1.0, 0.8, 2.0)
    mask = random.uniform(size=(7, 8, 6)) < 0.8
    maps = random.normal(0, 0.01, (2, *mask.shape)).astype(np.float32) * mask
    way = random.normal(0, 0.01, maps.shape) * mask
    slope = np.zeros_like(maps)
    add_roughness(maps, mask, inverse(voxel_size), np.float32(2), np.float32(0.012), slope)
    ends = [
        2 * sum(roughness(m.astype(float), mask, voxel_size, 0.012) for m in maps + s * way)
        for s in (-1e-4, 1e-4)
    ]
    assert (slope * way).sum() == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-3)

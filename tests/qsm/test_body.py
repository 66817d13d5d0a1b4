"""A body is known by its size, and its lengths are those of an adult's head times one scale."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.body import ADULT, BODIES, Body, measured_body, wanted_body
from bidsqsm.qsm.dipole.tv import tv
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.masking.brain import brain_mask, object_mask
from bidsqsm.qsm.masking.magnitude import magnitude as magnitude_mask
from bidsqsm.qsm.phantom.sphere import make_sphere
from bidsqsm.qsm.phase.filter_check import is_filtered
from bidsqsm.qsm.quality.measure import alarms, in_lengths_of
from bidsqsm.qsm.registration.body_lengths import between_files, scaled_affine
from bidsqsm.qsm.registration.greedy import affine as register_affine
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.spectra.field_spectra import field_spectra
from bidsqsm.qsm.spectra.spectra_table import SpectraTable

TIMES = (0.004, 0.010, 0.016)


def ellipsoid(shape, voxel, lengths, centre=(0.5, 0.5, 0.5)):
    """Signal of 100 in an ellipsoid of these lengths (mm), noise of 1 around it."""
    places = np.indices(shape).astype(float)
    radius = sum(
        ((places[a] - centre[a] * (shape[a] - 1)) * voxel / (lengths[a] / 2)) ** 2
        for a in range(3)
    )
    noise = np.abs(np.random.default_rng(3).normal(0, 1, shape))
    return np.where(radius < 1, 100.0, noise).astype(np.float32)


HEAD = (155.0, 205.0, 200.0)


@pytest.mark.parametrize('scale', [1.0, 0.9, 0.8])
def test_heads_of_adults_and_children_are_adults(scale):
    lengths = tuple(scale * one for one in HEAD)
    assert measured_body(ellipsoid((64, 64, 64), 4.0, lengths), (4.0, 4.0, 4.0)) is ADULT


def test_a_brain_without_its_head_is_that_of_an_adult():
    image = ellipsoid((64, 64, 64), 3.0, (130.0, 165.0, 125.0))
    image[image < 50] = 0
    assert measured_body(image, (3.0, 3.0, 3.0)) is ADULT


@pytest.mark.parametrize(
    ('scale', 'name'), [(0.65, 'infant'), (0.3, 'small-animal'), (0.1, 'small-animal')]
)
@pytest.mark.parametrize('room', [1.1, 2.0])
def test_a_small_head_is_measured_whatever_the_field_of_view(scale, name, room):
    shape = tuple(int(room * length / 5) for length in HEAD)
    image = ellipsoid(shape, 5.0, HEAD, centre=(0.45, 0.5, 0.52))
    body = measured_body(image, (5 * scale,) * 3)
    assert (body.name, body.scale) == (name, pytest.approx(scale, rel=0.04))


def test_a_slab_is_as_large_as_its_head():
    newborn = ellipsoid((48, 52, 60), 2.6, tuple(0.65 * one for one in HEAD))
    whole, slab = (measured_body(image, (2.6,) * 3) for image in (newborn, newborn[:, :, 22:38]))
    assert whole.name == slab.name == 'infant'
    assert slab.scale == pytest.approx(whole.scale, rel=0.2)


def test_what_goes_on_beyond_the_image_is_of_no_known_size():
    assert measured_body(np.full((20, 20, 20), 50, np.float32), (1.0, 1.0, 1.0)) is ADULT
    assert measured_body(np.zeros((20, 20, 20), np.float32), (1.0, 1.0, 1.0)) is ADULT
    odd = ellipsoid((40, 40, 40), 0.5, (15.0, 15.0, 15.0))
    odd[0] = np.nan
    assert measured_body(odd, (0.5, 0.5, 0.5)).name == 'small-animal'


@pytest.mark.parametrize('name', BODIES)
def test_names_and_scales_are_read(name):
    assert wanted_body(f'{name}:0.5') == (name, 0.5)
    assert wanted_body(name) == (name, 1.0 if name == 'adult' else None)


@pytest.mark.parametrize('text', ['mouse', 'infant:', 'infant:x', 'none:0', 'auto:1', 'adult:nan'])
def test_other_words_are_refused(text):
    with pytest.raises(ValueError, match='expected auto, NAME or NAME:SCALE'):
        wanted_body(text)


@pytest.mark.parametrize('scale', [0.65, 0.1])
def test_a_scaled_object_has_the_same_map(scale):
    sphere = make_sphere(chi=0.1)
    size = tuple(scale * d for d in sphere.grid.voxel_size)
    grid = Grid.from_affine(sphere.mask.shape, np.diag([*size, 1.0]), scale)
    assert grid.body_voxel_size == pytest.approx(size)
    assert grid == Grid(grid.shape, size).of_body(scale)
    maps = []
    for one in (sphere.grid, grid):
        local, mask = vsharp(sphere.total_field, sphere.mask, one)
        maps.append(tv(local, mask, one))
    assert np.allclose(*maps, atol=1e-4)
    # and one that is not scaled has another
    local, mask = vsharp(sphere.total_field, sphere.mask, Grid(grid.shape, size))
    assert not np.allclose(maps[0], tv(local, mask, Grid(grid.shape, size)), atol=1e-3)


def test_a_small_head_is_not_accused_of_a_filter_and_lengths_are_its_own():
    # a field that changes over a head, and noise of the size of voxels
    x, y, z = np.indices((40, 40, 40)) - 19.5
    mask = x**2 + y**2 + z**2 < 17**2
    field = 12 * np.exp(-((x - 8) ** 2 + y**2 + (z + 9) ** 2) / 90)
    noise = np.random.default_rng(0).normal(0, 0.2, (2, *mask.shape))
    phase = np.angle(np.exp(1j * (field * np.array([0.5, 1])[:, None, None, None] + noise)))
    phase = phase.astype(np.float32)
    magnitude = np.repeat(mask[None].astype(np.float32), 2, axis=0)
    small = Grid(mask.shape, (0.4, 0.4, 0.4))
    found, said = is_filtered(phase, magnitude, mask, TIMES[:2], small.of_body(0.1))
    assert not found
    assert 'beyond 1 mm' in said
    assert is_filtered(phase, magnitude, mask, TIMES[:2], small)[0]


def test_an_object_without_a_skull_is_taken_whole():
    # muscle around a bone without signal, in a rim of fat that touches it along one line
    x, y, _ = np.indices((48, 48, 40)) - 23.5
    radius = np.hypot(x, y)
    limb = np.where((radius < 15) & (radius > 7), 60.0, 0)
    limb += np.where((radius >= 20) & (radius < 22), 90.0, 0)
    limb += np.where((radius >= 15) & (radius < 20) & (x > 0) & (np.abs(y) < 1), 80.0, 0)
    noise = np.abs(np.random.default_rng(1).normal(0, 1, limb.shape))
    image = (limb + noise).astype(np.float32)
    grid = Grid(image.shape, (3.0, 3.0, 3.0))
    whole = object_mask(image, grid.voxel_size)
    assert np.mean(whole[limb > 0]) > 0.97
    assert np.mean(brain_mask(image, grid.voxel_size)[limb > 0]) < 0.1
    assert (magnitude_mask(image[None], grid, Body('none')).brain == whole).all()


def test_metrics_are_in_mm_of_the_object():
    mouse = Body('small-animal', 0.1)
    values = {'mask_volume': 500.0, 'field_gradient': 2.0, 'fit_residual': 0.1}
    found = in_lengths_of(mouse, values)
    assert found == pytest.approx(
        {'mask_volume': 0.5, 'field_gradient': 20.0, 'fit_residual': 0.1}
    )
    assert in_lengths_of(ADULT, values) == values


def test_alarms_about_veins_are_not_raised_of_phantoms():
    values = {'chi_r2star_correlation': -0.4}
    assert alarms(values, Body('infant', 0.6))
    assert not alarms(values, Body('none'))


def test_spectra_are_told_in_mm_of_the_object_and_read_on_either_grid():
    sphere = make_sphere(chi=0.1)
    table = SpectraTable.of(field_spectra(sphere.local_field, sphere.mask, sphere.grid))
    size = tuple(0.1 * d for d in sphere.grid.voxel_size)
    true = Grid(sphere.grid.shape, size)
    scaled = true.of_body(0.1)
    small = SpectraTable.of(field_spectra(sphere.local_field, sphere.mask, scaled))
    assert np.allclose(np.array(small.frequency) / 10, table.frequency, rtol=0.01)
    ours, theirs = small.spectra(scaled), small.spectra(true)
    assert ours.mean_noise == pytest.approx(theirs.mean_noise, rel=0.01)


def test_transforms_of_small_heads_are_between_the_worlds_of_the_files():
    sphere = make_sphere(radius=16.0, shape=(32, 32, 32))
    image = 1 + sphere.chi
    template = np.diag([0.2, 0.2, 0.2, 1.0])
    moved = template.copy()
    moved[0, 3] = 0.6  # mm to the right
    heads = [HeadImage(image, sphere.mask, scaled_affine(one, 10.0)) for one in (moved, template)]
    adult = register_affine(*heads)
    found = between_files(adult, 0.1, template, heads[1].affine)
    for point in [(-3.2, -3.2, 3.2), (1.0, 2.0, -1.0)]:  # LPS, in mm
        there = np.array(found.to_head.TransformPoint(point))
        large = adult.to_head.TransformPoint([10 * one for one in point])
        assert there == pytest.approx(np.array(large) / 10)
        assert there - point == pytest.approx([-0.6, 0, 0], abs=0.15)
        assert found.to_template.TransformPoint(there.tolist()) == pytest.approx(point, abs=0.02)

"""Registration: points go where the anatomy went, in world coordinates, whatever the grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.mask_overlap import dice
from bidsqsm.qsm.registration.contrast import without_bias
from bidsqsm.qsm.registration.head_image import HeadImage
from bidsqsm.qsm.registration.inverse import inverted
from bidsqsm.qsm.registration.itk import affine_transform, chain, points_through, to_image
from bidsqsm.qsm.registration.rigid import register_rigid
from bidsqsm.qsm.resampling import carry_map, carry_mask, places_of, resample_through

#: Left-handed, oblique, voxels of three sizes
SIZES = (3.0, 2.8, 3.4)
_A, _B = np.radians(12), np.radians(-8)
_ABOUT_X = np.array([[1, 0, 0], [0, np.cos(_A), -np.sin(_A)], [0, np.sin(_A), np.cos(_A)]])
_ABOUT_Z = np.array([[np.cos(_B), -np.sin(_B), 0], [np.sin(_B), np.cos(_B), 0], [0, 0, 1]])
SHAPE = (46, 56, 40)
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = _ABOUT_X @ _ABOUT_Z @ np.diag([-1, 1, 1]) * SIZES
OBLIQUE[:3, 3] = (-4, 5, 0) - OBLIQUE[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
#: A turn and a shift that is another along each axis
_T = np.radians(14)
MOTION = np.array(
    [[np.cos(_T), -np.sin(_T), 0, 5], [np.sin(_T), np.cos(_T), 0, -9], [0, 0, 1, 3], [0, 0, 0, 1]]
)


def world(shape, affine):
    """World coordinates (nx, ny, nz, 3) of the voxels of a grid."""
    return np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]


def through(matrix, points):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def brain(points):
    """Whether points lie in a made-up brain, which no turn or flip leaves alone."""
    x, y, z = np.moveaxis(np.asarray(points), -1, 0)
    return (x / 48) ** 2 + (y / 60) ** 2 + ((z + 0.1 * y) / 42) ** 2 < 1 - 0.004 * x


def tissue(points):
    """Brightness of the made-up brain: smooth blobs."""
    random = np.random.default_rng(4)
    found = np.full(points.shape[:-1], 0.5)
    axes = np.moveaxis(points, -1, 0)
    for _ in range(200):
        middle, size = random.uniform((-55, -65, -48), (55, 65, 48)), random.uniform(5, 9)
        far = sum((x - place) ** 2 for x, place in zip(axes, middle, strict=True))
        found += random.choice((-0.2, 0.3)) * np.exp(-far / (2 * size**2))
    return np.clip(found, 0.1, None) * brain(points)


def bent(points):
    """A smooth warp of some mm on top of a motion and a scaling: head to template."""
    x, y, z = np.moveaxis(np.asarray(points), -1, 0)
    push = np.stack(
        [3 * np.sin(y / 22), 3 * np.cos(z / 20), 2.5 * np.sin(x / 24 + y / 40)], axis=-1
    )
    small = np.diag([1.06, 0.95, 1.02, 1]) @ MOTION
    return through(small, points) + push


def head_of(way, shape, affine):
    points = way(world(shape, affine))
    return HeadImage(tissue(points).astype(np.float32), brain(points), affine)


def straight(size, extent):
    """A grid without turns around the origin."""
    shape = tuple(int(n // size) for n in extent)
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = -size * (np.array(shape) - 1) / 2
    return shape, affine


@pytest.fixture(scope='module')
def template():
    return head_of(lambda points: points, *straight(3.0, (124, 148, 112)))


@pytest.fixture(scope='module')
def head():
    return head_of(bent, SHAPE, OBLIQUE)


def inside(head, share=0.8):
    """World points well inside a head's brain."""
    points = world(head.mask.shape, head.affine)[head.mask]
    middle = points.mean(0)
    shrunk = middle + share * (points - middle)
    return shrunk[:: max(1, len(shrunk) // 800)]


def errors(found, head, way=bent):
    """Distances (mm) of places in the template from where they should be."""
    points = inside(head)
    return np.linalg.norm(points_through(found.to_template, points) - way(points), axis=1)


def test_a_matrix_moves_points_in_world_coordinates_and_a_chain_goes_from_first_to_last():
    points = np.array([[10.0, 20, 30], [-40, 5, -6]])
    one, two = affine_transform(MOTION), affine_transform(np.diag([1.1, 0.9, 1.0, 1.0]))
    np.testing.assert_allclose(points_through(one, points), through(MOTION, points))
    expected = through(MOTION, points) * (1.1, 0.9, 1.0)
    np.testing.assert_allclose(points_through(chain([one, two]), points), expected)


def wave(points):
    return np.sin(points @ (1 / 16, 1 / 21, -1 / 18))


def test_a_volume_is_sampled_where_the_transform_leads():
    volume = wave(world(SHAPE, OBLIQUE)).astype(np.float32)
    shape, onto = straight(4.0, (40, 48, 44))
    found = resample_through(volume, OBLIQUE, affine_transform(MOTION), shape, onto, 'smooth')
    assert found.shape == shape
    assert np.abs(found - wave(through(MOTION, world(shape, onto)))).max() < 0.05


def test_a_map_is_carried_as_it_was_and_what_lies_beyond_its_mask_does_not_leak():
    points = world(SHAPE, OBLIQUE)
    mask = np.linalg.norm(points - (5, -9, 3), axis=-1) < 40
    volume = np.where(mask, wave(points), 99).astype(np.float32)
    (shape, onto), way = straight(2.9, (110, 110, 90)), affine_transform(MOTION)
    inside = carry_mask(mask, OBLIQUE, way, shape, onto)
    places = places_of(inside, onto, way, OBLIQUE)
    found = carry_map(volume, mask, places, inside, 1.0)
    expected = through(MOTION, world(shape, onto))
    assert not found[~inside].any()
    wrong = np.abs(found - wave(expected))
    deep = np.linalg.norm(expected - (5, -9, 3), axis=-1) < 30
    assert deep.sum() > 2000
    assert inside[deep].all()
    assert wrong[deep].max() < 0.006
    assert wrong[inside].max() < 0.3


def test_labels_keep_their_values_their_type_and_their_place():
    places = {7: (20, -10, 12), 1003: (-18, 14, 3)}
    points, labels = world(SHAPE, OBLIQUE), np.zeros(SHAPE, np.int32)
    for value, place in places.items():
        labels[np.linalg.norm(points - place, axis=-1) < 11] = value
    shape, onto = straight(2.5, (110, 110, 90))
    found = resample_through(labels, OBLIQUE, affine_transform(MOTION), shape, onto, 'labels')
    assert found.dtype == np.int32
    assert set(np.unique(found)) == {0, *places}
    for value, place in places.items():
        middle = world(shape, onto)[found == value].mean(0)
        np.testing.assert_allclose(through(MOTION, middle), place, atol=0.6)


def test_beyond_the_image_nothing_is_made_up(template):
    far = np.eye(4)
    far[:3, 3] = 500
    args = template.affine, affine_transform(far), template.mask.shape, template.affine
    assert not resample_through(template.image, *args).any()
    assert not carry_mask(template.mask, *args).any()


def test_a_head_that_moved_is_found_again(template):
    turned = head_of(lambda points: through(MOTION, points), SHAPE, OBLIQUE)
    motion = register_rigid(
        turned.image, template.image, turned.mask, template.mask, turned.affine, template.affine
    )
    points = inside(turned)
    assert np.linalg.norm(through(motion, points) - through(MOTION, points), axis=1).max() < 0.8


@pytest.mark.parametrize(('method', 'mean', 'worst'), [('affine', 1.6, 4.0), ('greedy', 0.7, 2.0)])
def test_places_are_found_in_the_template_and_back(method, mean, worst, head, template):
    found = STEPS['registration'].choose(method)(head, template)
    wrong = errors(found, head)
    assert wrong.mean() < mean
    assert wrong.max() < worst
    points = inside(head)
    back = points_through(found.to_head, points_through(found.to_template, points))
    assert np.linalg.norm(back - points, axis=1).max() < 0.5
    carried = carry_mask(
        template.mask, template.affine, found.to_template, head.mask.shape, head.affine
    )
    assert dice(carried, head.mask) > (0.97 if method == 'greedy' else 0.94)
    assert found.folded == 0
    assert found.jacobian[0] > 0


def halves(head, way):
    """The head with the left of its brain flat, and that left as a further contrast, negative."""
    left = way(world(head.mask.shape, head.affine))[..., 0] < 0
    blobs = np.where(left & head.mask, -0.1 * head.image, 0).astype(np.float32)
    return replace(head, image=np.where(left, 0.5 * head.mask, head.image), further=(blobs,))


def test_a_further_contrast_leads_where_the_image_is_flat(head, template):
    parted = halves(head, bent), halves(template, lambda points: points)
    points = inside(head)
    places = bent(points)
    wrong = {}
    for weight in (0, 0.5):
        found = STEPS['registration'].choose(f'greedy:contrast_weight={weight}')(*parted)
        far = np.linalg.norm(points_through(found.to_template, points) - places, axis=1)
        wrong[weight] = far[places[:, 0] < -10].mean()
    assert wrong[0] > 1.5  # or there would be nothing to gain
    assert wrong[0.5] < 0.7 * wrong[0]


def test_threads_change_no_bit(head, template):
    register = STEPS['registration'].choose('greedy')
    head, template = halves(head, bent), halves(template, lambda points: points)
    one, two = (register(head, template, num_threads=n) for n in (1, 2))
    points = inside(head)
    for way in ('to_head', 'to_template'):
        ends = [points_through(getattr(found, way), points) for found in (one, two)]
        np.testing.assert_array_equal(*ends)
    assert one.jacobian == two.jacobian


def test_a_slab_is_found_in_a_whole_template(template):
    shape, onto = straight(3.0, (124, 148, 56))
    onto[2, 3] += 14
    slab = head_of(bent, shape, onto)
    found = STEPS['registration'].choose('greedy')(slab, template)
    wrong = errors(found, slab)
    assert np.median(wrong) < 1.2
    assert wrong.mean() < 2
    assert found.folded < 1e-3


def test_the_inverse_of_a_warp_undoes_it():
    shape, onto = straight(8.0, (176, 192, 176))
    points = world(shape, onto)
    shift = (bent(points) - points) * (-1, -1, 1)
    lattice = to_image(np.zeros(shape, np.uint8), onto)
    field = SimpleITK.GetImageFromArray(np.ascontiguousarray(shift.transpose(2, 1, 0, 3)), True)
    field.CopyInformation(lattice)
    warp = SimpleITK.DisplacementFieldTransform(field)
    # looked at on a grid that is turned against the warp's own
    box = OBLIQUE.copy()
    box[:3, 3] = world(SHAPE, OBLIQUE)[10, 16, 8]
    back = inverted(warp, (24, 24, 24), box, onto)
    some = world((24, 24, 24), box)[6:-6:2, 6:-6:2, 6:-6:2].reshape(-1, 3)
    moved = points_through(warp, some)
    assert np.linalg.norm(moved - some, axis=1).min() > 1
    assert np.linalg.norm(points_through(back, moved) - some, axis=1).max() < 0.1


def test_bias_is_divided_out(template):
    x, y, z = np.moveaxis(world(template.mask.shape, template.affine), -1, 0)
    bias = np.exp(0.008 * x - 0.006 * y + 5e-5 * z**2)
    uneven = (800 * template.image * bias).astype(np.float32)
    even = without_bias(uneven, template.mask, template.affine)

    def spread(volume):
        ratio = np.log(volume[template.mask] / template.image[template.mask])
        return ratio.std()

    assert spread(uneven) > 0.2
    assert spread(even) < 0.4 * spread(uneven)
    assert 0.9 < np.percentile(even[template.mask], 99) < 1.1

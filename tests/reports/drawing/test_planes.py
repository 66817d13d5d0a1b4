"""Planes of a volume: left is left, voxels keep their shape, and grays run between the limits."""

from __future__ import annotations

from io import BytesIO

import nibabel as nb
import numpy as np
import pytest
from PIL import Image

from bidsqsm.reports.drawing import figure
from bidsqsm.reports.drawing.figure import Bar, Tile, draw
from bidsqsm.reports.drawing.planes import Volume, canonical, look_at
from bidsqsm.reports.drawing.run_images import robust_limits


@pytest.fixture(scope='module', autouse=True)
def _coarse():
    """Draw with few pixels: what is tested does not depend on how many there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, 'DPI', 60)
        yield


@pytest.mark.parametrize('flips', [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
def test_left_is_left_however_the_grid_runs(flips):
    """A mark at the right, front and top of the head appears at the left of the axial plane."""
    world = np.zeros((10, 12, 14), dtype=np.float32)
    world[8, 9, 11] = 1
    values = world[tuple(slice(None, None, flip) for flip in flips)]
    affine = np.diag([*flips, 1]).astype(float)
    volume = canonical(nb.Nifti1Image(values, affine))
    everything = (slice(None),) * 3
    axial = volume.plane('axial', 11, everything)
    row, column = np.argwhere(axial)[0]
    assert row < 6
    assert column < 5
    coronal = volume.plane('coronal', 9, everything)
    assert (np.argwhere(coronal)[0] < (7, 5)).all()
    sagittal = volume.plane('sagittal', 8, everything)
    assert (np.argwhere(sagittal)[0] < (7, 6)).all()


def test_axes_that_are_swapped_are_put_right():
    values = np.zeros((14, 10, 12), dtype=np.float32)
    values[11, 8, 9] = 1
    affine = np.array([[0, 1.0, 0, 0], [0, 0, 2.0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]])
    volume = canonical(nb.Nifti1Image(values, affine))
    assert volume.values[8, 9, 11] == 1
    assert volume.voxel_size == (1, 2, 3)
    assert volume.pixel('coronal') == (1, 3)


def test_planes_go_through_the_nuclei_and_not_the_middle_of_the_array():
    mask = np.zeros((200, 220, 180), dtype=np.float32)
    # a brain of the size of the MNI template, low and to the back of a big field of view
    mask[10:150, 5:183, 3:154] = 1
    look = look_at(Volume(mask, (1, 1, 1)))
    # MNI (18, -8, 0) seen from the corner of the brain's box at (-70, -105, -72)
    assert look.at == pytest.approx((10 + 88, 5 + 97, 3 + 72), abs=4)
    assert list(look.levels) == sorted(look.levels)
    coarse = look_at(Volume(mask[::2, :, ::3], (2, 1, 3)))
    assert np.multiply(coarse.at, (2, 1, 3)) == pytest.approx(np.array(look.at), abs=4)


def test_tall_voxels_are_drawn_tall():
    tile = Tile(np.ones((10, 20)), (1, 4), (0, 1), ('R', 'L', 'S', 'I'))
    assert tile.size == (20, 40)
    with Image.open(BytesIO(draw([[tile]]))) as picture:
        assert picture.height > 1.8 * picture.width
    flat = Tile(np.ones((10, 20)), (1, 1), (0, 1), ('R', 'L', 'S', 'I'))
    with Image.open(BytesIO(draw([[flat]], [Bar((0, 1), 'ppm')]))) as picture:
        assert picture.height < 0.7 * picture.width


def test_gray_levels_run_from_the_lower_to_the_upper_limit():
    ramp = np.linspace(-0.2, 0.2, 100)[None].repeat(40, axis=0)
    tile = Tile(ramp, (1, 1), (-0.1, 0.1), ('', '', '', ''), smooth=False)
    with Image.open(BytesIO(draw([[tile]]))) as picture:
        row = np.asarray(picture.convert('L'), dtype=int)[picture.height // 2]
    inside = row[20:-20]
    assert inside[: len(inside) // 5].max() <= 4
    assert inside[-len(inside) // 5 :].min() >= 251
    assert inside[len(inside) // 2] == pytest.approx(128, abs=8)


def test_limits_ignore_the_empty_outside_and_a_few_wild_voxels():
    values = np.zeros(10_000)
    values[:5000] = np.linspace(0, 0.05, 5000)
    values[0] = 1000
    assert robust_limits(values)[1] == pytest.approx(0.05, abs=0.002)
    assert robust_limits(values, symmetric=True)[0] == -robust_limits(values)[1]
    assert robust_limits(np.zeros(3)) == (0, 1)

"""The brain is found in the image alone, and only its edge is trimmed."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.masking.brain import brain_mask, otsu, tissue_threshold
from bidsqsm.qsm.masking.combined import combined, trim
from bidsqsm.qsm.masking.magnitude import magnitude as magnitude_alone
from bidsqsm.qsm.masking.morphology import close, dilate, erode, fill_holes, open_
from bidsqsm.qsm.masking.phase_quality import phase_quality
from bidsqsm.qsm.masking.structural import correct, structural
from bidsqsm.qsm.masking.template import template

SIZE = (3.0, 3.0, 3.0)
SHAPE = (64, 72, 66)


@pytest.fixture(scope='module')
def head():
    """Brain, dark skull and bright scalp, joined to a neck by a canal; magnitude and true brain."""
    x, y, z = np.meshgrid(
        *[(np.arange(n) - n / 2) * d for n, d in zip(SHAPE, SIZE, strict=True)], indexing='ij'
    )
    radius = np.sqrt((x / 66) ** 2 + (y / 80) ** 2 + ((z - 12) / 66) ** 2)
    brain = radius < 1
    skin = radius < 1.28
    scalp = skin & (radius > 1.15)
    neck = (z < -66) & (np.hypot(x, y) < 55)
    canal = (z < -40) & (np.hypot(x, y) < 9)
    magnitude = 0.8 * brain + 1.2 * scalp + 0.7 * (neck | (canal & ~brain))
    magnitude *= 1 + 0.4 * y / 80 - 0.2 * z / 80
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 0.02, (2, *SHAPE))
    return np.hypot(magnitude + grain[0], grain[1]).astype(np.float32), brain


def share(found, brain):
    return (found & brain).sum() / brain.sum(), (found & ~brain).sum() / brain.sum()


def test_the_brain_is_cut_from_scalp_and_neck(head):
    magnitude, brain = head
    covered, extra = share(brain_mask(magnitude, SIZE), brain)
    assert covered > 0.97
    assert extra < 0.08


def test_a_stripped_brain_is_taken_whole(head):
    magnitude, brain = head
    covered, extra = share(brain_mask(np.where(brain, magnitude, 0), SIZE), brain)
    assert covered > 0.99
    assert extra < 0.02


def test_a_crop_inside_the_brain_is_all_brain(head):
    magnitude, _ = head
    crop = np.ascontiguousarray(magnitude[22:42, 26:46, 28:46])
    assert brain_mask(crop, SIZE).all()


def test_finer_voxels_find_the_same_brain(head):
    magnitude, brain = head
    fine = np.repeat(np.repeat(magnitude, 2, 0), 3, 2)
    covered, extra = share(
        brain_mask(fine, (1.5, 3.0, 1.0)), np.repeat(np.repeat(brain, 2, 0), 3, 2)
    )
    assert covered > 0.97
    assert extra < 0.08


def test_two_classes_are_background_and_tissue_only_when_far_apart():
    rng = np.random.default_rng(0)
    tissue = rng.normal(1, 0.1, 5000)
    background = rng.normal(0.05, 0.02, 5000)
    assert 0.2 < tissue_threshold(np.concatenate([tissue, background])) < 0.8
    assert tissue_threshold(tissue) < tissue.min()
    assert tissue.min() < otsu(tissue) < tissue.max()


@pytest.fixture
def ball():
    i, j, k = np.ogrid[-20:21, -20:21, -20:21]
    return i**2 + j**2 + k**2 <= 15**2


def test_poor_voxels_go_from_the_edge_and_stay_inside(ball):
    poor = np.zeros_like(ball)
    poor[33:, 18:23, 18:23] = True
    poor[20, 20, 20] = True
    kept = trim(ball, poor, 8.0, (1.0, 1.0, 1.0))
    assert not kept[34, 20, 20]
    assert kept[20, 20, 20]
    assert kept.sum() > 0.9 * ball.sum()


def test_trimming_reaches_no_deeper_than_asked(ball):
    everything = np.ones_like(ball)
    kept = trim(ball, everything, 4.0, (1.0, 1.0, 1.0))
    deep = erode(ball, 4.0, (1.0, 1.0, 1.0))
    assert not (kept & ~deep).any()
    assert kept.sum() > 0.98 * deep.sum()


def test_the_qsm_mask_drops_an_edge_where_echoes_disagree(head):
    magnitude, brain = head
    residual = np.full(SHAPE, 0.02, np.float32)
    residual[:, :, 40:] = np.where(erode(brain, 6, SIZE)[:, :, 40:], 0.02, 0.5)
    good = np.full(SHAPE, 0.8, np.float32)
    masks = combined(magnitude[None], good, residual, Grid(SHAPE, SIZE))
    lost = masks.brain & ~masks.qsm
    assert lost[:, :, 38:].sum() > 0.95 * lost.sum()
    assert 0.02 < lost.sum() / masks.brain.sum() < 0.3


ONE = (1.0, 1.0, 1.0)


def test_a_template_removes_what_is_far_outside_and_adds_what_is_deep_inside(ball):
    everywhere = np.ones_like(ball)
    eye = np.zeros_like(ball)
    eye[:5, 17:24, 17:24] = True  # 15 to 20 mm from the centre, joined to the ball
    hole = np.zeros_like(ball)
    hole[28:41] = ball[28:41]  # a lobe, cut off 8 mm from the centre
    fixed = correct((ball | eye) & ~hole, ball, everywhere, 3.0, ONE)
    assert not (fixed & ~dilate(ball, 3.0, ONE)).any()
    assert fixed[erode(ball, 3.0, ONE)].all()
    assert not fixed[34, 20, 20], (
        'the rim of the lobe is within the tolerance: the magnitude decides'
    )
    assert fixed[2, 20, 20]
    assert not fixed[1, 20, 20], 'more than the tolerance outside'


def test_a_template_that_agrees_within_the_tolerance_changes_no_bit(ball):
    everywhere = np.ones_like(ball)
    for other in (np.roll(ball, 3, axis=2), erode(ball, 2.5, ONE), dilate(ball, 2.9, ONE)):
        np.testing.assert_array_equal(correct(ball, other, everywhere, 3.0, ONE), ball)
    assert (correct(ball, np.roll(ball, 6, axis=2), everywhere, 3.0, ONE) != ball).any()


def test_nothing_is_added_where_there_is_no_signal(ball):
    signal = np.ones_like(ball)
    signal[:, :, 30:] = False
    fixed = correct(ball & signal, ball, signal, 3.0, ONE)
    np.testing.assert_array_equal(fixed, ball & signal)


def test_a_missed_lobe_comes_back_and_is_trimmed_like_the_rest(head):
    magnitude, brain = head
    dark = magnitude.copy()
    dark[:, 52:, :] *= 0.25  # a coil that sees nothing there
    good, residual = np.where(brain, 0.8, 0.0), np.full(SHAPE, 0.02, np.float32)
    arrays = dark[None], good.astype(np.float32), residual, Grid(SHAPE, SIZE)
    alone, both = combined(*arrays), combined(*arrays, template_mask=brain)
    assert share(alone.brain, brain)[0] < 0.9
    assert share(both.brain, brain)[0] > 0.95
    assert (both.qsm & ~alone.qsm)[:, 52:].sum() > 0.9 * (both.qsm & ~alone.qsm).sum() > 0
    np.testing.assert_array_equal(alone.magnitude, both.magnitude)
    assert alone.template is None


def test_the_magnitude_mask_keeps_edges_that_the_combined_one_trims(head):
    magnitude, brain = head
    residual = np.where(erode(brain, 6, SIZE), 0.02, 0.5).astype(np.float32)
    good = np.full(SHAPE, 0.8, np.float32)
    grid = Grid(SHAPE, SIZE)
    whole = magnitude_alone(magnitude[None], grid)
    trimmed = combined(magnitude[None], good, residual, grid)
    np.testing.assert_array_equal(whole.qsm, trimmed.brain)
    assert trimmed.qsm.sum() < 0.95 * whole.qsm.sum()


def test_what_the_combined_mask_is_before_it_is_trimmed_needs_no_phase(head):
    magnitude, brain = head
    dark = magnitude.copy()
    dark[:, 52:, :] *= 0.25
    poor, residual = np.zeros(SHAPE, np.float32), np.full(SHAPE, 0.5, np.float32)
    grid = Grid(SHAPE, SIZE)
    for template_mask in (None, brain):
        found = structural(dark[None], grid, template_mask=template_mask)
        trimmed = combined(dark[None], poor, residual, grid, template_mask=template_mask)
        np.testing.assert_array_equal(found.brain, trimmed.brain)
        np.testing.assert_array_equal(found.qsm, found.brain)
        assert found.quality is None
    assert share(found.brain, brain)[0] > 0.95
    assert share(found.magnitude, brain)[0] < 0.9


def test_phase_quality_needs_neither_skull_nor_brain():
    """Two tubes beside each other, the larger with a bubble, in the noise of air."""
    i, j, k = np.ogrid[:40, :40, :30]
    tube = (np.hypot(i - 14, j - 14) < 10) & (k > 3) & (k < 27)
    other = (np.hypot(i - 33, j - 33) < 4) & (k > -1)
    bubble = (i - 14) ** 2 + (j - 14) ** 2 + (k - 15) ** 2 < 16
    rng = np.random.default_rng(3)
    air = rng.uniform(0, 0.1, tube.shape)
    air[rng.random(tube.shape) < 0.02] = 0.9
    quality_map = np.where((tube & ~bubble) | other, 0.7, air).astype(np.float32)
    masks = phase_quality(quality_map, Grid(tube.shape, (1.5, 1.5, 1.5)))
    covered, extra = share(masks.brain, tube)
    assert covered > 0.99
    assert extra < 0.02
    assert not masks.quality[14, 14, 15]
    assert masks.qsm[14, 14, 15]
    nothing = phase_quality(quality_map, Grid(tube.shape, (1.5, 1.5, 1.5)), quality_threshold=0.95)
    assert not nothing.qsm.any()


def test_the_mask_of_a_template_is_one_filled_piece_with_signal(head):
    magnitude, brain = head
    carried = np.roll(brain, 1, axis=0)
    expected = carried & brain
    carried[30:33, 34:37, 35:38] = False
    carried[1, 1, 1] = True
    masks = template(np.where(brain, magnitude, 0)[None], template_mask=carried)
    np.testing.assert_array_equal(masks.qsm, expected)
    with pytest.raises(ValueError, match='needs an atlas'):
        template(magnitude[None])


def test_morphology_counts_in_mm():
    mask = np.zeros((41, 41, 41), bool)
    mask[20, 20, 20] = True
    grown = dilate(mask, 4.0, (1.0, 2.0, 4.0))
    assert [int(grown.any(axis=a).sum(axis=0).max()) for a in (0,)] == [5]
    assert grown[24, 20, 20]
    assert not grown[25, 20, 20]
    assert grown[20, 22, 20]
    assert not grown[20, 23, 20]
    assert grown[20, 20, 21]
    assert not grown[20, 20, 22]


def test_opening_and_closing_keep_large_shapes(ball):
    one = (1.0, 1.0, 1.0)
    spur = ball.copy()
    spur[35:40, 20, 20] = True
    gap = ball.copy()
    gap[:, 20, 20] = False
    assert not open_(spur, 2.0, one)[37, 20, 20]
    assert close(gap, 2.0, one)[20, 20, 20]
    hollow = ball.copy()
    hollow[18:22, 18:22, 18:22] = False
    np.testing.assert_array_equal(fill_holes(hollow), ball)

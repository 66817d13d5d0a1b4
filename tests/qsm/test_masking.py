"""The brain is found in the image alone, and only its edge is trimmed."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.masking.brain import brain_mask, otsu, tissue_threshold
from bidsqsm.qsm.masking.morphology import close, dilate, erode, fill_holes, open_
from bidsqsm.qsm.masking.quality import quality, trim

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
    masks = quality(magnitude[None], good, residual, Grid(SHAPE, SIZE))
    lost = masks.brain & ~masks.qsm
    assert lost[:, :, 38:].sum() > 0.95 * lost.sum()
    assert 0.02 < lost.sum() / masks.brain.sum() < 0.3


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

"""Scores with answers known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.qsm import lesion_scores, mask_overlap, metrics
from bidsqsm.qsm.grid import Grid


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    truth = random.normal(0, 0.05, (20, 22, 24)).astype(np.float32)
    mask = np.zeros(truth.shape, bool)
    mask[3:-3, 3:-3, 3:-3] = True
    labels = np.zeros(truth.shape, np.uint8)
    for value in range(1, 5):
        labels[4:14, 5:15, 4 * value : 4 * value + 3] = value
        truth[labels == value] += 0.03 * value
    return truth, mask, labels


def test_the_truth_itself_scores_best(case):
    truth, mask, labels = case
    scores = metrics.score(truth, truth, labels, mask, range(1, 5))
    best = {'nrmse': 0, 'detrended_nrmse': 0, 'hfen': 0, 'xsim': 1, 'roi_error': 0, 'slope': 1}
    assert scores == pytest.approx(best, abs=1e-5)


def test_an_offset_costs_nothing(case):
    truth, mask, labels = case
    scores = metrics.score(truth + 0.3, truth, labels, mask, range(1, 5))
    assert scores['nrmse'] == pytest.approx(0, abs=1e-3)
    assert scores['xsim'] == pytest.approx(1, abs=1e-4)
    assert scores['roi_error'] == pytest.approx(0, abs=1e-3)


def test_half_the_contrast_is_half_the_error(case):
    truth, mask, labels = case
    assert metrics.nrmse(truth / 2, truth, mask) == pytest.approx(50, abs=1e-3)
    assert metrics.hfen(truth / 2, truth, mask) == pytest.approx(50, abs=1e-3)
    assert metrics.detrended_nrmse(truth / 2 + 1, truth, mask) == pytest.approx(0, abs=1e-3)
    assert metrics.roi_slope(truth / 2, truth, labels, mask, range(1, 5)) == pytest.approx(0.5)


def test_a_flat_map_is_wrong_by_everything(case):
    truth, mask, _ = case
    assert metrics.nrmse(np.zeros_like(truth), truth, mask) == pytest.approx(100)
    with pytest.raises(ValueError, match='does not depend'):
        metrics.detrended_nrmse(np.zeros_like(truth), truth, mask)


def test_what_lies_outside_the_mask_does_not_count(case):
    truth, mask, _ = case
    spoiled = np.where(mask, truth, 5).astype(np.float32)
    for metric in (metrics.nrmse, metrics.hfen):
        assert metric(spoiled, truth, mask) == pytest.approx(0, abs=1e-4)
    assert metrics.xsim(spoiled, truth, mask) == pytest.approx(1)


def test_xsim_of_a_flat_map_is_the_share_of_its_constants():
    """With one voxel as the window there is no structure, and the similarity is that of light."""
    truth = np.array([0.01, -0.01], np.float32).reshape(2, 1, 1)
    mask = np.ones(truth.shape, bool)
    found = metrics.xsim(np.zeros_like(truth), truth, mask, window='uniform', size=1)
    assert found == pytest.approx(1e-4 / (1e-4 + 1e-4), rel=1e-5)


def test_xsim_with_uniform_windows_follows_its_formula(case):
    truth, _, _ = case
    other = truth + np.random.default_rng(1).normal(0, 0.01, truth.shape)
    box = (slice(9, 12), slice(10, 13), slice(11, 14))
    x, y = other[box].astype(float), truth[box].astype(float)
    light = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    structure = (2 * covariance + 1e-6) / (x.var() + y.var() + 1e-6)
    found = metrics.similarity(other.astype(float), truth.astype(float), window='uniform')
    assert found[10, 11, 12] == pytest.approx(light * structure, rel=1e-6)


def test_regions_are_compared_by_their_means(case):
    truth, mask, labels = case
    wrong = truth.copy()
    wrong[labels == 2] += 0.02
    errors = metrics.roi_errors(wrong, truth, labels, mask, (1, 2, 9))
    assert set(errors) == {1, 2}
    assert errors[2] - errors[1] == pytest.approx(0.02, abs=1e-5)


def test_coverage_is_the_share_of_the_true_mask():
    true = np.zeros((4, 4, 4), bool)
    true[:, :, :2] = True
    found = np.zeros_like(true)
    found[:, :2, :] = True
    assert mask_overlap.coverage(found, true) == pytest.approx(50)


def test_lesions_are_left_out_by_distance_in_mm():
    mask = np.ones((1, 1, 21), bool)
    labels = np.zeros(mask.shape, np.uint8)
    labels[0, 0, 10] = 25
    grid = Grid(mask.shape, (1.0, 1.0, 2.0))
    assert lesion_scores.away_from(mask, labels, [25], grid, 5.0).sum() == 21 - 5
    assert lesion_scores.away_from(mask, labels, [3], grid, 5.0).all()


@pytest.mark.parametrize(('kind', 'size'), [('round', 3), ('uniform', 4)])
def test_a_wrong_window_is_refused(case, kind, size):
    truth, mask, _ = case
    with pytest.raises(ValueError, match='window'):
        metrics.xsim(truth, truth, mask, window=kind, size=size)


def test_the_moment_of_a_calcification_is_what_it_lacks_in_percent():
    random = np.random.default_rng(0)
    truth = random.normal(0, 0.01, (30, 32, 28)).astype(np.float32)
    lesion = np.zeros(truth.shape, bool)
    lesion[12:15, 14:17, 10:14] = True
    truth[lesion] = -1
    elsewhere = np.ones(truth.shape, bool)
    elsewhere[8:19, 10:21, 6:18] = False
    moment, streak = lesion_scores.calcification(truth, truth, lesion, elsewhere)
    assert moment == pytest.approx(0, abs=1e-2)
    assert streak == pytest.approx(0, abs=1e-2)
    moment, _ = lesion_scores.calcification(0.8 * truth, truth, lesion, elsewhere)
    assert moment == pytest.approx(20, abs=0.5)
    noisy = truth + random.normal(0, 0.05, truth.shape)
    assert lesion_scores.calcification(noisy, truth, lesion, elsewhere)[1] == pytest.approx(
        5, rel=0.1
    )

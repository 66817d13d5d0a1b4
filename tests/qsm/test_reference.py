"""What zero susceptibility means, by each reference."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.dipole.medi0 import fluid_of
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.reference.csf import csf
from bidsqsm.qsm.reference.no_reference import none
from bidsqsm.qsm.reference.whole_brain import whole_brain
from bidsqsm.rois.map_files import csf_value
from helpers.analytic_fields import ball, shell_of

GRID = Grid((48, 52, 30), (1.5, 1.5, 2.5))


@pytest.fixture(scope='module')
def brain():
    """A brain with two ventricles, a cyst at its rim, and one lone voxel of slow decay."""
    mask = shell_of(GRID, 0)
    ventricles = (ball(GRID, (-8, 0, 0), 6) + ball(GRID, (8, 0, 0), 5)) > 0
    cyst = (ball(GRID, (0, 26, 0), 5) > 0) & mask
    speck = np.zeros_like(mask)
    speck[24, 26, 20] = True
    r2star = np.where(ventricles | cyst | speck, 1.5, 22.0).astype(np.float32)
    chi = np.where(ventricles, 0.02, -0.01).astype(np.float32)
    chi += np.random.default_rng(0).normal(0, 0.003, mask.shape).astype(np.float32)
    chi = np.where(mask, chi, 0)
    return mask, chi, r2star, ventricles, cyst, speck


@pytest.mark.parametrize('method', STEPS['reference'].methods, ids=lambda m: m.name)
def test_the_region_becomes_zero_and_contrast_stays(brain, method):
    mask, chi, r2star, *_ = brain
    found = method.function(chi, mask, GRID, r2star, None)
    if found.region.any():
        assert found.chi[found.region].mean() == pytest.approx(0, abs=1e-6)
        assert found.spread == pytest.approx(chi[found.region].std(), rel=1e-3)
    np.testing.assert_allclose(found.chi[mask] + found.value, chi[mask], atol=1e-6)
    assert not found.chi[~mask].any()
    assert found.chi.dtype == np.float32


@pytest.mark.parametrize('name', ['whole-brain', 'csf'])
def test_a_constant_in_the_map_is_taken_off(brain, name):
    mask, chi, r2star, *_ = brain
    refer = STEPS['reference'][name].function
    once = refer(chi, mask, GRID, r2star, None)
    more = refer(np.where(mask, chi + np.float32(0.5), 0), mask, GRID, r2star, None)
    np.testing.assert_allclose(more.chi, once.chi, atol=1e-6)
    assert more.value == pytest.approx(once.value + 0.5, abs=1e-6)


def test_whole_brain_takes_the_mean_of_the_mask(brain):
    mask, chi, *_ = brain
    found = whole_brain(chi, mask, GRID)
    assert found.value == pytest.approx(chi[mask].mean(dtype=float), abs=1e-9)
    np.testing.assert_array_equal(found.region, mask)


def test_none_takes_nothing(brain):
    mask, chi, *_ = brain
    found = none(chi, mask, GRID)
    assert (found.value, found.region.any()) == (0.0, False)
    np.testing.assert_array_equal(found.chi, chi)


def test_csf_finds_the_ventricles_by_their_decay(brain):
    mask, chi, r2star, ventricles, cyst, speck = brain
    found = csf(chi, mask, GRID, r2star, components=2)
    np.testing.assert_array_equal(found.region, ventricles)
    assert found.value == pytest.approx(0.02, abs=5e-4)
    every = csf(chi, mask, GRID, r2star, components=9, search_radius=100)
    np.testing.assert_array_equal(every.region, ventricles | cyst | speck)


def test_voxels_without_a_fit_and_voids_are_no_fluid(brain):
    """A calcification without R2* and one whose noise does not decay, both larger than the ventricles."""
    mask, chi, r2star, ventricles, *_ = brain
    unfitted, void = (ball(GRID, (0, y, 0), 9) > 0 for y in (-15, 15))
    magnitude = np.where(void, 1, 100).astype(np.float32)
    chi = np.where(unfitted | void, np.float32(0.4), chi)
    fluid = ventricles & ~unfitted & ~void
    for nothing in (0, np.nan, np.inf):
        rate = np.where(unfitted, nothing, np.where(void, 1.5, r2star)).astype(np.float32)
        found = csf(chi, mask, GRID, rate, magnitude=magnitude, components=2)
        np.testing.assert_array_equal(found.region, fluid)
        assert found.value == pytest.approx(0.02, abs=5e-4)
        inner = fluid_of(mask, GRID, rate, magnitude, 5.0, 30.0, 2)
        np.testing.assert_array_equal(inner, fluid)
    rate = np.where(fluid, 1.5, np.where(unfitted | void, 0, 22)).astype(np.float32)
    assert csf_value(chi, mask, GRID, rate) == pytest.approx(0.02, abs=1e-3)


def test_csf_takes_labels_before_decay(brain):
    mask, chi, r2star, _, cyst, _ = brain
    found = csf(chi, mask, GRID, r2star, cyst.astype(np.uint8) * 7)
    np.testing.assert_array_equal(found.region, cyst)


def test_a_missing_region_is_explained(brain):
    mask, chi, r2star, *_ = brain
    with pytest.raises(ValueError, match='found neither: use whole-brain'):
        csf(chi, mask, GRID)
    with pytest.raises(ValueError, match='raise max_r2star'):
        csf(chi, mask, GRID, r2star + 10)
    with pytest.raises(ValueError, match='no labelled fluid'):
        csf(chi, mask, GRID, r2star, ~mask)
    for refer in (whole_brain, csf):
        with pytest.raises(ValueError, match='mask is empty'):
            refer(chi, np.zeros_like(mask), GRID, r2star)

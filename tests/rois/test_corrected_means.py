"""The columns that tell what regularisation took from the mean of a region."""

from __future__ import annotations

import numpy as np
import pytest

from bidsqsm.atlases.structures import make_label
from bidsqsm.qsm.dipole.tikhonov import tikhonov
from bidsqsm.qsm.phantom.sphere import make_sphere
from bidsqsm.rois.region_table import roi_table

NAMES = [make_label(5, 'putamen', 'L'), make_label(6, 'putamen', 'R'), make_label(7, 'thalamus')]
NEW = ['mean_corrected', 'mean_corrected_se', 'recovery']


@pytest.fixture(scope='module')
def scene():
    sphere = make_sphere(chi=0.1, radius=7.0, shape=(48, 48, 48), voxel_size=(1.0, 1.0, 1.0))
    chi = tikhonov(sphere.local_field, sphere.mask, sphere.grid, weight=0.05)
    left = np.arange(48)[:, None, None] < 20
    labels = np.where(left, 5, 6) * sphere.inside
    labels[21:27, 21:27, 38:42] = 7  # near the edge of the mask
    return sphere, chi, labels


def table_of(scene, **more):
    sphere, chi, labels = scene
    return roi_table(
        labels, NAMES, {'chi': chi}, sphere.mask, sphere.grid.voxel_size, grid=sphere.grid, **more
    )


def row_of(table, side, structure='putamen'):
    found = (table['structure'] == structure) & (table['hemisphere'] == side)
    return table.loc[found].iloc[0]


@pytest.mark.parametrize('which', ['local_field', 'total_field'])
def test_the_corrected_mean_is_nearer_to_what_was_planted(scene, which):
    table = table_of(scene, total_field=getattr(scene[0], which))
    for side in 'LRB':
        row = row_of(table, side)
        assert row['mean'] < 0.065
        assert abs(row['mean_corrected'] - 0.1) < 0.6 * abs(row['mean'] - 0.1)
        assert 0 < row['mean_corrected_se'] < 0.01
        share = row['mean_wholebrain'] / (
            row['mean_corrected'] - row['mean'] + row['mean_wholebrain']
        )
        assert row['recovery'] == pytest.approx(share, rel=1e-3)


def test_both_sides_are_weighted_by_their_voxels(scene):
    table = table_of(scene, total_field=scene[0].local_field)
    left, right, both = (row_of(table, side) for side in 'LRB')
    expected = np.average(
        [left['mean_corrected'], right['mean_corrected']],
        weights=[left['n_voxels'], right['n_voxels']],
    )
    assert both['mean_corrected'] == pytest.approx(expected, rel=1e-5)


def test_a_region_at_the_rim_has_no_corrected_mean(scene):
    row = row_of(table_of(scene, total_field=scene[0].local_field), '', 'thalamus')
    assert row[NEW].isna().all()
    assert np.isfinite(row['mean'])


def test_the_error_of_the_mean_counts_as_well(scene):
    field = scene[0].local_field
    without = row_of(table_of(scene, total_field=field), 'L')
    noise = np.full(field.shape, 0.01, np.float32)
    row = row_of(table_of(scene, total_field=field, noise=noise), 'L')
    assert row['mean_corrected_se'] == pytest.approx(
        np.hypot(without['mean_corrected_se'], row['se']), rel=1e-3
    )


@pytest.mark.parametrize('field', [None, 0, np.nan])
def test_a_field_that_tells_nothing_corrects_nothing(scene, field):
    total = None if field is None else np.full(scene[1].shape, field, np.float32)
    table = table_of(scene, total_field=total)
    assert table[NEW].isna().all(axis=None)
    assert table['mean'].notna().all()

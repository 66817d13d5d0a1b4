"""The table of regions: what is measured, what is not, and how rows combine labels."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import asdict

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from bidsqsm.atlases.label_image import load_labels
from bidsqsm.atlases.structures import make_label
from bidsqsm.facts.region_facts import RegionsFacts
from bidsqsm.interfaces.anatomy.rois import MeasureRois
from bidsqsm.qsm.grid import Grid
from bidsqsm.rois.literature import check
from bidsqsm.rois.region_columns import MEASURED_MAPS, columns, columns_of
from bidsqsm.rois.region_table import roi_table, write_table
from bidsqsm.rois.regions import regions_of, with_unnamed
from bidsqsm.rois.statistics import summary

NAMES = [
    make_label(7, 'left caudate'),
    make_label(3, 'right caudate'),
    make_label(1, 'L GPe'),
    make_label(2, 'R GPe'),
    make_label(5, 'L GPi'),
    make_label(6, 'R GPi'),
    make_label(4, 'somewhere'),
    make_label(9, 'left putamen'),
]
SIZE = (1.0, 1.2, 2.0)


@pytest.fixture
def scene():
    """Labels in blocks of 4 x 4 x 3, chi that differs everywhere, all in the mask."""
    shape = (16, 12, 10)
    labels = np.zeros(shape, np.int32)
    for index, (i, j) in {
        7: (0, 0),
        3: (12, 0),
        1: (4, 0),
        2: (8, 0),
        5: (4, 4),
        6: (8, 4),
        4: (0, 8),
    }.items():
        labels[i : i + 4, j : j + 4, 2:5] = index
    random = np.random.default_rng(1)
    chi = (random.normal(0, 0.03, shape) + 0.01 * labels).astype(np.float32)
    return labels, chi, np.ones(shape, bool)


def measured(scene, maps=None, **options):
    labels, chi, mask = scene
    return roi_table(labels, NAMES, {'chi': chi, **(maps or {})}, mask, SIZE, **options)


def row_of(table, name):
    (row,) = table[table['name'] == name].to_dict('records')
    return row


def test_rows_are_the_labels_in_their_order_then_both_sides_then_merged(scene):
    table = measured(scene)
    assert table['name'].tolist() == [
        *(n.name for n in NAMES),
        'pallidum_externa',
        'pallidum_interna',
        'caudate',
        'pallidum_L',
        'pallidum_R',
        'pallidum',
    ]
    assert table['hemisphere'].tolist() == [*'LRLRLR', '', 'L', *'BBB', 'L', 'R', 'B']
    assert table['index'].is_unique
    assert min(table['index'][8:]) >= 1000


def test_numbers_of_combined_rows_stay_clear_of_large_labels():
    names = [make_label(11110, 'left caudate'), make_label(12110, 'right caudate')]
    *_, both = regions_of(names)
    assert (both.name, both.members) == ('caudate', (11110, 12110))
    assert both.index >= 100_000


def test_a_structure_without_all_its_parts_is_not_merged():
    names = [make_label(1, 'L GPe'), make_label(2, 'R GPe'), make_label(3, 'L GPi')]
    found = {(r.name, r.hemisphere) for r in regions_of(names)[3:]}
    assert ('pallidum_L', 'L') in found
    assert not {('pallidum_R', 'R'), ('pallidum', 'B')} & found


def test_a_combined_row_is_measured_over_the_voxels_not_over_the_means(scene):
    labels, chi, mask = scene
    mask[12:, 0, :] = False
    both = row_of(measured(scene), 'caudate')
    inside = np.isin(labels, (3, 7)) & mask
    assert both['mean'] == chi[inside].mean(dtype=float)
    assert both['n_voxels'] == 48 + 36
    assert both['coverage'] == 84 / 96
    whole = row_of(measured(scene), 'pallidum_L')
    assert whole['median'] == np.median(chi[np.isin(labels, (1, 5))].astype(float))


def test_a_label_half_outside_the_mask_keeps_its_volume_and_tells_its_coverage(scene):
    labels, chi, mask = scene
    mask[0:2, 0:4] = False
    row = row_of(measured(scene), 'left caudate')
    assert (row['n_voxels'], row['coverage']) == (24, 0.5)
    assert row['volume'] == pytest.approx(48 * 2.4)
    assert row['mean'] == chi[(labels == 7) & mask].mean(dtype=float)
    below = row_of(measured(scene, coverage_limit=0.51), 'left caudate')
    assert np.isnan([below[k] for k in ('mean', 'sd', 'p05', 'min', 'mean_wholebrain')]).all()
    assert (below['n_voxels'], below['coverage']) == (24, 0.5)


def test_an_empty_label_has_a_row_without_values(scene):
    row = row_of(measured(scene, coverage_limit=0), 'left putamen')
    assert (row['n_voxels'], row['volume']) == (0, 0)
    assert np.isnan([row['coverage'], row['mean'], row['max']]).all()
    assert row['chi_in_range'] == 'n/a'


def test_voxels_without_a_value_are_not_measured(scene):
    labels, chi, _ = scene
    chi[0, 0, 2], chi[1, 0, 2] = np.nan, np.inf
    row = row_of(measured(scene), 'left caudate')
    good = chi[(labels == 7) & np.isfinite(chi)]
    assert (row['n_voxels'], row['max']) == (46, good.max())
    assert row['mean_wholebrain'] == pytest.approx(
        good.mean(dtype=float) - chi[np.isfinite(chi)].mean(dtype=float), abs=1e-12
    )


def test_relaxation_that_was_not_fitted_is_no_zero(scene):
    labels, _, _ = scene
    r2star = np.full(labels.shape, 20, np.float32)
    r2star[0:2, 0:2] = 0
    r2star[4:8, 0:4] = 0
    table = measured(scene, {'r2star': r2star})
    caudate, pallidum = row_of(table, 'left caudate'), row_of(table, 'L GPe')
    assert (caudate['r2star_n_voxels'], caudate['r2star_mean']) == (36, 20)
    assert pallidum['r2star_n_voxels'] == 0
    assert np.isnan(pallidum['r2star_mean'])
    assert pallidum['n_voxels'] == 48
    assert not [name for name in table if name.startswith(('t2star', 'local_field'))]


def test_a_rate_of_zero_is_left_out_of_rate_and_time_alike(scene):
    """Relaxometry has its longest T2* where it saw no decay, and zero where it fitted none."""
    labels, _, _ = scene
    r2star, t2star = np.full(labels.shape, 20, np.float32), np.full(labels.shape, 0.05, np.float32)
    r2star[0:2, 0:2], t2star[0:2, 0:2] = 0, 0.5
    r2star[0:2, 2:3], t2star[0:2, 2:3] = 0, 0
    row = row_of(measured(scene, {'r2star': r2star, 't2star': t2star}), 'left caudate')
    left = ((labels == 7) & (r2star > 0)).sum()
    assert (row['r2star_n_voxels'], row['t2star_n_voxels']) == (left, left)
    assert 0 < left < (labels == 7).sum()
    assert (row['r2star_mean'], row['t2star_max']) == (20, pytest.approx(0.05))


def test_percentiles_are_as_the_json_tells():
    assert summary(np.array([0.0, 1, 2, 10]))['p75'] == pytest.approx(4)
    for name in ('p05', 'r2star_p95'):
        assert (
            'linear between the two nearest, as numpy.percentile' in columns()[name]['Description']
        )
    assert 'T2* with it' in columns()['r2star_n_voxels']['Description']


def test_columns_of_further_maps_are_there_where_the_map_is(scene, tmp_path):
    labels, chi, _ = scene
    iron = (1000 * chi).astype(np.float32)
    r2prime = np.where(labels == 7, 4, 0).astype(np.float32)
    table = measured(scene, {'iron': iron, 'r2prime': r2prime, 'chi_paramagnetic': chi.clip(0)})
    row = row_of(table, 'left caudate')
    inside = labels == 7
    assert row['iron_mean'] == iron[inside].mean(dtype=float)
    assert row['iron_min'] < 0, 'below the baseline is a value as well'
    assert row['chi_paramagnetic_n_voxels'] == inside.sum()
    assert row['r2prime_mean'] == 4
    assert np.isnan(row_of(table, 'right caudate')['r2prime_mean'])
    absent = ('t2prime', 'chi_diamagnetic', 'gadolinium')
    assert [*columns_of(write_table(table, tmp_path / 'x.tsv'))] == [*table]
    assert not [name for name in table if name.startswith(absent)]
    assert 'chi_in_range' in table


def test_both_references_move_the_mean_and_nothing_else(scene):
    _, chi, mask = scene
    row = row_of(measured(scene, csf=0.02), 'left caudate')
    assert row['mean_csf'] == row['mean'] - 0.02
    assert row['mean_wholebrain'] == row['mean'] - chi[mask].mean(dtype=float)
    moved = (scene[0], chi + np.float32(0.5), mask)
    again = row_of(measured(moved, csf=0.52), 'left caudate')
    assert again['mean'] == pytest.approx(row['mean'] + 0.5, abs=1e-6)
    for key in ('mean_wholebrain', 'mean_csf', 'sd'):
        assert again[key] == pytest.approx(row[key], abs=1e-6)


def test_the_robust_mean_leaves_a_vein_out(scene):
    chi = scene[1]
    before = row_of(measured(scene), 'left caudate')
    chi[0, 0, 2:4] = 5
    after = row_of(measured(scene), 'left caudate')
    assert after['mean'] > before['mean'] + 0.1
    assert abs(after['robust_mean'] - before['robust_mean']) < 0.01


def test_labels_without_a_name_are_measured_and_told():
    labels = np.zeros((4, 4, 4), np.int32)
    labels[0], labels[1], labels[2] = 3, 8, -2
    names, (said,) = with_unnamed(labels, NAMES[:2])
    assert [n.name for n in names] == ['left caudate', 'right caudate', 'label-8']
    assert said == '1 labels of the image have no name: 8.'
    assert with_unnamed(labels, ())[1] == []


def test_arrays_on_different_grids_are_refused(scene):
    labels, chi, mask = scene
    with pytest.raises(ValueError, match=r'mask has shape \(15, 12, 10\), but the labels have'):
        roi_table(labels, NAMES, {'chi': chi}, mask[1:], SIZE)
    with pytest.raises(ValueError, match="map 'chy'; there are: chi, r2star"):
        roi_table(labels, NAMES, {'chi': chi, 'chy': chi}, mask, SIZE)


def independent(folder, names, coverage=0.5):
    """The columns of chi and R2* with nibabel and numpy alone, as text."""
    load = lambda name: nb.load(folder / name).get_fdata()  # noqa: E731
    labels, chi, mask, r2 = (
        load('labels.nii'),
        load('chi.nii'),
        load('mask.nii') > 0,
        load('r2.nii'),
    )
    rows = []
    for members in names:
        label = np.isin(labels, members)
        inside = label & mask & np.isfinite(chi)
        row = [str(inside.sum())]
        for values in (chi[inside], r2[inside & (r2 > 0)]):
            if not label.any() or len(values) < coverage * label.sum():
                row += ['n/a'] * 10
                continue
            middle = np.median(values)
            away = np.abs(values - middle)
            near = values[away <= 2.5 * 1.4826 * np.median(away)]
            row += [
                f'{x:.9g}'
                for x in (
                    values.mean(),
                    values.std(ddof=1),
                    middle,
                    *np.percentile(values, [5, 25, 75, 95]),
                    values.min(),
                    values.max(),
                    near.mean(),
                )
            ]
        rows.append(row)
    return rows


@pytest.fixture
def dataset(scene, tmp_path):
    """Files of a scene with holes: labels, chi, mask, R2*, T2*, local field and noise in ppm."""
    labels, chi, mask = scene
    mask[:3, :6] = False
    chi[5, 1, 3] = np.nan
    random = np.random.default_rng(2)
    r2 = random.normal(20, 15, labels.shape).clip(0).astype(np.float32)
    r2[8:12, 4:] = 0
    files = {
        'labels': labels.astype(np.int16),
        'chi': chi,
        'mask': mask.astype(np.uint8),
        'r2': r2,
        't2': np.where(r2 > 0, 1 / r2.clip(1), 0).astype(np.float32),
        'field': (chi / 3).astype(np.float32),
        'noise': np.full(labels.shape, 0.002, np.float32),
    }
    for name, values in files.items():
        nb.Nifti1Image(values, np.diag([*SIZE, 1])).to_filename(tmp_path / f'{name}.nii')
    return tmp_path


def interface(folder, **more):
    return MeasureRois(
        labels=str(folder / 'labels.nii'),
        names=[asdict(n) for n in NAMES],
        chi=str(folder / 'chi.nii'),
        in_mask=str(folder / 'mask.nii'),
        r2star=str(folder / 'r2.nii'),
        t2star=str(folder / 't2.nii'),
        local_field=str(folder / 'field.nii'),
        noise=str(folder / 'noise.nii'),
        imaging_frequency=123.25,
        reference_region='whole-brain',
        **more,
    )


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_the_table_is_what_numpy_alone_makes_of_the_files(dataset, monkeypatch):
    monkeypatch.chdir(dataset)
    result = interface(dataset).run()
    rows = list(csv.DictReader(open(result.outputs.table), delimiter='\t'))  # noqa: SIM115, PTH123
    expected = independent(dataset, [r.members for r in regions_of(NAMES)])
    kinds = ('mean', 'sd', 'median', 'p05', 'p25', 'p75', 'p95', 'min', 'max', 'robust_mean')
    found = [
        [r['n_voxels'], *(r[k] for k in kinds), *(r[f'r2star_{k}'] for k in kinds)] for r in rows
    ]
    assert found == expected
    assert {'n/a'} < {cell for row in found for cell in row}
    assert [r['name'] for r in rows[:8]] == [n.name for n in NAMES]
    assert float(rows[1]['se']) > 0


def test_the_interface_tells_what_the_values_refer_to(dataset, monkeypatch):
    monkeypatch.chdir(dataset)
    facts = interface(dataset, age=95.0).run().outputs.facts
    assert facts['map_reference'] == 'whole-brain'
    assert len(facts['warnings']) == 1
    assert '95 years' in facts['warnings'][0]
    unjudged = interface(dataset, age=95.0, judged=False).run().outputs.facts
    assert not RegionsFacts.of(unjudged).warnings


def test_the_local_field_is_measured_as_it_is_written(dataset, monkeypatch):
    monkeypatch.chdir(dataset)
    result = interface(dataset).run()
    rows = list(csv.DictReader(open(result.outputs.table), delimiter='\t'))  # noqa: SIM115, PTH123
    field = nb.load(dataset / 'field.nii').get_fdata(dtype=np.float32) * np.float32(123.25)
    inside = nb.load(dataset / 'labels.nii').get_fdata() == 3
    assert rows[1]['local_field_mean'] == f'{field[inside].mean(dtype=float):.9g}'
    assert rows[1]['local_field_min'] == f'{float(field[inside].min()):.9g}'


def test_without_susceptibility_the_other_maps_are_measured_in_the_mask(scene):
    labels, chi, mask = scene
    mask = mask & (labels != 5)
    r2star = (20 + chi).astype(np.float32)
    table = roi_table(labels, NAMES, {'r2star': r2star}, mask, SIZE)
    whole = measured((labels, chi, mask), {'r2star': r2star})
    assert list(table) == list(whole)
    same = [name for name in table if name.startswith('r2star_')]
    same += ['index', 'name', 'n_voxels', 'volume', 'coverage', 'chi_range_low']
    pd.testing.assert_frame_equal(table[same], whole[same])
    values = ['mean', 'sd', 'median', 'max', 'se', 'mean_wholebrain', 'mean_csf']
    assert table[values].isna().all(axis=None)
    assert {*table['chi_in_range']} == {'n/a'}
    assert check(table) == []


def test_labels_that_were_interpolated_are_refused(dataset):
    nb.Nifti1Image(np.full((4, 4, 4), 1.5, np.float32), np.eye(4)).to_filename(dataset / 'x.nii')
    with pytest.raises(ValueError, match='no whole numbers'):
        load_labels(dataset / 'x.nii')


def test_every_column_is_described_with_its_unit(dataset, scene):
    labels, chi, mask = scene
    maps = dict.fromkeys(MEASURED_MAPS, chi)
    table = roi_table(labels, NAMES, maps, mask, SIZE)
    assert list(columns()) == list(table)
    units = {name: about.get('Units') for name, about in columns().items()}
    assert (units['robust_mean'], units['r2star_p95'], units['t2star_sd']) == ('ppm', '1/s', 's')
    assert (units['local_field_min'], units['volume'], units['name']) == ('Hz', 'mm^3', None)
    assert (units['iron_mean'], units['gadolinium_p05']) == ('mg/kg', 'mmol/L')
    assert (units['r2prime_sd'], units['chi_diamagnetic_max']) == ('1/s', 'ppm')


@pytest.mark.skipif(not shutil.which('bids-validator-deno'), reason='needs the BIDS validator')
def test_the_validator_takes_table_and_sidecar(scene, tmp_path):
    anat = tmp_path / 'sub-01' / 'anat'
    write_table(measured(scene, csf=0.01), anat / 'sub-01_atlas-X_dseg.tsv')
    image = nb.Nifti1Image(scene[0].astype(np.int16), np.eye(4))
    image.header.set_xyzt_units('mm', 'sec')
    image.to_filename(anat / 'sub-01_atlas-X_dseg.nii.gz')
    about = {'SpatialReference': 'orig', **columns()}
    (anat / 'sub-01_atlas-X_dseg.json').write_text(json.dumps(about))
    (tmp_path / 'atlas-X_description.json').write_text('{"Name": "X", "License": "CC0"}')
    (tmp_path / 'README.md').write_text('x' * 200)
    (tmp_path / 'dataset_description.json').write_text(
        '{"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "derivative", "License": "CC0",'
        ' "GeneratedBy": [{"Name": "bidsqsm"}]}'
    )
    told = subprocess.run(  # noqa: S603
        ['bids-validator-deno', str(tmp_path), '--format', 'json'],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
    ).stdout
    issues = json.loads(told)['issues']['issues']
    about_table = [i['code'] for i in issues if 'dseg' in str(i.get('location'))]
    assert [i for i in issues if i['severity'] == 'error'] == []
    assert 'TSV_ADDITIONAL_COLUMNS_UNDEFINED' not in about_table


def test_a_grid_is_wanted_with_the_noise(scene):
    _, chi, mask = scene
    with pytest.raises(ValueError, match='noise needs the grid'):
        measured(scene, noise=np.ones_like(chi))
    row = row_of(measured(scene, noise=np.ones_like(chi), grid=Grid(mask.shape, SIZE)), 'caudate')
    assert row['se'] > 0

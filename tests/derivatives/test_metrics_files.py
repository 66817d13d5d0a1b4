"""Metrics are written with six digits, and read back as they were or refused with a sentence."""

from __future__ import annotations

import json
import math

import pytest

from bidsqsm.derivatives.metrics_files import about_run, as_tsv, content, read_metrics
from bidsqsm.errors import DatasetError
from helpers import example_run

VALUES = {'snr_echo2': 41.23456789, 'ghosting': math.nan, 'chi_r2star_correlation': -0.5}


def write(folder, values):
    path = folder / 'sub-01_metrics.json'
    path.write_text(json.dumps(values), encoding='utf-8')
    return path


def test_what_is_written_is_read_and_nothing_is_told_of_what_is_not_known(tmp_path):
    run = example_run.make_run(tmp_path / 'raw')
    found = read_metrics(write(tmp_path, content(about_run(run), VALUES)))
    assert found['Run'] == run.name
    assert found['Metrics'] == {
        'snr_echo2': 41.2346,
        'ghosting': None,
        'chi_r2star_correlation': -0.5,
    }
    assert found['Acquisition']['EchoTime'] == [*run.echo_times]
    assert found['Acquisition']['VoxelSize'] == pytest.approx(run.grid.voxel_size, abs=1e-4)
    assert found['Acquisition']['MagneticFieldStrength'] == pytest.approx(run.field_strength)


def test_the_table_has_a_row_for_each_with_its_unit_and_direction():
    head, *rows = [row.split('\t') for row in as_tsv(VALUES).splitlines()]
    assert head == ['metric', 'value', 'unit', 'better', 'title']
    assert rows[0] == ['snr_echo2', '41.2346', 'n/a', 'higher', 'Signal to noise, echo 2']
    assert rows[1][:2] == ['ghosting', 'n/a']
    shift = as_tsv({'echo_shift': 0.25}).splitlines()[1].split('\t')
    assert shift[1:4] == ['0.25', 'mm', 'lower']


def test_a_metric_of_another_version_is_left_out(tmp_path):
    values = {'snr_echo1': 3.0, 'zeal': 1.0, 'zeal_echo1': 1.0}
    found = read_metrics(write(tmp_path, {'Run': 'sub-01', 'Acquisition': {}, 'Metrics': values}))
    assert found['Metrics'] == {'snr_echo1': 3.0}


@pytest.mark.parametrize(
    'wrong',
    [
        [],
        {'Run': 'sub-01', 'Metrics': {}},
        {'Run': 'sub-01', 'Acquisition': {}, 'Metrics': 3},
        {'Run': 'sub-01', 'Acquisition': {}, 'Metrics': {'snr_echo1': 'high'}},
        {'Run': 1, 'Acquisition': {}, 'Metrics': {}},
    ],
)
def test_what_are_no_metrics_is_refused_with_the_file_and_what_to_do(tmp_path, wrong):
    path = write(tmp_path, wrong)
    with pytest.raises(DatasetError) as caught:
        read_metrics(path)
    assert str(caught.value).startswith(str(path))
    assert 'process the run again' in str(caught.value)

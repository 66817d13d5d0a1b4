"""bidsqsm phantom: the experiments with gadolinium and calcium, and plain refusals."""

from __future__ import annotations

import argparse
import csv
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.__main__ import main
from bidsqsm.cli.phantom import add_arguments, check_arguments
from bidsqsm.qsm.dipole.tkd import tkd
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.phantom.vial_phantom import vials
from bidsqsm.qsm.relaxometry.loglinear import loglinear
from bidsqsm.rois.vials import VialFiles, calibrate

GRID = Grid((48, 48, 48), (1.0, 1.0, 1.0))
TIMES = (0.004, 0.010, 0.016)
CONCENTRATIONS = (0, 1, 2, 3, 4, 5)
#: Ppm per unit, R2* per unit: mmol/L of gadolinium; mol/L of CaCO3 in the place of water
GADOLINIUM, CALCIUM = (0.32, 5.0), (-0.15, 12.0)


def scan(axis, ppm, rate, grid=GRID):
    """Susceptibility and R2* of a simulated scan; the inversion takes ``grid`` for its own."""
    labels, water = vials(GRID, axis)
    inside = np.array([0, *CONCENTRATIONS])[labels]
    random = np.random.default_rng(1)
    field = convolve((ppm * inside).astype(np.float32), dipole_kernel(GRID))
    field = ((field + random.normal(0, 0.004, field.shape)) * water).astype(np.float32)
    decay = np.exp(-(1.5 + rate * inside) * np.reshape(TIMES, (-1, 1, 1, 1)))
    magnitude = (100 * decay + random.normal(0, 0.5, decay.shape)).astype(np.float32)
    chi = tkd(field, water, grid)
    return labels, chi, loglinear(magnitude, water, TIMES).r2star


def write(folder, labels, chi, r2star, concentrations=CONCENTRATIONS):
    for name, values in {'labels': labels, 'chi': chi, 'r2star': r2star}.items():
        nb.Nifti1Image(values, np.eye(4)).to_filename(folder / f'{name}.nii')
    lines = ['index\tconcentration\tname']
    lines += [f'{n}\t{c}\tvial {n}' for n, c in enumerate(concentrations, 1)]
    (folder / 'vials.tsv').write_text('\n'.join(lines) + '\n')


def values_of(path):
    # a copy: the file is written again while a map of it would still be open
    return np.asarray(nb.load(path).dataobj).copy()


def run(folder, *more, **changed):
    files = {'chi': 'chi.nii', 'labels': 'labels.nii', 'vials': 'vials.tsv', **changed}
    words = [word for key, name in files.items() for word in (f'--{key}', f'{folder / name}')]
    return main(['phantom', *words, '--out', str(folder / 'out.tsv'), *more])


def measured(folder, *scan):
    write(folder, *scan)
    files = {name: folder / f'{name}.nii' for name in ('chi', 'labels', 'r2star')}
    return calibrate(VialFiles(vials=folder / 'vials.tsv', **files), rim=1.0).lines


@pytest.mark.parametrize('substance', [GADOLINIUM, CALCIUM], ids=['gadolinium', 'CaCO3'])
def test_vials_along_and_across_the_field_have_one_line(substance, tmp_path):
    """R2 at least as in the experiments (0.98), the slope to what an inversion by TKD leaves."""
    ppm, rate = substance
    slopes = []
    for axis in (2, 0):
        lines = measured(tmp_path, *scan(axis, ppm, rate))
        assert lines['chi'].r2 > 0.98
        assert 0.8 < lines['chi'].slope / ppm < 1.05
        low, high = lines['r2star'].slope_interval
        assert low - 0.01 * rate < rate < high + 0.01 * rate
        assert lines['r2star'].intercept == pytest.approx(1.5, abs=0.3)
        slopes.append(lines['chi'].slope)
    assert slopes[0] == pytest.approx(slopes[1], rel=0.05)


def test_a_field_along_the_wrong_axis_shows_in_the_line(tmp_path):
    lines = measured(
        tmp_path, *scan(2, *GADOLINIUM, grid=replace(GRID, b0_direction=(1.0, 0.0, 0.0)))
    )
    assert not 0.8 < lines['chi'].slope / 0.32 < 1.05


@pytest.fixture
def made(tmp_path):
    """Vials without noise: chi = 0.3 c + 0.01 ppm, R2* = 4 c + 2 1/s, and a rim that is off."""
    labels, water = vials(GRID, 0)
    inside = np.array([0, *CONCENTRATIONS])[labels]
    chi = np.where(water, 0.3 * inside + 0.01, 0).astype(np.float32)
    write(tmp_path, labels, chi, (4 * inside + 2).astype(np.float32))
    return tmp_path


def test_every_vial_has_a_row_and_the_line_its_numbers(made, capsys):
    assert run(made, r2star='r2star.nii') == 0
    said = capsys.readouterr().out
    assert 'slope 0.3 ppm per mmol/L' in said
    assert 'use it: --concentration gadolinium:coefficient=0.3,baseline=0.01' in said
    with (made / 'out.tsv').open() as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    assert [row['name'] for row in rows] == [f'vial {n}' for n in range(1, 7)]
    assert [float(row['chi_mean']) for row in rows] == pytest.approx(
        [0.3 * c + 0.01 for c in CONCENTRATIONS], abs=1e-6
    )
    labels = values_of(made / 'labels.nii')
    assert int(rows[2]['chi_n_voxels']) == (labels == 3).sum()
    about = json.loads((made / 'out.json').read_text())
    assert about['Fits']['chi']['Slope'] == pytest.approx(0.3, abs=1e-6)
    assert about['Fits']['r2star']['Slope'] == pytest.approx(4, abs=1e-5)
    assert about['Fits']['r2star']['SlopeUnits'] == '1/s per mmol/L'
    assert {*rows[0]} < {*about}
    assert about['concentration']['Units'] == 'mmol/L'
    assert about['chi_residual']['Units'] == 'ppm'


def test_a_wall_is_left_out_by_the_rim(made):
    labels = values_of(made / 'labels.nii')
    chi = values_of(made / 'chi.nii')
    files = VialFiles(made / 'chi.nii', made / 'labels.nii', made / 'vials.tsv')
    core = (chi[labels == 4]).max()
    outside = chi.copy()
    for axis in range(3):
        for step in (-1, 1):
            outside[(labels > 0) & (np.roll(labels, step, axis) == 0)] = -9
    nb.Nifti1Image(outside, np.eye(4)).to_filename(made / 'chi.nii')
    assert calibrate(files).table['chi_mean'][3] < 0
    clean = calibrate(files, rim=1.0).table
    assert clean['chi_mean'][3] == pytest.approx(core, abs=1e-6)
    assert clean['chi_n_voxels'][3] < (labels == 4).sum() / 1.5


def test_the_plot_is_written_as_png_and_svg_and_the_same_each_time(made):
    assert run(made, r2star='r2star.nii') == 0
    first = {kind: (made / f'out.{kind}').read_bytes() for kind in ('png', 'svg', 'tsv', 'json')}
    assert run(made, '--overwrite', r2star='r2star.nii') == 0
    assert first == {kind: (made / f'out.{kind}').read_bytes() for kind in first}
    assert first['png'].startswith(b'\x89PNG')
    assert ET.fromstring(first['svg']).tag.endswith('svg')  # noqa: S314, our own file


def table(folder, text):
    (folder / 'odd.tsv').write_text(text)
    return {'vials': 'odd.tsv'}


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('index,concentration\n1,2\n', 'expected at least the columns index and concentration'),
        ('index\tconcentration\n1\t0\n2\t1\n', 'has 2 vials of 2 concentrations'),
        ('index\tconcentration\n1\t2\n2\t2\n3\t2\n', 'has 3 vials of 1 concentrations'),
        ('index\tconcentration\n1\t0\n1\t1\n3\t2\n', 'has index 1 more than once'),
        ('index\tconcentration\n1\tn/a\n2\t1\n3\t2\n', "line 2: the concentration is 'n/a'"),
        (
            'index\tconcentration\n0\t0\n2\t1\n3\t2\n',
            'line 2: the index is 0, expected one above it',
        ),
        ('index\tconcentration\n1\t0\n2\t1\n9\t2\n', 'no voxel of label 9 (vial-9)'),
    ],
)
def test_tables_that_make_no_line_are_refused_in_one_sentence(made, capsys, text, sentence):
    assert run(made, **table(made, text)) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.startswith('bidsqsm phantom failed: ')
    assert said.count('\n') == 1
    assert not (made / 'out.tsv').exists()


def test_a_vial_without_values_or_a_rim_that_is_too_wide_is_refused(made, capsys):
    assert run(made, '--rim', '9') == 2
    assert 'give a smaller --rim' in capsys.readouterr().err
    chi = values_of(made / 'chi.nii')
    chi[values_of(made / 'labels.nii') == 2] = np.nan
    nb.Nifti1Image(chi, np.eye(4)).to_filename(made / 'chi.nii')
    assert run(made) == 2
    assert 'no value in label 2 (vial 2), expected susceptibility' in capsys.readouterr().err
    nb.Nifti1Image(chi[1:], np.eye(4)).to_filename(made / 'chi.nii')
    assert run(made) == 2
    assert 'expected one grid' in capsys.readouterr().err


def test_files_that_are_there_are_kept_and_odd_words_refused(made, capsys):
    (made / 'out.png').write_bytes(b'mine')
    assert run(made) == 2
    assert 'out.png exists' in capsys.readouterr().err
    assert (made / 'out.png').read_bytes() == b'mine'
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ['--chi', 'c', '--labels', 'l', '--vials', 'v', '--out']
    with pytest.raises(ValueError, match=r'does not end in \.tsv'):
        check_arguments(parser.parse_args([*words, 'x.csv']))
    with pytest.raises(ValueError, match='--rim -1: expected a width'):
        check_arguments(parser.parse_args([*words, 'x.tsv', '--rim', '-1']))


def test_ppb_are_converted_and_another_unit_makes_no_advice(made, capsys):
    chi = values_of(made / 'chi.nii')
    nb.Nifti1Image(chi * 1000, np.eye(4)).to_filename(made / 'chi.nii')
    assert run(made, '--units', 'ppb', '--concentration-unit', 'mg/L') == 0
    said = capsys.readouterr().out
    assert 'slope 0.3 ppm per mg/L' in said
    assert 'was converted to ppm' in said
    assert 'use it' not in said

"""The demo dataset: valid BIDS, honest conventions, the truth beside it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from bidsqsm.cli.validation import find_validator
from bidsqsm.demo.demo_dataset import subjects, write_demo
from bidsqsm.demo.demo_options import DemoOptions
from bidsqsm.demo.simulate import default_shape
from bidsqsm.qsm.phantom.model_errors import PEOPLE, ModelErrors
from bidsqsm.qsm.phantom.signal_simulation import Sequence

TINY = DemoOptions(
    voxel_size=(7.0, 6.0, 8.0),
    shape=(27, 37, 25),
    t1w=False,
    sequence=Sequence(echo_times=(0.005, 0.01)),
)


def test_channels_lie_along_the_fourth_axis(tmp_path):
    options = replace(TINY, sequence=Sequence(echo_times=(0.005,), coils=3))
    write_demo(tmp_path / 'd', options)
    image = nb.load(tmp_path / 'd/sub-01/anat/sub-01_echo-1_part-phase_MEGRE.nii.gz')
    assert image.shape == (*TINY.shape, 3)
    sidecar = json.loads(Path(str(image.get_filename()).replace('.nii.gz', '.json')).read_text())
    assert sidecar['NumberOfReceiveCoils'] == 3


def test_the_dataset_validates(demo_dataset):
    validator = find_validator()
    if validator is None:
        pytest.skip('bids-validator-deno is not installed')
    made = demo_dataset / 'derivatives'
    for folder in (demo_dataset, made / 'truth', made / 'atlas'):
        done = subprocess.run(  # noqa: S603
            [str(validator), str(folder), '--ignoreWarnings'],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_sidecars_say_what_the_chain_needs(demo_dataset):
    anat = demo_dataset / 'sub-01' / 'anat'
    for echo, time in enumerate(Sequence().echo_times, start=1):
        sidecar = json.loads((anat / f'sub-01_echo-{echo}_part-phase_MEGRE.json').read_text())
        assert sidecar['EchoTime'] == time
        assert sidecar['MagneticFieldStrength'] == 3
        assert sidecar['ImagingFrequency'] == pytest.approx(127.7324)
        assert sidecar['Units'] == 'rad'


def test_the_truth_is_the_phase_of_the_images(demo_dataset):
    """Second less first echo, wrapped, is what the true total field in Hz makes in 4 ms."""
    raw, truth = demo_dataset / 'sub-01', demo_dataset / 'derivatives' / 'truth' / 'sub-01'
    first, second = (
        nb.load(raw / f'anat/sub-01_echo-{n}_part-phase_MEGRE.nii.gz').get_fdata() for n in (1, 2)
    )
    field = nb.load(truth / 'fmap/sub-01_desc-total_fieldmap.nii.gz').get_fdata()
    labels = nb.load(truth / 'anat/sub-01_dseg.nii.gz').get_fdata()
    error = np.angle(np.exp(1j * (second - first - 2 * np.pi * 0.004 * field)))
    assert np.median(np.abs(error[labels == 20])) < 0.03
    assert nb.load(truth / 'anat/sub-01_Chimap.nii.gz').get_fdata()[labels == 5].mean() > 0.09


def test_the_table_names_every_label(demo_dataset):
    table = demo_dataset / 'derivatives/truth/sub-01/anat/sub-01_dseg.tsv'
    rows = [line.split('\t') for line in table.read_text().splitlines()]
    assert rows[0] == ['index', 'name', 'volume', 'chi', 'r2star']
    row = next(r for r in rows if r[1] == 'right_caudate')
    assert float(row[3]) == pytest.approx(0.044, abs=0.02)


def test_the_t1w_image_shows_white_brighter_than_gray(demo_dataset):
    image = nb.load(demo_dataset / 'sub-01/anat/sub-01_T1w.nii.gz')
    truth = nb.load(demo_dataset / 'derivatives/truth/sub-01/anat/sub-01_dseg.nii.gz')
    values = np.asarray(truth.dataobj)
    onto = np.linalg.inv(image.affine) @ truth.affine
    means = []
    for value in (20, 21, 22):  # white matter, gray matter, fluid
        places = np.argwhere(values == value) @ onto[:3, :3].T + onto[:3, 3]
        means.append(map_coordinates(image.get_fdata(), places.T, order=1).mean())
    assert means[0] > 1.2 * means[1] > 1.2 * 1.2 * means[2]


def test_a_seed_gives_the_same_bytes(tmp_path):
    prints = []
    for folder, seed in (('a', 1), ('b', 1), ('c', 2)):
        write_demo(tmp_path / folder, replace(TINY, seed=seed))
        files = sorted((tmp_path / folder).rglob('sub-*.nii.gz'))
        prints.append([hashlib.sha256(f.read_bytes()).hexdigest() for f in files])
    assert prints[0] == prints[1]
    assert not set(prints[0]) & set(prints[2])


def test_model_errors_change_the_images_and_are_part_of_the_truth(tmp_path):
    for folder, errors in (('plain', ModelErrors()), ('people', PEOPLE)):
        write_demo(tmp_path / folder, replace(TINY, model_errors=errors))
    prints = [
        {
            f'{f.relative_to(folder)}': hashlib.sha256(f.read_bytes()).hexdigest()
            for f in sorted(folder.rglob('sub-*.nii.gz'))
        }
        for folder in (tmp_path / 'plain', tmp_path / 'people')
    ]
    added = prints[1].keys() - prints[0].keys()
    wrong = 'derivatives/truth/sub-01/fmap/sub-01_desc-modelerror_fieldmap.nii.gz'
    assert added == {wrong}
    changed = {name for name, print_ in prints[0].items() if prints[1][name] != print_}
    assert changed == {name for name in prints[0] if name.startswith('sub-01/')}
    sidecar = json.loads((tmp_path / 'people' / wrong.replace('.nii.gz', '.json')).read_text())
    assert sidecar['ModelErrors']['anisotropy'] == PEOPLE.anisotropy
    mask = nb.load(tmp_path / 'people/derivatives/truth/sub-01/anat/sub-01_desc-brain_mask.nii.gz')
    hertz = nb.load(tmp_path / 'people' / wrong).get_fdata()[mask.get_fdata() > 0]
    assert 0.3 < hertz.std() < 10


def test_progress_is_told_step_by_step(tmp_path):
    told = []
    write_demo(tmp_path / 'd', TINY, told.append)
    assert len(told) == TINY.steps
    assert told[-1] == 'sub-01: truth'


def test_a_group_has_patients_and_an_age_range():
    people = list(subjects(replace(TINY, subjects=12, group=True)).values())
    assert [p.diagnosis for p in people[:4]] == ['control', 'parkinson'] * 2
    assert np.ptp([p.age for p in people]) > 15
    assert {(p.sex, p.diagnosis) for p in people} == {
        (sex, group) for sex in 'FM' for group in ('control', 'parkinson')
    }
    assert {p.age for p in subjects(replace(TINY, subjects=3)).values()} == {50.0}


def test_the_default_volume_covers_the_head():
    assert default_shape((1.0, 1.0, 1.0)) == (192, 224, 192)
    assert default_shape((0.8, 0.8, 2.0)) == (240, 280, 96)


@pytest.mark.parametrize('orientations', [0, 9])
def test_the_demo_refuses_what_it_cannot_turn(orientations):
    with pytest.raises(ValueError, match='1 to 6 orientations'):
        replace(DemoOptions(), orientations=orientations)

"""The demo dataset: valid BIDS, honest conventions, the truth beside it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import nibabel as nb
import numba
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from bidsqsm.cli.demo import main
from bidsqsm.cli.validation import find_validator
from bidsqsm.io.atlases import read_dseg, resolve_atlases
from bidsqsm.io.demo import default_shape, scan_affine
from bidsqsm.io.demo_atlas import average_head
from bidsqsm.io.demo_dataset import DemoOptions, subjects, write_demo, write_stored
from bidsqsm.io.errors import DatasetError
from bidsqsm.io.vendors import CONVENTIONS, convention
from bidsqsm.qsm.phantom.labels import NUCLEUS_VALUES
from bidsqsm.qsm.phantom.shapes import NUCLEI_SHAPES
from bidsqsm.qsm.phantom.signal import Sequence
from bidsqsm.qsm.phantom.tissue import NUCLEI

TINY = DemoOptions(
    voxel_size=(7.0, 6.0, 8.0),
    shape=(27, 37, 25),
    t1w=False,
    sequence=Sequence(echo_times=(0.005, 0.01)),
)


@pytest.fixture
def signal():
    random = np.random.default_rng(0)
    parts = random.normal(0, 1, (2, 1, 6, 7, 8))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def _decoded(name, files):
    """Phase in rad that grows with +dB0, by each maker's rule written out once more."""
    if name == 'ge':
        turned = files['real'] + 1j * files['imag']
        turned[..., 1::2] *= -1
        return np.angle(np.conj(turned))
    phase = files['phase'].astype(float)
    return {
        'radians': phase,
        'opposite': -phase,
        'siemens': 2 * np.pi * phase / 4096 - np.pi,
        'siemens-signed': np.pi * phase / 4096,
        'philips': phase / 1000,
    }[name]


@pytest.mark.parametrize('name', CONVENTIONS)
def test_each_convention_can_be_decoded_from_its_files(name, signal, tmp_path):
    files = {}
    for image in convention(name).store(signal):
        path = tmp_path / f'{image.part}.nii.gz'
        write_stored(path, image, np.eye(4))
        files[image.part] = np.asarray(nb.load(path).dataobj)
    error = np.angle(np.exp(1j * (_decoded(name, files) - np.angle(signal[0]))))
    strong = np.abs(signal[0]) > 0.3
    assert np.abs(error[strong]).max() < 2.5e-3
    if 'mag' in files:
        np.testing.assert_allclose(files['mag'] / 1500, np.abs(signal[0]), atol=1e-3)


def test_integers_lie_in_the_files_as_scanners_store_them(signal):
    for name, ends in {'siemens': (0, 4095), 'siemens-signed': (-4096, 4094)}.items():
        (phase,) = (s for s in convention(name).store(signal) if s.part == 'phase')
        assert phase.stored.dtype == np.int16
        assert ends == (phase.inter, phase.slope * 4095 + phase.inter)


def test_an_unknown_convention_is_refused():
    with pytest.raises(ValueError, match='there are: radians'):
        convention('canon')


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


def test_the_atlas_is_the_average_head_in_its_nominal_place(demo_dataset):
    folder = demo_dataset / 'derivatives' / 'atlas'
    (atlas,) = resolve_atlases([str(folder)])
    assert (atlas.name, atlas.template.name, atlas.warnings) == ('Demo', 'DemoTemplate', ())
    assert [label.index for label in atlas.labels] == list(NUCLEUS_VALUES)
    assert {label.structure for label in atlas.labels} == set(NUCLEI)
    values, affine = read_dseg(atlas)
    for label in atlas.labels:
        side = {'L': -1, 'R': 1}[label.hemisphere]
        if len(NUCLEI_SHAPES[label.structure]) == 1 and label.structure != 'caudate':
            (solid,) = NUCLEI_SHAPES[label.structure]
            centre = np.argwhere(values == label.index).mean(0) @ affine[:3, :3].T + affine[:3, 3]
            np.testing.assert_allclose(centre, np.multiply(solid.centre, (side, 1, 1)), atol=1)
    # both sides are mirror images but for where the voxels lie
    sizes = np.bincount(values.ravel(), minlength=17)[1:].reshape(-1, 2)
    np.testing.assert_allclose(sizes[:, 0], sizes[:, 1], rtol=0.25)
    assert (sizes > 0).all()


def test_the_atlas_has_the_contrast_of_the_heads_and_nobodys_vessels(demo_dataset):
    t1w, labels, _ = average_head(2)
    white, gray, fluid = (t1w[labels == value].mean() for value in (20, 21, 22))
    assert white > 1.2 * gray > 1.2 * 1.2 * fluid
    assert not {23, 24, 25} & set(np.unique(labels))
    mask = nb.load(demo_dataset / 'derivatives/atlas/mask.nii.gz')
    np.testing.assert_array_equal(np.asarray(mask.dataobj), labels > 0)


def test_progress_is_told_step_by_step(tmp_path):
    told = []
    write_demo(tmp_path / 'd', TINY, told.append)
    assert len(told) == TINY.steps
    assert told[-1] == 'sub-01: truth'


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / 'mine.txt').write_text('precious')
    with pytest.raises(DatasetError, match='is not empty'):
        write_demo(tmp_path, TINY)
    assert main([str(tmp_path)]) == 2
    assert 'bidsqsm demo failed' in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']


def test_a_group_has_patients_and_an_age_range():
    people = list(subjects(replace(TINY, subjects=12, group=True)).values())
    assert [p.diagnosis for p in people[:4]] == ['control', 'parkinson'] * 2
    assert np.ptp([p.age for p in people]) > 15
    assert {(p.sex, p.diagnosis) for p in people} == {
        (sex, group) for sex in 'FM' for group in ('control', 'parkinson')
    }
    assert {p.age for p in subjects(replace(TINY, subjects=3)).values()} == {50.0}


def test_the_command_line_reaches_the_dataset(tmp_path, capsys):
    where = tmp_path / 'demo'
    words = (
        '--voxel-size 7 6 8 --shape 27 37 25 --tilt x 20 --tilt y 15 --echo-times 0.006 --no-t1w'
    )
    words += (
        ' --phase-convention siemens-signed --bipolar --field-strength 7 --seed 4 --subjects 2'
    )
    assert main([str(where), *words.split()]) == 0
    assert 'Wrote 2 simulated' in capsys.readouterr().out
    anat = where / 'sub-02' / 'anat'
    assert sorted(p.name for p in anat.glob('*.nii.gz')) == [
        'sub-02_echo-1_part-mag_MEGRE.nii.gz',
        'sub-02_echo-1_part-phase_MEGRE.nii.gz',
    ]
    image = nb.load(anat / 'sub-02_echo-1_part-phase_MEGRE.nii.gz')
    expected = scan_affine((27, 37, 25), (7, 6, 8), [('x', 20), ('y', 15)])
    np.testing.assert_allclose(image.affine, expected, atol=1e-4)
    values = np.asarray(image.dataobj)
    assert -4096 <= values.min() < -3500 < 3500 < values.max() <= 4094
    sidecar = json.loads((anat / 'sub-02_echo-1_part-phase_MEGRE.json').read_text())
    assert sidecar['MagneticFieldStrength'] == 7
    assert sidecar['Manufacturer'] == 'Siemens'
    assert (where / 'participants.tsv').read_text().splitlines()[2].startswith('sub-02\t50\t')


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        ('--tilt q 20', 'no axis'),
        ('--tilt x steep', 'degrees'),
        ('--echo-times 4 8', 'seconds'),
        ('--subjects 0', 'at least one'),
        ('--voxel-size 0 1 1', 'voxel sizes'),
        ('--shape 2 60 60', '8 voxels'),
        ('--field-strength 100', '12 T'),
        ('--snr 0', 'SNR'),
    ],
)
def test_a_wrong_option_says_what_is_wrong(words, says, tmp_path, capsys):
    assert main([str(tmp_path / 'demo'), *words.split()]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / 'demo' / 'sub-01').exists()


def test_the_default_volume_covers_the_head():
    assert default_shape((1.0, 1.0, 1.0)) == (192, 224, 192)
    assert default_shape((0.8, 0.8, 2.0)) == (240, 280, 96)


@pytest.mark.parametrize('given', ['', 'somewhere'])
def test_the_demo_leaves_no_compiled_code_in_the_installation(tmp_path, monkeypatch, given):
    monkeypatch.setattr(numba.config, 'CACHE_DIR', given)
    used = []
    monkeypatch.setattr(
        'bidsqsm.cli.demo.write_demo', lambda *_: used.append(numba.config.CACHE_DIR)
    )
    assert main([str(tmp_path / 'demo')]) == 0
    assert given == numba.config.CACHE_DIR
    (folder,) = used
    assert folder == given if given else folder and not Path(folder).exists()

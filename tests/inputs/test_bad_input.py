"""What bad input gets: one sentence with file, found, expected and what to do."""

from __future__ import annotations

import gzip
import json
import struct

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_volume, save_volume
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from helpers.bids_skeleton import ECHO_TIMES, SCANNER, SHAPE, Skeleton

PHASE2 = 'sub-01_echo-2_part-phase_MEGRE.nii.gz'
MAG2 = 'sub-01_echo-2_part-mag_MEGRE.nii.gz'
PHASES = [f'sub-01_echo-{echo}_part-phase_MEGRE' for echo in (1, 2, 3)]
ALL = [*PHASES, *(name.replace('phase', 'mag') for name in PHASES)]


def reason(dataset: Skeleton) -> str:
    """Say why the run of sub-01 is skipped; a good run beside it must go on."""
    dataset.megre('sub-99', echo_times=(0.02,))
    bad, good = find_runs(dataset.root)
    assert isinstance(bad, Skipped)
    assert isinstance(good, GreRun)
    assert bad.name == 'sub-01'
    assert '\n' not in bad.reason
    assert not bad.reason.endswith('.')
    return bad.reason


def rewrite_header(path, offset: int, layout: str, *values) -> None:
    """Change bytes of a header that nibabel would not write so."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[offset : offset + struct.calcsize(layout)] = struct.pack(layout, *values)
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize('suffix', ['MEGRE', 'T2starw'])
def test_no_phase(skeleton, suffix):
    skeleton.megre(suffix=suffix, parts=('mag',), echo_times=(0.02,))
    said = reason(skeleton)
    assert f'sub-01_echo-1_part-mag_{suffix}.nii.gz has no phase, expected part-phase' in said


def test_no_magnitude(skeleton):
    skeleton.megre(parts=('phase',))
    assert 'has phase but no magnitude, expected part-mag' in reason(skeleton)


@pytest.mark.parametrize(('there', 'gone'), [('real', 'imag'), ('imag', 'real')])
def test_half_a_complex_number(skeleton, there, gone):
    skeleton.megre(parts=(there,))
    assert f'part-{there} only, expected part-{gone}' in reason(skeleton)


@pytest.mark.parametrize('name', [PHASE2, MAG2])
def test_a_missing_echo_is_named(one_run, name):
    one_run.find(name).unlink()
    said = reason(one_run)
    assert said.startswith(f'{name} is missing')
    assert 'has echoes 1, 3 where' in said
    assert 'has echoes 1, 2, 3' in said


def test_a_magnitude_that_was_summed_over_echoes(skeleton):
    skeleton.megre(parts=('phase',))
    skeleton.image('sub-01_part-mag_MEGRE.nii.gz', sidecar=SCANNER)
    assert 'has no echo- in its name where phase has echoes 1, 2, 3' in reason(skeleton)


def test_an_echo_that_all_parts_lack_is_a_warning(one_run):
    one_run.find(PHASE2).unlink()
    one_run.find(MAG2).unlink()
    (run,) = find_runs(one_run.root)
    assert run.echo_times == (0.004, 0.020)
    assert 'echoes 1, 3 found, the others are missing' in run.warnings[0]


def test_the_same_file_twice(one_run):
    one_run.image(PHASE2.removesuffix('.gz'))
    assert 'are the same part of the same echo, expected one file' in reason(one_run)


def test_a_magnitude_with_and_without_part_uses_the_one_with(one_run):
    one_run.image('sub-01_MEGRE.nii.gz')
    (run,) = find_runs(one_run.root)
    assert run.magnitude[0].name == 'sub-01_echo-1_part-mag_MEGRE.nii.gz'
    assert 'sub-01_MEGRE.nii.gz is left aside' in run.warnings[0]


@pytest.mark.parametrize('name', [PHASE2, MAG2])
def test_different_shapes(one_run, name):
    one_run.image(name, shape=(8, 9, 11))
    said = reason(one_run)
    assert f'{name} has shape (8, 9, 11) where' in said
    assert 'has (8, 9, 10), expected one grid' in said


def test_different_places(one_run):
    affine = one_run.affine.copy()
    affine[2, 3] += 0.5
    one_run.image(PHASE2, affine=affine)
    assert f'{PHASE2} lies elsewhere than' in reason(one_run)
    assert '(up to 0.5 voxels away), expected one grid' in reason(one_run)


def test_a_different_angle_is_seen_at_the_corners(one_run):
    angle = 0.02
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    one_run.image(PHASE2, affine=turn @ one_run.affine)
    assert 'lies elsewhere' in reason(one_run)


def test_rounding_of_the_affine_is_no_difference(one_run):
    one_run.image(PHASE2, affine=one_run.affine + 1e-4)
    assert isinstance(find_runs(one_run.root)[0], GreRun)


def test_different_numbers_of_channels(skeleton):
    sidecar = {**SCANNER, 'EchoTime': 0.02}
    skeleton.image('sub-01_echo-1_part-mag_MEGRE.nii.gz', shape=(*SHAPE, 4), sidecar=sidecar)
    skeleton.image('sub-01_echo-1_part-phase_MEGRE.nii.gz', shape=(*SHAPE, 5), sidecar=sidecar)
    assert 'has axes (5,) beyond the third where' in reason(skeleton)


def test_too_many_axes(skeleton):
    for part in ('mag', 'phase'):
        skeleton.image(
            f'sub-01_echo-1_part-{part}_MEGRE.nii.gz',
            shape=(*SHAPE, 2, 3),
            sidecar={**SCANNER, 'EchoTime': 0.02},
        )
    assert 'expected at most channels, as it has echo- in its name' in reason(skeleton)


def test_echo_time_absent(one_run):
    for name in ALL:
        one_run.change(name, EchoTime=None)
    assert 'EchoTime is absent, expected it in the sidecar in seconds' in reason(one_run)


def test_echo_time_absent_in_one(one_run):
    one_run.change(PHASES[1], EchoTime=None)
    assert reason(one_run).startswith(f'{PHASE2}: EchoTime is absent')


def test_no_sidecar_at_all(skeleton):
    for part in ('mag', 'phase'):
        skeleton.image(f'sub-01_part-{part}_T2starw.nii.gz')
    assert 'EchoTime is absent' in reason(skeleton)


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        ((0.004, 0.004, 0.02), f'{PHASE2} repeats EchoTime 0.004 s of sub-01_echo-1'),
        ((0.012, 0.004, 0.02), f'{PHASE2} has EchoTime 0.004 s after 0.012 s'),
        ((4, 12, 20), 'EchoTime 4, expected seconds: this looks like milliseconds'),
        ((0.004, 0, 0.02), f'{PHASE2} has EchoTime 0, expected more than 0 s'),
        ((-0.004, 0.012, 0.02), 'has EchoTime -0.004, expected more than 0 s'),
        ((0.004, '12 ms', 0.02), f"{PHASE2} has EchoTime '12 ms', expected a number"),
        ((0.004, float('nan'), 0.02), f'{PHASE2} has EchoTime nan, expected a number'),
    ],
)
def test_impossible_echo_times(one_run, values, sentence):
    for names in (PHASES, ALL[3:]):
        for name, value in zip(names, values, strict=True):
            one_run.change(name, EchoTime=value)
    said = reason(one_run)
    assert sentence.replace('phase', 'mag') in said or sentence in said


def test_echo_times_of_magnitude_and_phase_differ(one_run):
    one_run.change(PHASES[1], EchoTime=0.013)
    said = reason(one_run)
    assert f'{PHASE2} has EchoTime 0.013 s where magnitude has 0.012 s' in said


@pytest.mark.parametrize(('times', 'count'), [(0.004, 1), ([0.004, 0.012], 2)])
def test_a_file_of_several_echoes_with_too_few_times(skeleton, times, count):
    for part in ('mag', 'phase'):
        name = f'sub-01_part-{part}_MEGRE.nii.gz'
        skeleton.image(name, shape=(*SHAPE, 3), sidecar={**SCANNER, 'EchoTime': times})
    assert f'has 3 volumes along axis 4 but {count} EchoTime' in reason(skeleton)


@pytest.mark.parametrize(
    ('scanner', 'sentence'),
    [
        ({}, 'has neither MagneticFieldStrength nor ImagingFrequency'),
        ({'MagneticFieldStrength': 3000}, 'expected 0.02 to 25 T: it looks like mT'),
        ({'MagneticFieldStrength': 0}, 'MagneticFieldStrength 0, expected 0.02 to 25 T'),
        ({'MagneticFieldStrength': '3T'}, "MagneticFieldStrength '3T', expected a single number"),
        ({'ImagingFrequency': 123.2e6}, 'MHz: it looks like Hz'),
        ({'ImagingFrequency': 1e5}, 'ImagingFrequency 100000, expected 0.9 to 1064 MHz'),
        ({'MagneticFieldStrength': 7, 'ImagingFrequency': 123.2}, 'expected them to agree'),
    ],
)
def test_impossible_fields(skeleton, scanner, sentence):
    skeleton.megre(scanner=scanner)
    said = reason(skeleton)
    assert sentence in said
    assert 'sub-01_echo-1_part-phase_MEGRE.nii.gz' in said


@pytest.mark.parametrize('keep', [0, 20, 400, 0.5, 0.99])
def test_truncated_compressed_files(one_run, keep):
    path = one_run.find(PHASE2)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if keep < 1 else keep])
    said = reason(one_run)
    assert PHASE2 in said
    assert 'convert it anew' in said


@pytest.mark.parametrize('keep', [100, 0.5, 0.999])
def test_truncated_files(skeleton, keep):
    sidecar = {**SCANNER, 'EchoTime': 0.02}
    skeleton.image('sub-01_part-mag_T2starw.nii.gz', sidecar=sidecar)
    path = skeleton.image('sub-01_part-phase_T2starw.nii', sidecar=sidecar)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if keep < 1 else keep])
    assert 'sub-01_part-phase_T2starw.nii ' in reason(skeleton)


def test_a_file_with_room_behind_its_data_is_whole(one_run):
    path = one_run.find(PHASE2)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b'more'))
    assert isinstance(find_runs(one_run.root)[0], GreRun)


def test_a_file_that_was_never_fetched(one_run):
    path = one_run.find(PHASE2)
    path.unlink()
    path.symlink_to('../../.git/annex/objects/gone')
    assert 'is a link to nothing (fetch it first)' in reason(one_run)


@pytest.mark.parametrize('shape', [(16, 16), (16, 16, 1), (16, 16, 7), (5, 16, 16)])
def test_slices_and_thin_slabs(skeleton, shape):
    for part in ('mag', 'phase'):
        name = f'sub-01_part-{part}_T2starw.nii.gz'
        skeleton.image(name, shape=shape, sidecar={**SCANNER, 'EchoTime': 0.02})
    said = reason(skeleton)
    volume = (
        'expected a 3-D volume' if len(shape) < 3 else 'expected 8 voxels or more along each axis'
    )
    assert volume in said


def test_complex_values_in_one_file(one_run):
    one_run.image(PHASE2, data=np.ones(SHAPE, np.complex64))
    assert f'{PHASE2} holds complex64 values, expected real numbers' in reason(one_run)


@pytest.mark.parametrize(('slope', 'inter'), [(1e36, 0), (np.nan, 0), (1, np.inf)])
def test_a_slope_that_overflows(one_run, slope, inter):
    path = one_run.image(PHASE2, data=np.ones(SHAPE, np.int16))
    rewrite_header(path, 112, '<ff', slope, inter)
    assert PHASE2 in reason(one_run)


def test_a_sheared_affine(one_run):
    affine = one_run.affine.copy()
    affine[0, 1] = 0.05
    one_run.image(PHASE2, affine=affine)
    assert f'{PHASE2} has a sheared affine (cosine 0.04' in reason(one_run)


def test_an_affine_that_contradicts_the_voxel_size(one_run):
    path = one_run.find(PHASE2)
    rewrite_header(path, 80, '<fff', 2.0, 1.2, 2.0)
    said = reason(one_run)
    assert 'voxels of 1 x 1.2 x 2 mm by its affine and 2 x 1.2 x 2 mm by pixdim' in said


@pytest.mark.parametrize('value', [0.0, float('nan')])
def test_an_affine_of_nothing(one_run, value):
    rewrite_header(one_run.find(PHASE2), 280, '<ffff', value, value, value, value)
    assert f'{PHASE2} has an affine with voxels of' in reason(one_run)


def test_voxels_of_impossible_size(one_run):
    one_run.image(PHASE2, affine=np.diag([1e-3, 1e-3, 1e-3, 1]))
    assert 'expected edges of 0.01 to 20 mm' in reason(one_run)


def test_no_place_in_the_scanner(one_run):
    rewrite_header(one_run.find(PHASE2), 252, '<hh', 0, 0)
    assert f'{PHASE2} has neither sform nor qform' in reason(one_run)


@pytest.mark.parametrize('unit', ['meter', 'micron'])
def test_other_units_than_mm(one_run, unit):
    path = one_run.find(PHASE2)
    image = nb.load(path)
    data = image.get_fdata()
    image = nb.Nifti1Image(data, image.affine)
    image.header.set_xyzt_units(unit)
    nb.save(image, path)
    assert f'{PHASE2} is in units of {unit}, expected mm' in reason(one_run)


@pytest.mark.parametrize(
    ('sform', 'qform', 'taken', 'told'),
    [
        (1, 4, 'sform', 'sform was, whose code is that of the scanner'),
        (1, 2, 'sform', 'sform was, whose code is that of the scanner'),
        (4, 1, 'qform', 'qform was, whose code is that of the scanner'),
        (2, 1, 'qform', 'qform was, whose code is that of the scanner'),
        (1, 1, 'sform', 'both or neither claim'),
        (2, 4, 'sform', 'both or neither claim'),
    ],
)
def test_of_sform_and_qform_that_disagree_that_of_the_scanner_is_taken(
    one_run, sform, qform, taken, told
):
    """One warning for all files of a run, which names B0."""
    for name in ALL:
        path = one_run.find(f'{name}.nii.gz')
        image = nb.load(path)
        other = image.affine.copy()
        other[0, 3] += 5
        image.set_sform(image.affine, code=sform)
        image.set_qform(other, code=qform)
        nb.save(nb.Nifti1Image(image.get_fdata(), image.affine, image.header), path)
    (run,) = find_runs(one_run.root)
    assert run.affine[0][3] == {'sform': -4, 'qform': 1}[taken]
    (warning,) = run.warnings
    assert 'disagree by up to 5 voxels, and the direction of B0 hangs on' in warning
    assert told in warning


@pytest.mark.parametrize(('sform', 'qform'), [(4, 0), (0, 3), (4, 4)])
def test_an_image_in_the_space_of_a_template_is_a_warning(one_run, sform, qform):
    for name in ALL:
        path = one_run.find(f'{name}.nii.gz')
        image = nb.load(path)
        place = image.affine.copy()
        image.set_sform(place, code=sform)
        image.set_qform(place, code=qform)
        nb.save(image, path)
    (run,) = find_runs(one_run.root)
    (warning,) = run.warnings
    assert 'space of a template by its header' in warning


def test_a_sidecar_that_is_no_json(one_run):
    one_run.find(f'{PHASES[1]}.json').write_text('{"EchoTime": 0.01,}')
    assert f'{PHASES[1]}.json is not valid JSON' in reason(one_run)


def test_a_sidecar_that_is_a_list(one_run):
    one_run.find(f'{PHASES[1]}.json').write_text('[1]')
    assert 'holds a list, expected an object' in reason(one_run)


def test_every_sentence_stands_beside_the_others(skeleton):
    """Several runs in trouble are all told of, and none stops the good one."""
    skeleton.megre('sub-01', parts=('phase',))
    skeleton.megre('sub-02', scanner={})
    skeleton.megre('sub-03')
    skeleton.megre('sub-04', echo_times=[1000 * te for te in ECHO_TIMES])
    kinds = [type(run) for run in find_runs(skeleton.root)]
    assert kinds == [Skipped, Skipped, GreRun, Skipped]


def test_no_such_folder(tmp_path):
    with pytest.raises(DatasetError, match=r'gone does not exist, expected the root folder'):
        find_runs(tmp_path / 'gone')


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match=r'is not a folder'):
        find_runs(tmp_path / 'file')


def test_no_dataset_description(one_run):
    (one_run.root / 'dataset_description.json').unlink()
    with pytest.raises(DatasetError, match=r'it has no dataset_description.json; give the folder'):
        find_runs(one_run.root)


def test_a_subject_in_place_of_the_dataset(one_run):
    with pytest.raises(DatasetError, match=f'not a BIDS dataset.*; give {one_run.root}$'):
        find_runs(one_run.root / 'sub-01')


def test_a_dataset_description_that_lacks_the_version(one_run):
    path = one_run.root / 'dataset_description.json'
    path.write_text(json.dumps({'Name': 'x'}))
    with pytest.raises(DatasetError, match=r'lacks BIDSVersion'):
        find_runs(one_run.root)


def test_no_subjects(skeleton):
    with pytest.raises(DatasetError, match=r'has no sub-<label> folders'):
        find_runs(skeleton.root)


def test_a_qform_that_rounds_the_sform_is_no_disagreement(one_run):
    for name in ALL:
        path = one_run.find(f'{name}.nii.gz')
        volume, affine = load_volume(path)
        save_volume(volume, affine, path)
    (run,) = find_runs(one_run.root)
    assert run.warnings == ()

"""Whatever lies where a file of a subject should be costs that subject a sentence, and no other."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import struct
from pathlib import Path

import pytest

from bidsqsm.derivatives.acquisition_text import rows as acquisition_rows
from bidsqsm.derivatives.sidecars import acquisition
from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import load_volume
from bidsqsm.inputs.discovery import find_runs
from bidsqsm.inputs.run import GreRun, Skipped
from bidsqsm.inputs.run_table import run_table
from helpers.bids_skeleton import Skeleton
from helpers.rights import as_plain_user, open_folder

IMAGE = 'sub-02_echo-2_part-phase_MEGRE.nii.gz'
SIDECAR = 'sub-02_echo-2_part-phase_MEGRE.json'


@pytest.fixture
def two(one_run) -> Skeleton:
    """A good subject, and sub-02, which is to be spoilt."""
    one_run.megre('sub-02')
    return one_run


def skipped(dataset: Skeleton) -> list[Skipped]:
    """All that is skipped; sub-01 must go on, and every run have a name that can be printed."""
    runs = find_runs(dataset.root)
    assert [run.name for run in runs if isinstance(run, GreRun) and run.name == 'sub-01']
    lost = [run for run in runs if isinstance(run, Skipped)]
    assert all(run.name.isprintable() for run in lost)
    assert run_table(runs).isascii()
    return lost


def only(dataset: Skeleton) -> str:
    """Say why sub-02, and nothing else, is skipped."""
    (lost,) = skipped(dataset)
    assert lost.name == 'sub-02'
    return lost.reason


def patch(path: Path, offset: int, layout: str, *values: float) -> None:
    """Change bytes of a header."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[offset : offset + struct.calcsize(layout)] = struct.pack(layout, *values)
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('{"a":' * 20000 + '1' + '}' * 20000, 'nested too deeply'),
        ('[' * 20000 + ']' * 20000, 'nested too deeply'),
        ('{"a":' + '[' * 500 + ']' * 500 + '}', 'nested more than 64 deep'),
        (json.dumps({'EchoTime': int('9' * 401)}), 'EchoTime inf, expected a number'),
        ('{"EchoTime": ' + '9' * 5000 + '}', 'EchoTime inf, expected a number'),
        ('{"EchoTime": -' + '9' * 401 + '}', 'EchoTime -inf, expected a number'),
        ('{"EchoTime": "' + 'a' * 100_000 + '"}', 'expected a number in seconds'),
        ('{"EchoTime": "\\ud800\\n"}', 'expected a number in seconds'),
        ('\0' * 100, 'zero bytes'),
        ('\udcff', 'is not valid JSON'),
    ],
    ids=range(10),
)
def test_content_of_a_sidecar(two, content, said):
    two.find(SIDECAR).write_text(content, errors='surrogateescape')
    reason = only(two)
    assert SIDECAR.removesuffix('.json') in reason
    assert said in reason
    assert len(reason) < 5000


@pytest.mark.parametrize(
    ('offset', 'layout', 'values', 'said'),
    [
        (252, '<2h3f', (1, 1, 0.9, 0.9, 0.9), 'cannot be read'),
        (108, '<f', (float('inf'),), 'cannot be read'),
        (108, '<f', (float('nan'),), 'cannot be read'),
        (108, '<f', (-1e30,), 'cannot be read'),
        (108, '<f', (1e30,), 'is truncated'),
        (123, '<B', (255,), 'has xyzt_units 255, expected 2'),
        (123, '<B', (6,), 'has xyzt_units 6, expected 2'),
        (40, '<8h', (7, *[32767] * 7), 'is truncated'),
        (40, '<8h', (4, 8, 9, 10, -3, 1, 1, 1), 'expected no empty axis'),
        (40, '<8h', (4, 8, 9, 10, 0, 1, 1, 1), 'expected no empty axis'),
        (70, '<h', (9999,), 'cannot be read'),
        (280, '<12f', (float('nan'),) * 12, 'has an affine with voxels'),
    ],
)
def test_a_header(two, offset, layout, values, said):
    path = two.find(IMAGE)
    patch(path, offset, layout, *values)
    reason = only(two)
    assert IMAGE in reason
    assert said in reason


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(path.parent)  # addresses of sockets are short
        made.bind(path.name)
        os.chdir(before)


def endless(path: Path) -> None:
    path.symlink_to('/dev/zero')


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


def a_dangling_link(path: Path) -> None:
    path.symlink_to('../../.git/annex/objects/gone')


KINDS = [
    (a_folder, 'is a folder, expected a regular file'),
    (a_pipe, 'is a named pipe, expected a regular file'),
    (a_socket, 'is a socket, expected a regular file'),
    (endless, 'is a device, expected a regular file'),
    (a_loop, 'is a link that leads back to itself'),
    (a_dangling_link, 'is a link to nothing (fetch it first)'),
]


@pytest.mark.parametrize('name', [IMAGE, SIDECAR])
@pytest.mark.parametrize(('make', 'said'), KINDS)
def test_what_is_no_regular_file_is_not_opened(two, name, make, said):
    path = two.find(name)
    path.unlink()
    make(path)
    assert only(two).startswith(f'{path} {said}')


@pytest.mark.parametrize(('make', 'said'), KINDS)
def test_a_given_mask_that_is_no_regular_file(two, tmp_path, make, said):
    masks = tmp_path / 'masks'
    masks.mkdir()
    shutil.copy(two.find('sub-01_echo-1_part-mag_MEGRE.nii.gz'), masks / 'sub-01.nii.gz')
    make(masks / 'sub-02.nii.gz')
    _, lost = find_runs(two.root, mask_pattern=f'{masks}/sub-{{subject}}.nii.gz')
    assert isinstance(lost, Skipped)
    assert said in lost.reason


def test_a_file_too_long_for_a_text(two):
    path = two.find(SIDECAR)
    os.truncate(path, 10**12)
    assert 'holds 953674 MiB, where a text of 64 MiB is the most' in only(two)


def test_junk_behind_a_compressed_image(two):
    path = two.find(IMAGE)
    path.write_bytes(path.read_bytes() + b'junk')
    assert 'has something else behind its compressed image' in only(two)


def test_a_second_stream_that_is_cut(two):
    path = two.find(IMAGE)
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(5000))[:20])
    assert 'is truncated' in only(two)


def test_no_more_is_read_than_the_header_says(two):
    path = two.find(IMAGE)
    with gzip.open(path, 'ab', compresslevel=1) as stream:
        for _ in range(64):
            stream.write(bytes(2**20))
    assert 'behind the image that its header describes' in only(two)
    with pytest.raises(DatasetError, match='behind the image that its header describes'):
        load_volume(path)


def test_a_long_file_that_is_not_compressed(two):
    path = two.find(IMAGE)
    plain = path.with_suffix('')
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    os.truncate(plain, 10**11)
    assert 'holds 99999996768 bytes behind the image' in only(two)


def test_padding_behind_an_image_is_none_of_its_business(two):
    path = two.find(IMAGE)
    before = load_volume(path)[0]
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(4096)) + bytes(512))
    assert len(find_runs(two.root)) == 2
    assert (load_volume(path)[0] == before).all()


@pytest.mark.parametrize(
    'label', ['**', '', '[a', 'a b', 'a.b', 'a\nb', '\udcff\udcfe', '01 copy']
)
def test_a_label_that_no_file_may_have(one_run, label):
    shutil.copytree(one_run.root / 'sub-01', one_run.root / f'sub-{label}')
    (lost,) = skipped(one_run)
    assert 'expected letters, digits and + only: rename it' in lost.reason


@pytest.mark.parametrize('label', ['**', '', 'a\x1bb', '\udcff'])
def test_a_session_with_such_a_label(two, label):
    shutil.copytree(two.root / 'sub-01/anat', two.root / f'sub-02/ses-{label}/anat')
    (lost,) = skipped(two)
    assert lost.entities['sub'] == '02'
    assert 'ses' in lost.entities
    assert 'rename it' in lost.reason


def test_a_file_whose_name_is_no_utf_8(two):
    for path in (two.root / 'sub-02/anat').iterdir():
        path.rename(path.with_name(path.name.replace('sub-02', 'sub-02_acq-\udcff')))
    (lost,) = skipped(two)
    assert 'expected letters, digits and + only: rename its files' in lost.reason


@pytest.mark.parametrize('name', ['sub-x', 'sub-02/ses-x', 'sub-x/anat', 'sub-02/ses-x/anat'])
@pytest.mark.parametrize('target', ['x', 'gone'])
def test_folders_that_are_links_to_nowhere(two, name, target):
    path = two.root / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(path.name if target == 'x' else 'gone')
    (lost,) = skipped(two)
    said = 'leads back to itself' if target == 'x' else 'is a link to nothing'
    assert f'{path} is a link' in lost.reason
    assert said in lost.reason


def test_an_anat_that_is_a_file(two):
    shutil.rmtree(two.root / 'sub-02/anat')
    (two.root / 'sub-02/anat').write_text('')
    assert f'{two.root}/sub-02/anat is, or lies below, what is no folder' in only(two)


@pytest.mark.parametrize('session', ['', 'ses-a'])
@pytest.mark.parametrize('place', ['', 'anat', IMAGE, SIDECAR])
def test_what_may_not_be_read_is_told(session, place):
    with open_folder() as folder:
        dataset = Skeleton(folder / 'ds')
        dataset.megre('sub-01')
        who = f'sub-02_{session}'.rstrip('_')
        dataset.megre(who)
        named = place.replace('sub-02', who)
        path = dataset.root / 'sub-02' / session / ('anat' if '.' in place else '') / named
        path.chmod(0)
        try:
            with as_plain_user():
                good, lost = find_runs(dataset.root)
        finally:
            path.chmod(0o755)
    assert isinstance(good, GreRun)
    assert lost.entities['sub'] == '02'
    assert 'may not be read by this user' in lost.reason
    assert str(path) in lost.reason


def test_a_derivative_dataset_that_may_not_be_read_is_not_passed_over():
    with open_folder() as folder:
        dataset = Skeleton(folder / 'ds')
        dataset.megre('sub-01')
        dataset.megre('sub-02')
        given = Skeleton(folder / 'masks')
        for who in ('sub-01', 'sub-02'):
            (given.root / who / 'anat').mkdir(parents=True)
        closed = given.root / 'sub-02' / 'anat'
        closed.chmod(0)
        try:
            with as_plain_user():
                good, lost = find_runs(dataset.root, derivatives={'masks': given.root})
        finally:
            closed.chmod(0o755)
    assert isinstance(good, GreRun)
    assert f'{closed} may not be read by this user' in lost.reason


@pytest.mark.parametrize(
    'value', [{}, [None, 15], [[1]], 'fifteen', True, ['15', '15'], {'a': []}]
)
@pytest.mark.parametrize('key', ['FlipAngle', 'RepetitionTime', 'AcquisitionVoxelSize'])
def test_what_should_be_a_number_and_is_none_is_left_aside(two, key, value):
    for echo in (1, 2, 3):
        two.change(f'sub-02_echo-{echo}_part-phase_MEGRE.nii.gz', **{key: value})
    _, run = find_runs(two.root)
    assert key not in run.metadata
    assert [said for said in run.warnings if f'{key} ' in said and 'is left aside' in said]
    acquisition_rows(acquisition(run))

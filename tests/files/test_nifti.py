"""Reading and writing of NIfTI files: axes, scale, wholeness."""

from __future__ import annotations

import gzip
import pickle
import struct

import nibabel as nb
import numpy as np
import pytest

from bidsqsm.errors import DatasetError
from bidsqsm.files.nifti import (
    channel_loader,
    load_stored,
    load_volume,
    load_volumes,
    save_volume,
)

SHAPE = (8, 9, 10)
AFFINE = np.array([[1.0, 0, 0, -4], [0, 1.5, 0, 3], [0, 0, 2, -7], [0, 0, 0, 1]])


def write(path, data, slope=1.0, inter=0.0):
    """Store these very numbers with this slope and intercept in the header."""
    image = nb.Nifti1Image(data, AFFINE)
    image.header['scl_slope'], image.header['scl_inter'] = 1, 0
    nb.save(image, path)
    opener = gzip.open if path.suffix == '.gz' else open
    with opener(path, 'rb') as file:
        raw = bytearray(file.read())
    raw[112:120] = struct.pack('<ff', slope, inter)
    with opener(path, 'wb') as file:
        file.write(bytes(raw))
    return path


@pytest.fixture
def numbers():
    return np.random.default_rng(0).integers(-4096, 4095, (*SHAPE, 3)).astype(np.int16)


@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
def test_echoes_leave_as_the_last_axis_and_come_back_as_the_first(tmp_path, ending):
    echoes = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    path = save_volume(echoes, AFFINE, tmp_path / 'new' / f'x{ending}')
    assert nb.load(path).shape == (*SHAPE, 3)
    back, affine = load_volume(path)
    np.testing.assert_array_equal(back, echoes)
    np.testing.assert_allclose(affine, AFFINE)
    assert back.flags.c_contiguous
    assert back.dtype == np.float32
    np.testing.assert_array_equal(load_volumes([path]), echoes)


def test_slope_and_intercept_are_applied(tmp_path, numbers):
    path = write(tmp_path / 'a.nii.gz', numbers[..., 0], slope=2, inter=-4096)
    volume, _ = load_volume(path)
    np.testing.assert_array_equal(volume, 2.0 * numbers[..., 0] - 4096)


def test_stored_numbers_come_with_their_scale(tmp_path, numbers):
    paths = [write(tmp_path / f'{e}.nii', numbers[..., e], slope=2, inter=-4096) for e in range(3)]
    stored, slope, inter = load_stored(paths)
    assert stored.dtype == np.int16
    assert (slope, inter) == (2, -4096)
    np.testing.assert_array_equal(stored, np.moveaxis(numbers, -1, 0))


def test_echoes_that_are_scaled_each_in_its_own_way_are_brought_to_one_scale(tmp_path, numbers):
    paths = [write(tmp_path / f'{e}.nii', numbers[..., e], slope=e + 1) for e in range(3)]
    stored, slope, inter = load_stored(paths)
    assert (slope, inter) == (1, 0)
    np.testing.assert_array_equal(stored[2], 3.0 * numbers[..., 2])


def test_a_slope_of_zero_means_none(tmp_path, numbers):
    path = write(tmp_path / 'a.nii', numbers[..., 0], slope=0, inter=5)
    np.testing.assert_array_equal(load_volume(path)[0], numbers[..., 0])


@pytest.mark.parametrize(
    ('slope', 'inter'), [(1e36, 0), (np.nan, 0), (np.inf, 0), (1, np.inf), (1, np.nan)]
)
def test_a_slope_that_overflows_is_refused(tmp_path, numbers, slope, inter):
    path = write(tmp_path / 'a.nii.gz', numbers[..., 0], slope, inter)
    with pytest.raises(DatasetError, match=r'a\.nii\.gz.*(scl_slope|scl_inter|intercept)'):
        load_volume(path)


@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
def test_a_truncated_file_is_named(tmp_path, numbers, ending):
    path = write(tmp_path / f'short{ending}', numbers)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DatasetError, match=r'short.*is truncated.*convert it anew'):
        load_volume(path)


def test_a_flipped_byte_in_a_compressed_file_is_noticed(tmp_path, numbers):
    path = write(tmp_path / 'flip.nii.gz', numbers)
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1  # its checksum
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match='flip'):
        load_volume(path)


def test_what_is_no_image_is_named(tmp_path):
    path = tmp_path / 'text.nii.gz'
    path.write_text('not an image')
    with pytest.raises(DatasetError, match=r'text.*cannot be read'):
        load_volume(path)
    with pytest.raises(DatasetError, match=r'gone.*does not exist'):
        load_volume(tmp_path / 'gone.nii')


def test_a_link_to_nothing_asks_to_fetch_the_file(tmp_path):
    (tmp_path / 'a.nii').symlink_to(tmp_path / 'annexed')
    with pytest.raises(DatasetError, match='fetch'):
        load_volume(tmp_path / 'a.nii')


def test_channels_come_one_by_one_with_echoes_first(tmp_path):
    data = np.random.default_rng(2).normal(size=(*SHAPE, 2, 4)).astype(np.float32)
    one_file = write(tmp_path / 'five.nii.gz', data, slope=3, inter=1)
    per_echo = [write(tmp_path / f'{e}.nii.gz', data[..., e, :], 3, 1) for e in range(2)]
    for load in (channel_loader([one_file]), channel_loader(per_echo)):
        for channel in (0, 1, 3, 2):
            expected = np.moveaxis(3 * data[..., channel] + 1, -1, 0)
            np.testing.assert_allclose(load(channel), expected, atol=1e-6)


def test_five_axes_come_as_channels_then_echoes(tmp_path):
    data = np.random.default_rng(2).normal(size=(*SHAPE, 2, 4)).astype(np.float32)
    volume, _ = load_volume(write(tmp_path / 'five.nii', data))
    np.testing.assert_array_equal(volume[3, 1], data[..., 1, 3])


def test_echoes_on_different_grids_are_not_stacked(tmp_path, numbers):
    a = write(tmp_path / 'a.nii', numbers[..., 0])
    b = write(tmp_path / 'b.nii', numbers[:-1, ..., 0])
    with pytest.raises(
        DatasetError, match=r'b\.nii has shape \(7, 9, 10\), expected \(8, 9, 10\)'
    ):
        load_volumes([a, b])


def test_the_same_array_gives_the_same_bytes(tmp_path):
    volume = np.random.default_rng(1).normal(size=SHAPE)
    a = save_volume(volume, AFFINE, tmp_path / 'a.nii.gz')
    b = save_volume(volume, AFFINE, tmp_path / 'b.nii.gz')
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize(
    ('array', 'stored'),
    [(np.ones(SHAPE, bool), 'u1'), (np.ones(SHAPE, np.int16), 'i2'), (np.ones(SHAPE), 'f4')],
)
def test_masks_are_bytes_labels_stay_whole_and_maps_are_floats(tmp_path, array, stored):
    path = save_volume(array, AFFINE, tmp_path / 'a.nii.gz')
    image = nb.load(path)
    assert image.get_data_dtype() == np.dtype(stored)
    assert image.header.get_xyzt_units()[0] == 'mm'
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-6)


def test_a_failed_write_leaves_the_old_file_and_no_crumbs(tmp_path, monkeypatch):
    path = save_volume(np.ones(SHAPE), AFFINE, tmp_path / 'a.nii.gz')
    before = path.read_bytes()

    def full(self, stream):
        stream.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(nb.Nifti1Header, 'write_to', full)
    with pytest.raises(OSError, match=r'a\.nii\.gz could not be written \(No space left'):
        save_volume(np.zeros(SHAPE), AFFINE, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['a.nii.gz']


def test_errors_survive_a_process_border():
    assert str(pickle.loads(pickle.dumps(DatasetError('x')))) == 'x'  # noqa: S301


def test_byte_order_and_a_last_axis_of_one_make_no_difference(tmp_path, numbers):
    path = tmp_path / 'big.nii.gz'
    header = nb.Nifti1Header(endianness='>')
    header.set_data_dtype('>i2')
    nb.save(nb.Nifti1Image(numbers[..., :1], AFFINE, header), path)
    assert nb.load(path).get_data_dtype() == np.dtype('>i2')
    volume, _ = load_volume(path)
    np.testing.assert_array_equal(volume, numbers[..., 0])
    stored, _, _ = load_stored([path])
    np.testing.assert_array_equal(stored, numbers[np.newaxis, ..., 0])
    assert stored.dtype == np.int16
    assert stored.dtype.isnative


def test_another_format_is_refused(tmp_path):
    path = tmp_path / 'a.mgz'
    nb.save(nb.MGHImage(np.ones(SHAPE, np.float32), AFFINE), path)
    with pytest.raises(DatasetError, match=r'a\.mgz holds a MGHImage, expected NIfTI'):
        load_volume(path)


def test_damaged_channels_are_named(tmp_path):
    data = np.random.default_rng(2).normal(size=(*SHAPE, 4)).astype(np.float32)
    path = write(tmp_path / 'c.nii.gz', data)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    load = channel_loader([path])
    with pytest.raises(DatasetError, match=r'c\.nii\.gz cannot be read'):
        load(3)


def test_a_short_stream_that_ends_well_is_named(tmp_path, numbers):
    path = write(tmp_path / 'short.nii.gz', numbers)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-100]))
    with pytest.raises(
        DatasetError, match=r'short.*truncated, it holds 4572 bytes, expected 4672'
    ):
        load_volume(path)


def test_no_files_are_no_volume():
    with pytest.raises(ValueError, match=r'no files to read'):
        load_volumes([])

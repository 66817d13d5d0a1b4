"""NIfTI files read into echo-first arrays, and arrays written whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.openers import ImageOpener

from bidsqsm.errors import DatasetError
from bidsqsm.files.gzip_files import created, decompressed, measure
from bidsqsm.files.regular_files import open_regular, told

Array = npt.NDArray[Any]
Affine = npt.NDArray[np.float64]
#: Code of the affine that the scanner gave, as NIfTI says
SCANNER_CODE = 1
_CACHE_LINE_BYTES = 64  # axes are turned in strips of as much, several times as fast
#: What may lie behind an image in its file, such as what fills a block up.
MOST_PADDING_BYTES = 2**20
WHOLE_FILE = 'a whole NIfTI file'


def open_image(path: Path | str, *, keep_file_open: bool = False) -> Any:
    """Open a NIfTI file without reading its voxels.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file.
    keep_file_open
        Whether successive reads go on from where the last one ended.

    Raises
    ------
    DatasetError
        Where the file is missing or its header cannot be read.

    """
    path = Path(path)
    with told(path, WHOLE_FILE):
        open_regular(path).close()
        try:
            image = nb.Nifti1Image.from_filename(path, keep_file_open=keep_file_open)
        except Exception:  # noqa: BLE001 - slower, this knows other formats and says what is wrong
            image = nb.load(path, keep_file_open=keep_file_open)
    if not isinstance(image, nb.Nifti1Pair):
        raise DatasetError(f'{path} holds a {type(image).__name__}, expected NIfTI: convert it')
    return image


def scanner_affine(image: Any) -> Affine:
    """Affine that places an image in its scanner, on which the direction of B0 hangs.

    That of the qform where it alone has code 1, which is the scanner's; else that of the sform, if
    there is one.

    Examples
    --------
    >>> image = nb.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4))
    >>> image.set_qform(np.diag([2.0, 2.0, 2.0, 1.0]), 1)
    >>> image.set_sform(np.diag([3.0, 3.0, 3.0, 1.0]), 4)
    >>> float(scanner_affine(image)[0, 0])
    2.0

    """
    header = image.header
    if int(header['qform_code']) == SCANNER_CODE != int(header['sform_code']):
        return np.asarray(header.get_qform(), dtype=np.float64)
    return np.asarray(image.affine, dtype=np.float64)


def load_volume(path: Path | str) -> tuple[npt.NDArray[np.float32], Affine]:
    """Read one image, scaled by the slope and intercept in its header.

    Parameters
    ----------
    path
        A NIfTI file.

    Returns
    -------
    volume : float32 (nx, ny, nz) or (n_echoes, nx, ny, nz), C-contiguous
        The fourth axis of the file comes first. A file of five axes (echoes, then channels)
        comes as (n_channels, n_echoes, nx, ny, nz).
    affine : float64 (4, 4)
        From voxel indices to world coordinates, in mm.

    """
    image = open_image(path)
    stored = _stored(image, Path(path))
    slope, inter = slope_and_intercept(image, Path(path))
    # what was turned is a copy that may be changed; what was not may be the file itself
    volume = stored.astype(np.float32, copy=not stored.flags.owndata)
    if (slope, inter) != (1.0, 0.0):
        # in float64 by plane: slope * integer + intercept may need more digits than float32 has
        for index in range(volume.shape[0]):
            volume[index] = stored[index] * np.float64(slope) + inter
    return volume, scanner_affine(image)


def load_volumes(paths: Sequence[Path | str]) -> npt.NDArray[np.float32]:
    """Read the echoes of one part, whether in one file each or all in one file.

    Parameters
    ----------
    paths
        One 3-D file per echo, or a single file with echoes along its fourth axis.

    Returns
    -------
    float32 (n_echoes, nx, ny, nz), C-contiguous, scaled.

    """
    volumes = [load_volume(path)[0] for path in paths]
    return _echo_first(volumes, paths)


def load_stored(paths: Sequence[Path | str]) -> tuple[Array, float, float]:
    """Read the echoes as they are stored, before slope and intercept are applied.

    Parameters
    ----------
    paths
        One 3-D file per echo, or a single file with echoes along its fourth axis.

    Returns
    -------
    stored : (n_echoes, nx, ny, nz), the type of the file
    slope, inter : float
        ``value = slope * stored + inter``. Where the files differ in them there is no common
        stored scale: the array then holds the scaled values (float32) with slope 1, intercept 0.

    """
    images = [open_image(path) for path in paths]
    scales = {slope_and_intercept(i, Path(p)) for i, p in zip(images, paths, strict=True)}
    if len(scales) > 1:
        return load_volumes(paths), 1.0, 0.0
    slope, inter = scales.pop()
    stored = [_stored(i, Path(p)) for i, p in zip(images, paths, strict=True)]
    return _echo_first(stored, paths), slope, inter


def channel_loader(
    paths: Sequence[Path | str],
) -> Callable[[int], npt.NDArray[np.float32]]:
    """Give a reader of one receive channel at a time, so that they need not be in memory at once.

    Parameters
    ----------
    paths
        Files of one part: one per echo with channels along axis 4, or a single file with echoes
        along axis 4 and channels along axis 5.

    Returns
    -------
    A function from the index of a channel (from 0) to float32 (n_echoes, nx, ny, nz), scaled.
    Asked in ascending order, a compressed file is decompressed only once.

    """
    images = [open_image(path, keep_file_open=True) for path in paths]
    for image, path in zip(images, paths, strict=True):
        slope_and_intercept(image, Path(path))

    def load(channel: int) -> npt.NDArray[np.float32]:
        volumes = []
        for image, path in zip(images, paths, strict=True):
            with told(Path(path), WHOLE_FILE):
                data = np.asarray(image.dataobj[..., channel], dtype=np.float32)
            volumes.append(_axes_first(data))
        return _echo_first(volumes, paths)

    return load


def channel_file_loader(
    paths: Sequence[Path | str], n_channels: int
) -> Callable[[int], npt.NDArray[np.float32]]:
    """Give a reader of one receive channel at a time, where each has files of its own.

    Parameters
    ----------
    paths
        Files of one part, channel after channel, each in the order of its echoes.
    n_channels
        How many channels they hold.

    Returns
    -------
    A function from the index of a channel (from 0) to float32 (n_echoes, nx, ny, nz), scaled.

    """
    each = len(paths) // n_channels

    def load(channel: int) -> npt.NDArray[np.float32]:
        return load_volumes(paths[channel * each : (channel + 1) * each])

    return load


def slope_and_intercept(image: Any, path: Path) -> tuple[float, float]:
    """Slope and intercept of an image; a slope of 0 means 1 and 0, as NIfTI says.

    Raises
    ------
    DatasetError
        Where either is not finite, or takes the integers of the file beyond float32.

    """
    # nibabel blanks both in the header of an image it has read: look into the file
    with told(path, WHOLE_FILE), ImageOpener(path) as file:
        header = type(image.header).from_fileobj(file, check=False)
    slope, inter = float(header['scl_slope']), float(header['scl_inter'])
    dtype = image.get_data_dtype()
    whole = np.issubdtype(dtype, np.integer)
    if slope == 0 or (np.isnan(slope) and not whole):
        return 1.0, 0.0
    # the lowest integer is the largest in size, but for unsigned types
    largest = float(max(-int(np.iinfo(dtype).min), np.iinfo(dtype).max)) if whole else 1.0
    reach = abs(slope) * largest + abs(inter)
    if not reach <= float(np.finfo(np.float32).max):
        raise DatasetError(
            f'{path} has scl_slope {slope:g} and scl_inter {inter:g}, which take its {dtype} '
            'values beyond what float32 can hold, expected finite scaled values: '
            'convert the file anew'
        )
    return slope, inter


def save_volume(array: Array, affine: Affine, path: Path | str) -> Path:
    """Write an image under a temporary name, then rename it.

    It holds uint8 of bool, integers as they are, and float32 of all else.

    Parameters
    ----------
    array : (nx, ny, nz) or (n_echoes, nx, ny, nz)
        The echoes become the fourth axis of the file.
    affine : (4, 4)
        From voxel indices to world coordinates, in mm.
    path
        Where it goes; folders are made. ``.nii`` or ``.nii.gz``.

    Notes
    -----
    Booleans are stored as uint8, and what is not an integer as float32. The same array gives the
    same bytes: the compressed stream carries no name and no date.

    """
    path = Path(path)
    integer = np.issubdtype(array.dtype, np.integer)
    dtype = np.uint8 if array.dtype == bool else array.dtype if integer else np.float32
    header = _header(array, affine, np.dtype(dtype))
    ending = '.nii.gz' if path.name.endswith('.nii.gz') else '.nii'
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:12]}.part{ending}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with created(temporary) as stream:
            header.write_to(stream)
            for volume in array if array.ndim == 4 else array[np.newaxis]:
                stream.write(_x_first(volume, header.get_data_dtype()).data.cast('B'))
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f'{path} could not be written ({reason}): free space or choose another'
        ) from error
    finally:
        # on a disk that became read-only it may not be removable: the first error matters more
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _header(array: Array, affine: Affine, dtype: np.dtype[Any]) -> nb.Nifti1Header:
    """Header of an image that holds the array, and its place in the scanner."""
    header = nb.Nifti1Header()
    header.set_data_dtype(dtype)
    echoes, shape = (array.shape[:1], array.shape[1:]) if array.ndim == 4 else ((), array.shape)
    header.set_data_shape((*shape, *echoes))
    header.set_zooms((*voxel_sizes(affine), *(1.0 for _ in echoes)))
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_xyzt_units('mm')
    header.set_slope_inter(1, 0)
    header['vox_offset'] = 352
    return header


def _stored(image: Any, path: Path) -> Array:
    check_length(image, path)
    with told(path, WHOLE_FILE):
        if path.suffix == '.gz':
            data = _decompressed(image.dataobj, path)
        else:
            data = np.asanyarray(image.dataobj.get_unscaled())
    return _axes_first(data)


def check_length(image: Any, path: Path) -> None:
    """Refuse a file that does not hold as much as its header says, or much more than that.

    A compressed file is measured by the length at its end, and read through where that differs.
    """
    wanted = _promised_bytes(image.dataobj)
    with told(path, WHOLE_FILE):
        found, end = _measured(path, wanted)
    truncated = f'is truncated, it holds {found} bytes, expected {wanted}'
    what = {
        'junk': 'has something else behind its compressed image, expected its end there',
        'damaged': f'is damaged, {found} bytes of it can be decompressed, expected {wanted}',
        'cut': truncated,
    }.get(end, truncated if found < wanted else '')
    if what:
        raise DatasetError(f'{path.name} {what}: copy or convert it anew')
    if found > wanted + MOST_PADDING_BYTES:
        many = 'more than ' if end == 'more' else ''
        raise DatasetError(
            f'{path.name} holds {many}{found - wanted} bytes behind the image that its header '
            f'describes, expected {wanted} in all: correct the header or convert it anew'
        )


def _promised_bytes(proxy: Any) -> int:
    return int(proxy.offset) + prod(int(n) for n in proxy.shape) * int(proxy.dtype.itemsize)


def _measured(path: Path, wanted: int) -> tuple[int, str]:
    """Bytes in a file once decompressed, and how it ends."""
    if path.suffix != '.gz':
        return path.stat().st_size, 'whole'
    with path.open('rb') as raw:
        raw.seek(max(0, raw.seek(0, 2) - 4))
        # a whole stream ends with its length: only a doubtful file is read through
        if int.from_bytes(raw.read(), 'little') == wanted % 2**32:
            return wanted, 'whole'
    return measure(path, wanted + MOST_PADDING_BYTES)


def _decompressed(proxy: Any, path: Path) -> Array:
    # nibabel stops before the end of the stream, where its checksum is: read on to compare that
    wanted = _promised_bytes(proxy)
    raw = decompressed(path, wanted + MOST_PADDING_BYTES + 1)
    if not wanted <= len(raw) <= wanted + MOST_PADDING_BYTES:
        raise EOFError(f'{len(raw)} bytes or more in it, {wanted} expected')
    return np.ndarray(proxy.shape, proxy.dtype, buffer=raw, offset=proxy.offset, order='F')


def _axes_first(data: Array) -> Array:
    """Bring the axes beyond the third to the front, last one first; native byte order."""
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    data = data.transpose(*range(data.ndim - 1, 2, -1), 0, 1, 2)
    turned = np.empty(data.shape, data.dtype.newbyteorder('='))
    step = max(1, _CACHE_LINE_BYTES // data.itemsize)
    for start in range(0, data.shape[-1], step):
        turned[..., start : start + step] = data[..., start : start + step]
    return turned


def _x_first(volume: Array, dtype: np.dtype[Any]) -> Array:
    """A volume as a file holds it: its first axis runs fastest; seen along reversed axes."""
    turned = np.empty(volume.shape[::-1], dtype)
    step = max(1, _CACHE_LINE_BYTES // turned.itemsize)
    for start in range(0, volume.shape[0], step):
        turned[..., start : start + step] = volume[start : start + step].T
    return turned


def _echo_first(volumes: list[Array], paths: Sequence[Path | str]) -> Array:
    if not volumes:
        raise ValueError('no files to read, expected one per echo')
    if len(volumes) == 1:
        volume = volumes[0]
        return volume if volume.ndim == 4 else volume[np.newaxis]
    for volume, path in zip(volumes, paths, strict=True):
        if volume.shape != volumes[0].shape:
            raise DatasetError(
                f'{path} has shape {volume.shape}, expected {volumes[0].shape} as in {paths[0]}: '
                'bring the echoes onto one grid'
            )
    return np.stack(volumes)

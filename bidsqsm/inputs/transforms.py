"""Transforms between images that others computed: which there are, and whether they can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bidsqsm.errors import DatasetError
from bidsqsm.inputs.names import BidsFile

FORMATS = ('.h5', '.txt', '.tfm', '.mat')
# spaces of a subject, which no template has for a name
NATIVE = ('orig', 'T1w', 'T2w', 'scanner', 'native', 'fsnative', 'boldref', 'dwiref', 'T1wref')
HDF5 = b'\x89HDF\r\n\x1a\n'
LARGE_FIELD_BYTES = 2**24  # bytes: reading a dense field takes seconds and half a gigabyte


def key_of(file: BidsFile) -> str | None:
    """``'orig:T1w'``, ``'T1w:<template>'`` or ``'orig:<template>'``; None for any other file.

    Examples
    --------
    >>> from bidsqsm.inputs.names import parse
    >>> key_of(parse(Path('sub-01_from-T1w_to-MNI152NLin6Asym_mode-image_xfm.h5')))
    'T1w:MNI152NLin6Asym'

    """
    start, end = file.entities.get('from'), file.entities.get('to')
    if file.suffix != 'xfm' or file.extension not in FORMATS or not end:
        return None
    if file.entities.get('mode') != 'image' or start not in ('orig', 'T1w'):
        return None
    if end in NATIVE and (start, end) != ('orig', 'T1w'):
        return None
    return f'{start}:{end}'


def inverse_of(path: Path) -> Path | None:
    """The transform of the other sense beside one, where there is one that can be read."""
    turned = re.sub(r'from-([^_]+)_to-([^_]+)', r'from-\2_to-\1', path.name)
    other = path.with_name(turned)
    if turned == path.name or not other.is_file():
        return None
    return first_readable([other])[0]


def first_readable(paths: Iterable[Path]) -> tuple[Path | None, list[str]]:
    """Give the first transform that can be read, and why those before it cannot."""
    said = []
    for path in paths:
        try:
            check_transform(path)
        except DatasetError as error:
            said.append(f'Transform not used: {error}.')
        else:
            return path, said
    return None, said


def check_transform(path: Path) -> None:
    """Refuse a file that is no whole transform of three-dimensional space.

    A large HDF5 file is not read through: it must begin as one and be as long as it says.

    Raises
    ------
    DatasetError
        Where ITK cannot read it, it is cut short, or not three-dimensional.

    """
    if not path.is_file():
        why = 'is a link to nothing' if path.is_symlink() else 'does not exist'
        raise DatasetError(f'{path} {why}: fetch it first')
    if path.suffix == '.h5':
        # ITK prints pages on the terminal for these
        _check_hdf5(path)
        if path.stat().st_size > LARGE_FIELD_BYTES:
            return
    import SimpleITK

    try:
        dimension = SimpleITK.ReadTransform(str(path)).GetDimension()
    except RuntimeError as error:
        raise DatasetError(
            f'{path.name} cannot be read by ITK, expected a transform: copy or compute it anew'
        ) from error
    if dimension != 3:
        raise DatasetError(f'{path.name} has {dimension} dimensions, expected 3: compute it anew')


def _check_hdf5(path: Path) -> None:
    """Hold the length that the first block of an HDF5 file states against that of the file."""
    with path.open('rb') as file:
        start = file.read(64)
    if not start.startswith(HDF5) or len(start) < 64:
        raise DatasetError(
            f'{path.name} is no HDF5 file, expected a transform: copy or compute it anew'
        )
    # HDF5 File Format Specification 3.0, II.A: where the address of the end stands
    version, width = start[8], start[9] if start[8] >= 2 else start[13]
    at = {0: 24, 1: 28}.get(version, 12) + 2 * width
    wanted = int.from_bytes(start[at : at + width], 'little')
    if (found := path.stat().st_size) < wanted:
        raise DatasetError(
            f'{path.name} is truncated, it holds {found} bytes, expected {wanted}: '
            'copy or compute it anew'
        )

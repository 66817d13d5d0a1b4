"""Sidecars by the inheritance principle, and what the chain needs out of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bidsqsm.errors import DatasetError, shortened
from bidsqsm.files.json_files import read_json
from bidsqsm.files.regular_files import unreadable
from bidsqsm.inputs.names import BidsFile, listed, parse
from bidsqsm.qsm.units import GAMMA_BAR_MHZ_PER_T as GAMMA_BAR

Metadata = Mapping[str, Any]
LONGEST_TE_S = 1.0  # nothing of a gradient echo is left by then, so more means milliseconds
TE_TOLERANCE_S = 1e-5  # sidecars are rounded
FIELD_RANGE_T = (0.02, 25.0)  # from portable low-field scanners to the strongest animal magnets
#: What is told of an acquisition as numbers, beside what the maps need.
_NUMBERS = ('FlipAngle', 'RepetitionTime', 'PixelBandwidth', 'AcquisitionVoxelSize')
_QUOTED = 80  # characters of a value in a sentence
FIELD_TOLERANCE = 0.1  # relative; the "3 T" of one vendor is 2.89 T


class Sidecars:
    """Metadata of image files, merged from the root of the dataset down to the file.

    Parameters
    ----------
    root
        Root of the dataset; nothing above it is read.

    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[Path, list[BidsFile]] = {}
        self._contents: dict[Path, dict[str, Any]] = {}

    def of(self, file: BidsFile) -> dict[str, Any]:
        """Merge all sidecars that apply to this file; the nearest and most specific wins."""
        above = [p for p in file.path.parents if p == self._root or self._root in p.parents]
        merged: dict[str, Any] = {}
        for folder in reversed(above):
            fitting = [s for s in self._in(folder) if _applies(s, file)]
            for sidecar in sorted(fitting, key=lambda s: (len(s.entities), s.name)):
                merged |= self._read(sidecar.path)
        return merged

    def _in(self, folder: Path) -> list[BidsFile]:
        if folder not in self._folders:
            try:
                paths = [path for path in folder.iterdir() if path.suffix == '.json']
            except OSError as error:
                raise unreadable(folder, error, 'a folder of sidecars') from error
            self._folders[folder] = [name for path in paths if (name := parse(path))]
        return self._folders[folder]

    def _read(self, path: Path) -> dict[str, Any]:
        if path not in self._contents:
            self._contents[path] = read_json(path)
        return self._contents[path]


def _applies(sidecar: BidsFile, file: BidsFile) -> bool:
    return sidecar.suffix == file.suffix and sidecar.entities.items() <= file.entities.items()


def merge_echoes(each: Sequence[Metadata]) -> dict[str, Any]:
    """Merge the metadata of the echoes: what varies becomes a list in the order of the echoes."""
    keys = dict.fromkeys(key for metadata in each for key in metadata)
    merged = {}
    for key in keys:
        values = [metadata.get(key) for metadata in each]
        same = all(value == values[0] for value in values)
        merged[key] = values[0] if same else values
    return merged


def usable(metadata: Metadata, name: str) -> tuple[dict[str, Any], list[str]]:
    """Leave out what should be numbers and is not, which the maps do not depend on.

    Parameters
    ----------
    metadata
        Of the run; what varies over echoes is a list.
    name
        File to name in a sentence.

    Returns
    -------
    kept
        The others.
    said
        A sentence for each that was left out.

    """
    lost = {key for key in _NUMBERS if key in metadata and not _are_numbers(metadata[key])}
    said = [
        f'{name}: {key} {shortened(repr(metadata[key]), _QUOTED)} is left aside, expected a number '
        'in the sidecar of every echo.'
        for key in _NUMBERS
        if key in lost
    ]
    return {key: value for key, value in metadata.items() if key not in lost}, said


def _are_numbers(value: object) -> bool:
    return all(map(_is_number, value)) if isinstance(value, list) else _is_number(value)


def echo_times(files: Sequence[BidsFile], each: Sequence[Metadata], n_echoes: int) -> list[float]:
    """Read the echo times of one part.

    Parameters
    ----------
    files, each
        Files in the order of the echoes and their metadata.
    n_echoes
        Echoes along the fourth axis where there is a single file, else the number of files.

    Returns
    -------
    Echo times in s, ascending; empty where no file has any.

    Raises
    ------
    DatasetError
        Where some are absent, in milliseconds, not positive, repeated or unordered.

    """
    found = [metadata.get('EchoTime') for metadata in each]
    if all(value is None for value in found):
        return []
    if len(files) == 1:
        values = found[0] if isinstance(found[0], list) else found
        if len(values) != n_echoes:
            raise DatasetError(
                f'{files[0].name} has {n_echoes} volumes along axis 4 but {len(values)} EchoTime, '
                'expected as many echo times as echoes: give EchoTime as a list, or an echo- '
                'entity if the volumes are receive channels'
            )
        return _checked([files[0].name] * n_echoes, values)
    if missing := [f.name for f, value in zip(files, found, strict=True) if value is None]:
        raise DatasetError(_absent(missing))
    if isinstance(found[0], list) and len(found[0]) == len(files) and found[0] in found[1:]:
        # one sidecar for all echoes lists their times
        return _checked([file.name for file in files], found[0])
    return _checked([file.name for file in files], found)


def agreed_echo_times(parts: Mapping[str, tuple[Sequence[BidsFile], list[float]]]) -> list[float]:
    """Echo times that all parts (magnitude and phase) which have any agree on, in s."""
    given = {part: pair for part, pair in parts.items() if pair[1]}
    if not given:
        names = [file.name for files, _ in parts.values() for file in files]
        raise DatasetError(_absent(names))
    (first, (_, times)), *others = given.items()
    for part, (files, values) in others:
        for file, a, b in zip([*files] * len(times), times, values, strict=False):
            if abs(a - b) > TE_TOLERANCE_S:
                raise DatasetError(
                    f'{file.name} has EchoTime {b:g} s where {first} has {a:g} s, expected the '
                    f'same for {first} and {part}: correct the sidecar'
                )
    return times


def field_of(metadata: Metadata, name: str) -> tuple[float, float]:
    """Field strength and imaging frequency.

    Parameters
    ----------
    metadata
        Of the run.
    name
        File to name in an error.

    Returns
    -------
    field_strength : float
        T; from ImagingFrequency where that is given, as the nominal value may be a few % off.
    imaging_frequency : float
        MHz.

    """
    nominal = _number(metadata, 'MagneticFieldStrength', name)
    frequency = _number(metadata, 'ImagingFrequency', name)
    low, high = FIELD_RANGE_T
    if nominal is not None and not low <= nominal <= high:
        hint = 'it looks like mT' if low <= nominal / 1000 <= high else 'correct it'
        raise DatasetError(
            f'{name} has MagneticFieldStrength {nominal:g}, expected {low:g} to {high:g} T: {hint}'
        )
    if frequency is not None and not low <= frequency / GAMMA_BAR <= high:
        hint = 'it looks like Hz' if low <= frequency / 1e6 / GAMMA_BAR <= high else 'correct it'
        raise DatasetError(
            f'{name} has ImagingFrequency {frequency:g}, expected '
            f'{low * GAMMA_BAR:.1f} to {high * GAMMA_BAR:.0f} MHz: {hint}'
        )
    if frequency is None:
        if nominal is None:
            raise DatasetError(
                f'{name} has neither MagneticFieldStrength nor ImagingFrequency in its sidecar, '
                'expected one of them: add MagneticFieldStrength in T or ImagingFrequency in MHz'
            )
        return nominal, nominal * GAMMA_BAR
    field = frequency / GAMMA_BAR
    if nominal is not None and abs(field / nominal - 1) > FIELD_TOLERANCE:
        raise DatasetError(
            f'{name} has ImagingFrequency {frequency:g} MHz ({field:.2f} T) and '
            f'MagneticFieldStrength {nominal:g} T, expected them to agree within 10 %: '
            'correct the wrong one'
        )
    return field, frequency


def readout_of(metadata: Metadata) -> Literal['monopolar', 'bipolar'] | None:
    """What the metadata says of the direction of the readout gradients, if anything."""
    for key in ('ReadoutPolarity', 'ReadoutMode', 'MultiEchoReadout'):
        text = str(metadata.get(key, '')).lower()
        for known in ('monopolar', 'bipolar'):
            if known in text:
                return known
    return None


def _checked(names: Sequence[str], values: Sequence[Any]) -> list[float]:
    for name, value in zip(names, values, strict=True):
        if not _is_number(value):
            raise DatasetError(f'{name} has EchoTime {value!r}, expected a number in seconds')
        if value > LONGEST_TE_S:
            raise DatasetError(
                f'{name} has EchoTime {value:g}, expected seconds: this looks like milliseconds, '
                'divide by 1000'
            )
        if value <= 0:
            raise DatasetError(
                f'{name} has EchoTime {value:g}, expected more than 0 s: correct it'
            )
    for before, name, a, b in zip(names, names[1:], values, values[1:], strict=False):
        if abs(b - a) < TE_TOLERANCE_S:
            raise DatasetError(
                f'{name} repeats EchoTime {b:g} s of {before}, expected each echo to have its '
                'own: correct the sidecar'
            )
        if b < a:
            raise DatasetError(
                f'{name} has EchoTime {b:g} s after {a:g} s in {before}, expected ascending '
                'echo times: correct the sidecars or the order of echoes'
            )
    return [float(value) for value in values]


def _absent(names: Sequence[str]) -> str:
    return f'{listed(names, 3)}: EchoTime is absent, expected it in the sidecar in seconds: add it'


def _number(metadata: Metadata, key: str, name: str) -> float | None:
    value = metadata.get(key)
    if value is None:
        return None
    if not _is_number(value):
        raise DatasetError(f'{name} has {key} {value!r}, expected a single number: correct it')
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

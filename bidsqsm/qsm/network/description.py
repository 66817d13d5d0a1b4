"""What the JSON beside an ONNX network says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from bidsqsm.qsm.grid import Triple

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Description:
    """How to call a network, as read from the file beside it.

    Parameters
    ----------
    input, output
        Names of the tensor that takes the field and of the one that gives the susceptibility;
        the first of the network where they are not given.
    mask_input
        Name of an input that takes the mask (1 inside, 0 outside).
    constants
        Values of further inputs, by their names.
    layout
        Axes of the tensors: N (batch), C (channel), X, Y, Z; N and C may be missing.
    patch
        Voxels of a patch along X, Y, Z. Without it, what the network itself fixes, or else the
        whole volume.
    overlap
        Voxels that neighbouring patches share; blended linearly.
    margin
        Voxels at each face of a patch that are fed but whose results are not used (or that the
        network does not return).
    multiple
        A whole volume is padded with zeros until each axis is a multiple of this.
    voxel_size
        In mm, along X, Y, Z; that of the acquisition where it is not given.
    b0_along_z
        Whether the network expects the main field along Z.
    input_scale, input_offset
        Input = scale * field in ppm + offset.
    wrap
        Whether the input, a phase in rad, is wrapped to -pi to pi.
    output_scale, output_offset
        Susceptibility in ppm = scale * output + offset.

    """

    input: str | None = None
    output: str | None = None
    mask_input: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    layout: str = 'NCXYZ'
    patch: Shape | None = None
    overlap: int = 16
    margin: int = 0
    multiple: int = 16
    voxel_size: Triple | None = None
    b0_along_z: bool = True
    input_scale: float = 1.0
    input_offset: float = 0.0
    wrap: bool = False
    output_scale: float = 1.0
    output_offset: float = 0.0

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read and check the file; ValueError says what is wrong with it."""
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            raise ValueError(
                f'{path}: no such file; describe the network there (an empty object, {{}}, '
                'stands for the defaults)'
            ) from None
        except (OSError, ValueError) as error:
            raise ValueError(f'{path}: {error}; expected JSON') from None
        if not isinstance(content, dict):
            raise ValueError(f'{path}: expected an object {{setting: value}}')  # noqa: TRY004
        known = [item.name for item in fields(cls)]
        for key in content:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f'did you mean {near[0]!r}?' if near else f'there are: {", ".join(known)}'
                raise ValueError(f'{path}: no setting {key!r}; {hint}')
        made = cls(**{key: _read(path, key, value) for key, value in content.items()})
        if made.patch and min(made.patch) <= 2 * made.margin:
            raise ValueError(
                f'{path}: a margin of {made.margin} leaves nothing of the patch {made.patch}; '
                'expected less than half of its shortest axis'
            )
        return made


def _whole(least: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or value < least:
            raise ValueError(f'a whole number from {least} up')
        return value

    return check


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError('a number')
    return float(value)


def _scale(value: Any) -> float:
    if (number := _number(value)) == 0:
        raise ValueError('a number other than 0')
    return number


def _size(value: Any) -> float:
    if (number := _number(value)) <= 0:
        raise ValueError('sizes above 0 (mm), one or three')
    return number


def _three(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        several = value if isinstance(value, list) else [value] * 3
        if len(several) != 3:
            raise ValueError('one number or three')
        return tuple(check(one) for one in several)

    return checked


def _yes_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError('true or false')  # noqa: TRY004 - the value of a setting is wrong
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError('a name')
    return value


def _layout(value: Any) -> str:
    letters = str(value).upper()
    if len(set(letters)) < len(letters) or not set('XYZ') <= set(letters) <= set('NCXYZ'):
        raise ValueError(
            'the letters X, Y, Z and, where the tensors have them, N and C, once each'
        )
    return letters


def _constants(value: Any) -> Mapping[str, Any]:
    try:
        for numbers in dict(value).values():
            np.asarray(numbers, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError('an object {input: number or list of numbers}') from None
    return dict(value)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    'input': _name,
    'output': _name,
    'mask_input': _name,
    'constants': _constants,
    'layout': _layout,
    'patch': _three(_whole(1)),
    'overlap': _whole(0),
    'margin': _whole(0),
    'multiple': _whole(1),
    'voxel_size': _three(_size),
    'b0_along_z': _yes_no,
    'input_scale': _scale,
    'input_offset': _number,
    'wrap': _yes_no,
    'output_scale': _scale,
    'output_offset': _number,
}


def _read(path: Path, key: str, value: Any) -> Any:
    if value is None and key in {'input', 'output', 'mask_input', 'patch', 'voxel_size'}:
        return None
    try:
        return _CHECKS[key](value)
    except ValueError as error:
        raise ValueError(f'{path}: {key}: expected {error}, got {json.dumps(value)}') from None

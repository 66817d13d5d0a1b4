"""How makers of scanners store phase: the same complex signal in six disguises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.units import TURN_RAD

Array = npt.NDArray[Any]
_STEPS_OF_TURN = 4096
_UNITS_OF_SIGNAL = 1500.0  # stored units per unit of signal: white matter near 1500


@dataclass(frozen=True)
class Stored:
    """An array as it lies in a file: ``value = slope * stored + inter``."""

    part: str
    stored: Array
    slope: float = 1.0
    inter: float = 0.0


@dataclass(frozen=True)
class ScannerConvention:
    """A maker's way to store the signal.

    Parameters
    ----------
    name
        What the command line calls it.
    about
        One sentence for the help.
    store
        From complex signal (n_channels, nx, ny, nz), phase growing with +dB0, to files' arrays.
    sidecar
        What the maker's files say about themselves.
    phase_units
        Units of the phase image's values.

    """

    name: str
    about: str
    store: Callable[[Array], list[Stored]]
    sidecar: dict[str, Any]
    phase_units: str = 'arbitrary'


def _magnitude(signal: Array, slope: float = 1.0) -> Stored:
    stored = np.rint(np.abs(signal) * (_UNITS_OF_SIGNAL / slope))
    return Stored('mag', np.minimum(stored, 32767).astype(np.int16), slope)


def _steps(signal: Array) -> Array:
    # -pi .. pi onto 0 .. 4095, 4096 steps to the turn, 2048 for zero
    steps = np.rint(np.angle(signal) * (_STEPS_OF_TURN / TURN_RAD)) + _STEPS_OF_TURN // 2
    return np.asarray(np.mod(steps, _STEPS_OF_TURN), np.int16)


def _radians(signal: Array) -> list[Stored]:
    return [_magnitude(signal), Stored('phase', np.angle(signal).astype(np.float32))]


def _opposite(signal: Array) -> list[Stored]:
    return _radians(np.conj(signal))


def _siemens(signal: Array) -> list[Stored]:
    return [_magnitude(signal), Stored('phase', _steps(signal))]


def _siemens_signed(signal: Array) -> list[Stored]:
    return [_magnitude(signal), Stored('phase', _steps(signal), 2.0, -4096.0)]


def _philips(signal: Array) -> list[Stored]:
    # thousandths of a radian, both ends included: 0 -> -3141.6, 4095 -> +3141.6
    slope = 2000 * np.pi / (_STEPS_OF_TURN - 1)
    stored = np.rint((1000 * np.angle(signal) + 1000 * np.pi) / slope).astype(np.int16)
    return [_magnitude(signal, 1.6), Stored('phase', stored, slope, -1000 * np.pi)]


def _ge(signal: Array) -> list[Stored]:
    # opposite sense of rotation, and a sign that alternates from slice to slice
    chopper = (-1) ** np.arange(signal.shape[-1])
    turned = np.conj(signal) * chopper * _UNITS_OF_SIGNAL
    return [
        Stored(part, np.clip(np.rint(values), -32767, 32767).astype(np.int16))
        for part, values in (('real', turned.real), ('imag', turned.imag))
    ]


CONVENTIONS = {
    c.name: c
    for c in (
        ScannerConvention(
            'radians', 'float phase in rad', _radians, {'Manufacturer': 'bidsqsm'}, 'rad'
        ),
        ScannerConvention(
            'opposite',
            'float phase in rad that falls with +dB0',
            _opposite,
            {'Manufacturer': 'bidsqsm'},
            'rad',
        ),
        ScannerConvention(
            'siemens',
            'integers 0..4095',
            _siemens,
            {'Manufacturer': 'Siemens', 'ManufacturersModelName': 'Prisma'},
        ),
        ScannerConvention(
            'siemens-signed',
            'integers that the header scales to -4096..4094',
            _siemens_signed,
            {'Manufacturer': 'Siemens', 'ManufacturersModelName': 'Prisma'},
        ),
        ScannerConvention(
            'philips',
            'integers that the header scales to thousandths of a radian',
            _philips,
            {
                'Manufacturer': 'Philips',
                'ManufacturersModelName': 'Ingenia',
                'UsePhilipsFloatNotDisplayScaling': 1,
                'PhilipsRescaleSlope': round(2000 * np.pi / (_STEPS_OF_TURN - 1), 6),
                'PhilipsRescaleIntercept': round(-1000 * np.pi, 4),
            },
        ),
        ScannerConvention(
            'ge',
            'real and imaginary parts, opposite sense, sign alternating from slice to slice',
            _ge,
            {'Manufacturer': 'GE', 'ManufacturersModelName': 'Discovery MR750'},
        ),
    )
}


def convention(name: str) -> ScannerConvention:
    """Find a convention by its name.

    Examples
    --------
    >>> convention('siemens').phase_units
    'arbitrary'

    """
    if name not in CONVENTIONS:
        raise ValueError(f'no phase convention {name!r}; there are: {", ".join(CONVENTIONS)}')
    return CONVENTIONS[name]

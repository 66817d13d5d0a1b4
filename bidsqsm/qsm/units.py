"""Conversions between field in ppm, frequency in Hz and phase in rad, and constants."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from bidsqsm.qsm.grid import Volume

TURN_RAD = 2 * np.pi
"""A full turn, in rad."""

GAMMA_BAR_MHZ_PER_T = 42.577478518
"""Gyromagnetic ratio of the proton over 2 pi, in MHz/T (CODATA 2018)."""

MAD_TO_SD = 1.4826
"""Standard deviation of normal values over the median of their distances from the median."""

X = TypeVar('X', float, Volume)


def imaging_frequency_of(field_strength: float) -> float:
    """Proton frequency in MHz at a field strength in T.

    Examples
    --------
    >>> round(imaging_frequency_of(3.0), 3)
    127.732

    """
    return GAMMA_BAR_MHZ_PER_T * field_strength


def ppm_to_hz(field: X, imaging_frequency: float) -> X:
    """Turn a field in ppm into Hz, at an imaging frequency in MHz.

    Examples
    --------
    >>> ppm_to_hz(0.5, 120.0)
    60.0

    """
    return field * imaging_frequency


def hz_to_ppm(field_hz: X, imaging_frequency: float) -> X:
    """Turn a frequency in Hz into ppm, at an imaging frequency in MHz.

    Examples
    --------
    >>> hz_to_ppm(60.0, 120.0)
    0.5

    """
    return field_hz / imaging_frequency


def hz_to_rad(field_hz: X, echo_time: float) -> X:
    """Phase in rad that a frequency in Hz gathers in an echo time in s; not wrapped.

    Examples
    --------
    >>> round(hz_to_rad(25.0, echo_time=0.02) / 3.14159265, 3)  # half a turn
    1.0

    """
    return field_hz * (TURN_RAD * echo_time)


def rad_to_hz(phase: X, echo_time: float) -> X:
    """Turn an unwrapped phase in rad, gathered in an echo time in s, into Hz.

    Examples
    --------
    >>> round(rad_to_hz(3.14159265, echo_time=0.02), 1)
    25.0

    """
    return phase / (TURN_RAD * echo_time)


def ppm_to_rad(field: X, imaging_frequency: float, echo_time: float) -> X:
    """Phase in rad, growing with the field, that a field in ppm gathers; not wrapped.

    Examples
    --------
    >>> round(ppm_to_rad(0.1, 100.0, 0.025) / np.pi, 6)
    0.5

    """
    return hz_to_rad(ppm_to_hz(field, imaging_frequency), echo_time)


def rad_to_ppm(phase: X, imaging_frequency: float, echo_time: float) -> X:
    """Turn an unwrapped phase in rad, gathered in an echo time in s, into ppm.

    Examples
    --------
    >>> round(rad_to_ppm(1.61, imaging_frequency=127.74, echo_time=0.02), 2)
    0.1

    """
    return hz_to_ppm(rad_to_hz(phase, echo_time), imaging_frequency)

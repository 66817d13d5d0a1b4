"""Signal whose sign alternates from slice to slice, as in real and imaginary images of GE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.neighbours import neighbour_phasors
from bidsqsm.qsm.phase.wrap import wrap

COHERENT_STEP_LENGTH = 0.2  # length of the mean step, 0 to 1, that noise does not reach
#: A mean step beyond is a change of sign; a slope hardly gets there
SIGN_CHANGE_RAD = np.pi - 0.5


@dataclass(frozen=True)
class AlternatingAxes:
    """Axes along which neighbours have opposite sign.

    Parameters
    ----------
    axes
        Usually none, or the slice axis.
    steps : (3,) complex array
        Mean phasor of the step between neighbours: near 1 where phase is smooth, near -1 where it
        alternates, near 0 in noise.

    """

    axes: tuple[int, ...]
    steps: npt.NDArray[np.complexfloating]


def detect_alternation(
    phase: Volume, magnitude: Volume, echo_times: Sequence[float]
) -> AlternatingAxes:
    r"""Find the axes along which every other voxel has its sign inverted.

    A factor :math:`(-1)^z` adds :math:`\pi` to every step of the first echo's phase along z. A
    steep field adds steps as well, but those grow with the echo time: where there is a second
    echo, they are predicted from the steps of the phase that grew between the two (in which a
    factor common to both does not show) and taken off.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad; the first two echoes are used.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    echo_times
        Echo times in s, ascending.

    Returns
    -------
    alternation

    """
    weight = magnitude[0] / max(float(magnitude[0].max()), 1e-30)
    step = 2 if phase[0].size > 1_000_000 else 1
    if len(phase) == 1:
        return alternation_of(*neighbour_phasors(phase[0], None, 0.0, weight, step))
    grown, ratio = wrap(phase[1] - phase[0]), echo_times[0] / (echo_times[1] - echo_times[0])
    return alternation_of(*neighbour_phasors(phase[0], grown, ratio, weight, step))


def alternation_of(phasors: npt.NDArray[np.complexfloating], total: Volume) -> AlternatingAxes:
    """Judge sums of neighbour phasors, which may come from several channels."""
    steps = phasors / np.maximum(total, 1e-30)
    opposite = (np.abs(steps) > COHERENT_STEP_LENGTH) & (np.abs(np.angle(steps)) > SIGN_CHANGE_RAD)
    return AlternatingAxes(tuple(np.flatnonzero(opposite).tolist()), steps)


def undo_alternation(phase: Volume, axes: Sequence[int]) -> Volume:
    """Invert the sign of every other voxel along the axes.

    Which of the two sets is inverted changes the phase by pi everywhere, in all echoes alike.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad.
    axes
        Axes of a volume, 0 to 2.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In [-pi, pi].

    """
    odd = alternating_signs(phase.shape[1:], axes) < 0
    half = np.where(odd, np.float32(np.pi), np.float32(0))
    result = np.empty_like(phase)
    for n, echo in enumerate(phase):
        result[n] = wrap(echo + half)
    return result


def alternating_signs(shape: tuple[int, ...], axes: Sequence[int]) -> Volume:
    """+1 and -1 in turn along the axes, +1 at the first voxel (float32)."""
    signs = np.ones(shape, np.float32)
    for axis in axes:
        signs[tuple(slice(1, None, 2) if a == axis else slice(None) for a in range(3))] *= -1
    return signs

"""Known ranges and units of stored phase, and what is known of values that may lie in one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.jumps import Turn
from bidsqsm.qsm.phase.wrap import scale_wrapped
from bidsqsm.qsm.units import TURN_RAD

Stored = npt.NDArray[np.number]


class Convention(NamedTuple):
    """A range of values that is known to stand for a full turn.

    Attributes
    ----------
    name
        In words, with the range.
    low, high
        Ends of the range.
    period
        What a full turn is.
    zero
        The value of no phase.
    maker
        Whose scanners store it.
    is_rare
        Whether both ends must be reached: other quantities come close to the range by chance.

    """

    name: str
    low: float
    high: float
    period: float
    zero: float
    maker: str = ''
    is_rare: bool = False


RADIANS = Convention('radians from -pi to pi', -np.pi, np.pi, TURN_RAD, 0)
POSITIVE_RADIANS = Convention('radians from 0 to 2 pi', 0, TURN_RAD, TURN_RAD, 0)
MILLIRADIANS = Convention(
    'thousandths of a radian, -3142 to 3142',
    -1000 * np.pi,
    1000 * np.pi,
    1000 * TURN_RAD,
    0,
    'philips',
)
PHASE_CONVENTIONS = (
    RADIANS,
    POSITIVE_RADIANS,
    Convention('4096 steps to the turn, 0 to 4095', 0, 4095, 4096, 2048, 'siemens'),
    Convention('8192 steps to the turn, -4096 to 4095', -4096, 4095, 8192, 0, 'siemens'),
    Convention('4096 steps to the turn, -2048 to 2047', -2048, 2047, 4096, 0),
    MILLIRADIANS,
    Convention('degrees from -180 to 180', -180, 180, 360, 0, is_rare=True),
    Convention('degrees from 0 to 360', 0, 360, 360, 0, is_rare=True),
    Convention('65536 steps to the turn, 0 to 65535', 0, 65535, 65536, 32768, is_rare=True),
    Convention('65536 steps to the turn, -32768 to 32767', -32768, 32767, 65536, 0, is_rare=True),
)
PHASE_UNITS = {
    'rad': TURN_RAD,
    'radian': TURN_RAD,
    'radians': TURN_RAD,
    'rads': TURN_RAD,
    'mrad': 1000 * TURN_RAD,
    'milliradian': 1000 * TURN_RAD,
    'milliradians': 1000 * TURN_RAD,
    'deg': 360.0,
    'degree': 360.0,
    'degrees': 360.0,
    '°': 360.0,
}
NOT_PHASE = ('hz', 'hertz', 'rad/s', 'rad/sec', 'ppm', 'ppb', 't', 'tesla', 's', 'ms')
ADVICE = (
    "set Units to 'rad' or 'deg' in the sidecar if that is what the values are, unwrapped or "
    'not; a field map is not taken as phase'
)


@dataclass(frozen=True)
class PhaseScale:
    """How stored values become radians.

    Parameters
    ----------
    slope, intercept
        ``rad = wrap(slope * stored + intercept)``.
    sentence
        What was taken and why, for the sidecar.
    unusual
        Whether the range is none that a maker uses, or is not filled: worth a warning.

    """

    slope: float
    intercept: float
    sentence: str
    unusual: bool = False

    def apply(self, stored: Stored) -> Volume:
        """Scale to radians in [-pi, pi].

        Parameters
        ----------
        stored : (n, ...) array of any number type
            Values as the file holds them; NaN stays NaN.

        Returns
        -------
        phase : (n, ...) float32 array

        """
        phase = np.empty(stored.shape, np.float32)
        for out, part in zip(phase, stored, strict=True):
            # in float64: integers of 32 bits do not fit into float32
            scale_wrapped(part, float(self.slope), float(self.intercept), out)
        return phase


@dataclass(frozen=True)
class Values:
    """What is known of the values: ``value = slope * stored + inter`` after the header."""

    stored: tuple[float, float]
    is_integer: bool
    slope: float
    inter: float
    units: str
    maker: str
    turn: Turn | None
    unwrapped: str = ''

    @property
    def values(self) -> tuple[float, float]:
        ends = [self.slope * end + self.inter for end in self.stored]
        return min(ends), max(ends)

    @property
    def whole(self) -> bool:
        """Whether the values after the header are whole numbers."""
        return self.is_integer and self.slope.is_integer() and self.inter.is_integer()

    @property
    def turn_size(self) -> float | None:
        return None if self.turn is None else abs(self.slope) * self.turn.size

    def describe(self) -> str:
        """Start of a sentence: what is stored, and what the header and the sidecar say of it."""
        (a, b), (low, high) = self.stored, self.values
        text = f'Phase stored as {a:.6g} to {b:.6g}'
        if (self.slope, self.inter) != (1.0, 0.0):
            text += f', {low:.6g} to {high:.6g} after header slope {self.slope:.6g}'
            text += f' and intercept {self.inter:.6g}'
        return text + (f', Units {self.units!r}' if self.units else '')

    def without_header(self) -> Values:
        return replace(self, slope=1.0, inter=0.0)

    def scale(self, zero: float, period: float, why: str, *, unusual: bool = False) -> PhaseScale:
        factor = TURN_RAD / period
        sentence = f'{self.describe()}: {why}.'
        return PhaseScale(factor * self.slope, factor * (self.inter - zero), sentence, unusual)

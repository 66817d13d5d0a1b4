"""Known ranges of stored phase, and the rules by which values are told to lie in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.jumps import Turn
from bidsqsm.qsm.phase.wrap import scale_wrapped
from bidsqsm.qsm.units import TURN_RAD

Stored = npt.NDArray[np.number]


class Convention(NamedTuple):
    """A range of values that is known to stand for a full turn."""

    name: str
    low: float
    high: float
    period: float
    zero: float
    maker: str = ''


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
)
PHASE_UNITS = {
    'rad': TURN_RAD,
    'radian': TURN_RAD,
    'radians': TURN_RAD,
    'mrad': 1000 * TURN_RAD,
    'milliradian': 1000 * TURN_RAD,
    'milliradians': 1000 * TURN_RAD,
    'deg': 360.0,
    'degree': 360.0,
    'degrees': 360.0,
    '°': 360.0,
}
NOT_PHASE = ('hz', 'rad/s', 'ppm', 't', 'tesla', 's', 'ms')
ADVICE = (
    "set Units to 'rad' or 'deg' in the sidecar if that is what the values are, "
    'or rewrite the images in radians'
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
        return Values(self.stored, self.is_integer, 1.0, 0.0, self.units, self.maker, self.turn)

    def scale(self, zero: float, period: float, why: str, *, unusual: bool = False) -> PhaseScale:
        factor = TURN_RAD / period
        sentence = f'{self.describe()}: {why}.'
        return PhaseScale(factor * self.slope, factor * (self.inter - zero), sentence, unusual)


def _agrees(found: Values, period: float) -> bool:
    return found.turn_size is None or abs(found.turn_size - period) < 0.1 * period


def _confirmed(found: Values) -> str:
    return '' if found.turn is None else f', confirmed: {found.turn.evidence}'


def _inside(found: Values, known: Convention, share: float) -> bool:
    """Whether the values lie in the range and fill at least this share of it."""
    low, high = found.values
    slack = 0.01 * known.period
    return (
        known.low - slack <= low
        and high <= known.high + slack
        and high - low >= share * known.period
        and not (found.whole and known.period == TURN_RAD)
    )


def by_units(found: Values) -> PhaseScale:
    """Believe the sidecar, unless the values contradict it."""
    period = PHASE_UNITS[found.units]
    low, high = found.values
    plausible = 0.01 * period < high - low < 64 * period and _agrees(found, period)
    if plausible and not (found.whole and period == TURN_RAD):
        beyond = high - low > 1.01 * period
        note = '; the values exceed one turn and were wrapped again' if beyond else ''
        return found.scale(0, period, f'taken as Units says{_confirmed(found)}{note}')
    bare = found.without_header()
    if period == TURN_RAD and any(
        _inside(bare, known, 0.9) for known in (RADIANS, POSITIVE_RADIANS)
    ):
        return bare.scale(
            0, TURN_RAD, 'the stored values are radians, the scale in the header is not'
        )
    raise ValueError(
        f'{found.describe()}: the values contradict Units, expected a turn of {period:.6g}; '
        "correct Units (or set it to 'arbitrary' to decide by the range)"
    )


def by_range(found: Values) -> PhaseScale | None:
    """Take a known range that the values fill."""
    for known in PHASE_CONVENTIONS:
        if _inside(found, known, 0.9) and _agrees(found, known.period):
            return found.scale(known.zero, known.period, f'{known.name}{_confirmed(found)}')
    return None


def by_turn(found: Values) -> PhaseScale | None:
    """Take the turn from the data: the range that is filled from end to end, or 2 pi."""
    size = found.turn_size
    if found.turn is None or size is None:
        return None
    if not found.whole and abs(size - TURN_RAD) < 0.03 * TURN_RAD:
        return found.scale(0, TURN_RAD, f'radians beyond one turn, since {found.turn.evidence}')
    low, high = found.values
    if abs(size - (high - low)) > 0.08 * (high - low):
        return None
    centre = (low + high) / 2
    zero = 0.0 if abs(centre) < 0.01 * (high - low) else centre
    why = f'an unusual range, taken for a full turn since {found.turn.evidence}'
    return found.scale(zero, high - low, why, unusual=True)


def by_stored_range(found: Values) -> PhaseScale | None:
    """Fall back to the values before the header, where these are in a known range."""
    if (found.slope, found.inter) == (1.0, 0.0):
        return None
    scale = by_range(found.without_header())
    if scale is None:
        return None
    why = 'the values after the header are in no known range, those before it are'
    return PhaseScale(scale.slope, scale.intercept, f'{found.describe()}; {why}. {scale.sentence}')


def by_part_of_range(found: Values) -> PhaseScale | None:
    """Accept a range that is filled by half only where nothing else explains the values."""
    for known in PHASE_CONVENTIONS:
        fitting = known.period == TURN_RAD or (known.maker and known.maker in found.maker)
        if fitting and _inside(found, known, 0.5) and found.turn is None:
            why = f'{known.name}, though the ends are not reached and nothing in the data shows what a turn is'
            return found.scale(known.zero, known.period, why, unusual=True)
    return None


def expected() -> str:
    """The known ranges, in words."""
    return (
        'one of: ' + '; '.join(c.name for c in PHASE_CONVENTIONS) + '; or wraps that show the turn'
    )

"""From stored phase values to radians: which range stands for a full turn, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.jumps import Jump, find_wrap_jump
from bidsqsm.qsm.phase.wrap import TURN, wrap

Stored = npt.NDArray[np.number]


@dataclass(frozen=True)
class PhaseScale:
    """How stored values become radians.

    Parameters
    ----------
    slope, intercept
        ``rad = wrap(slope * stored + intercept)``.
    sentence
        What was taken and why, for the sidecar.

    """

    slope: float
    intercept: float
    sentence: str

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
            # float64 first: integers of 32 bits do not fit into float32
            out[...] = wrap(part.astype(np.float64) * self.slope + self.intercept)
        return phase


class Convention(NamedTuple):
    """A range of values that is known to stand for a full turn."""

    name: str
    low: float
    high: float
    period: float
    zero: float
    maker: str = ''


RADIANS = Convention('radians from -pi to pi', -np.pi, np.pi, TURN, 0)
POSITIVE_RADIANS = Convention('radians from 0 to 2 pi', 0, TURN, TURN, 0)
MILLIRADIANS = Convention(
    'thousandths of a radian, -3142 to 3142', -1000 * np.pi, 1000 * np.pi, 1000 * TURN, 0, 'philips'
)
KNOWN = (
    RADIANS,
    POSITIVE_RADIANS,
    Convention('4096 steps to the turn, 0 to 4095', 0, 4095, 4096, 2048, 'siemens'),
    Convention('8192 steps to the turn, -4096 to 4095', -4096, 4095, 8192, 0, 'siemens'),
    Convention('4096 steps to the turn, -2048 to 2047', -2048, 2047, 4096, 0),
    MILLIRADIANS,
)
UNITS = {
    'rad': TURN, 'radian': TURN, 'radians': TURN,
    'mrad': 1000 * TURN, 'milliradian': 1000 * TURN, 'milliradians': 1000 * TURN,
    'deg': 360.0, 'degree': 360.0, 'degrees': 360.0, '°': 360.0,
}  # fmt: skip
NOT_PHASE = ('hz', 'rad/s', 'ppm', 't', 'tesla', 's', 'ms')
ADVICE = (
    "set Units to 'rad' or 'deg' in the sidecar if that is what the values are, "
    'or rewrite the images in radians'
)


@dataclass(frozen=True)
class _Found:
    """What is known of the values: ``value = slope * stored + inter`` after the header."""

    stored: tuple[float, float]
    is_integer: bool
    slope: float
    inter: float
    units: str
    maker: str
    jump: Jump | None

    @property
    def values(self) -> tuple[float, float]:
        ends = [self.slope * end + self.inter for end in self.stored]
        return min(ends), max(ends)

    @property
    def whole(self) -> bool:
        """Whether the values after the header are whole numbers."""
        return self.is_integer and self.slope.is_integer() and self.inter.is_integer()

    @property
    def jump_size(self) -> float | None:
        return self.jump and abs(self.slope) * self.jump.size

    def without_header(self) -> _Found:
        return _Found(self.stored, self.is_integer, 1.0, 0.0, self.units, self.maker, self.jump)

    def scale(self, zero: float, period: float, why: str) -> PhaseScale:
        factor = TURN / period
        return PhaseScale(
            factor * self.slope, factor * (self.inter - zero), f'{_describe(self)}: {why}.'
        )


def decide_scale(
    stored_min: float,
    stored_max: float,
    is_integer: bool,
    slope: float = 1.0,
    inter: float = 0.0,
    units: str | None = None,
    manufacturer: str | None = None,
    jump: Jump | None = None,
) -> PhaseScale:
    """Decide what stored values stand for, from header, metadata and range.

    Nothing is guessed in silence: the sentence says what was taken and why, and where the
    evidence does not suffice or contradicts itself, an error says what would.

    Parameters
    ----------
    stored_min, stored_max
        Range of the finite stored values, over all echoes together.
    is_integer
        Whether the stored values are whole numbers.
    slope, inter
        Scale of the header; a slope of 0 or NaN means that there is none.
    units
        ``Units`` of the sidecar.
    manufacturer
        ``Manufacturer`` of the sidecar.
    jump
        Size of the jumps between neighbours where the phase wraps, in stored units, as
        :func:`~bidsqsm.qsm.phase.jumps.find_wrap_jump` measures it.

    Returns
    -------
    scale

    Raises
    ------
    ValueError
        Where the range is constant, infinite, unknown or at odds with the metadata.

    Examples
    --------
    >>> decide_scale(0, 4095, True).slope == 2 * np.pi / 4096
    True

    """
    slope, inter = header_scale(slope, inter)
    found = _Found(
        (float(stored_min), float(stored_max)), is_integer, slope, inter,
        (units or '').strip().lower(), (manufacturer or '').strip().lower(), jump,
    )  # fmt: skip
    low, high = found.values
    if not (math.isfinite(low) and math.isfinite(high) and max(-low, high) < 1e9):
        raise ValueError(f'{_describe(found)}: not finite or far beyond any phase; check the header')
    if low == high:
        raise ValueError(f'{_describe(found)}: constant, expected a phase that varies')
    if found.units in NOT_PHASE:
        raise ValueError(
            f"Units is {units!r}, expected 'rad', 'deg' or 'arbitrary' for a phase image; "
            'a field map is not taken as phase'
        )
    if found.units in UNITS:
        return _by_units(found)
    for rule in (_by_range, _by_jump, _by_stored_range, _by_part_of_range):
        if (scale := rule(found)) is not None:
            return scale
    raise ValueError(f'{_describe(found)}: expected {_expected()}; {ADVICE}')


def header_scale(slope: float, inter: float) -> tuple[float, float]:
    """Slope and intercept of a header as they are meant: 0 or NaN for a slope means none."""
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return float(slope), float(inter) if math.isfinite(inter) else 0.0


def scale_phase(
    stored: Stored,
    slope: float | Sequence[float] = 1.0,
    inter: float | Sequence[float] = 0.0,
    units: str | None = None,
    manufacturer: str | None = None,
) -> tuple[Volume, PhaseScale]:
    """Scale stored phase to radians, deciding on all echoes together.

    Parameters
    ----------
    stored : (n_echoes, ...) array of any number type
        Values as the files hold them; NaN is ignored and stays NaN.
    slope, inter
        Scale of the header, one for all or one for each echo.
    units, manufacturer
        ``Units`` and ``Manufacturer`` of the sidecar.

    Returns
    -------
    phase : (n_echoes, ...) float32 array
        In rad, in [-pi, pi]; the sign is that of the file.
    scale
        Where headers differ between echoes, it applies to the values after the header.

    """
    pairs = list(
        zip(
            np.broadcast_to(slope, len(stored)).tolist(),
            np.broadcast_to(inter, len(stored)).tolist(),
            strict=True,
        )
    )
    scales = [header_scale(float(s), float(i)) for s, i in pairs]
    if len(set(scales)) > 1:
        stored = np.stack(
            [s * e.astype(np.float64) + i for e, (s, i) in zip(stored, scales, strict=True)]
        )
        scales = [(1.0, 0.0)]
    low, high = _finite_range(stored)
    whole = bool(np.issubdtype(stored.dtype, np.integer)) or _all_whole(stored)
    jump = find_wrap_jump(stored, high - low)
    scale = decide_scale(low, high, whole, *scales[0], units, manufacturer, jump)
    return scale.apply(stored), scale


def polar(real: Volume, imaginary: Volume) -> tuple[Volume, Volume]:
    """Phase and magnitude of a real and an imaginary image.

    Parameters
    ----------
    real, imaginary : arrays of equal shape
        After the header's scale, which must be the same for both.

    Returns
    -------
    phase : float32 array
        In rad, in [-pi, pi].
    magnitude : float32 array

    """
    for name, part in (('real', real), ('imaginary', imaginary)):
        low, high = _finite_range(part)
        if low >= 0 or high <= 0:
            raise ValueError(
                f'the {name} image goes from {low:g} to {high:g}, expected values of both signs; '
                'store it signed, or give a header intercept that puts its zero to 0'
            )
    real, imaginary = real.astype(np.float32), imaginary.astype(np.float32)
    return np.arctan2(imaginary, real), np.hypot(real, imaginary)


def _finite_range(stored: Stored) -> tuple[float, float]:
    parts = [part[np.isfinite(part)] for part in stored]
    full = [part for part in parts if part.size]
    if not full:
        raise ValueError('the phase image holds no finite value, expected a phase in every voxel')
    return min(float(p.min()) for p in full), max(float(p.max()) for p in full)


def _all_whole(stored: Stored) -> bool:
    some = stored.ravel()[:: max(1, stored.size // 100_000)]
    some = some[np.isfinite(some)]
    return bool(some.size) and bool(np.all(some == np.rint(some)))


def _describe(found: _Found) -> str:
    (a, b), (low, high) = found.stored, found.values
    text = f'Phase stored as {a:.6g} to {b:.6g}'
    if (found.slope, found.inter) != (1.0, 0.0):
        text += f', {low:.6g} to {high:.6g} after header slope {found.slope:.6g}'
        text += f' and intercept {found.inter:.6g}'
    if found.units:
        text += f', Units {found.units!r}'
    return text


def _expected() -> str:
    return 'one of: ' + '; '.join(c.name for c in KNOWN) + '; or wraps that show the turn'


def _agrees(found: _Found, period: float) -> bool:
    return found.jump_size is None or abs(found.jump_size - period) < 0.1 * period


def _confirmed(found: _Found) -> str:
    if found.jump is None:
        return ''
    return f', confirmed by {found.jump.count} wraps of {found.jump_size:.4g}'


def _inside(found: _Found, known: Convention, share: float) -> bool:
    """Whether the values lie in the range and fill at least this share of it."""
    low, high = found.values
    slack = 0.01 * known.period
    return (
        known.low - slack <= low
        and high <= known.high + slack
        and high - low >= share * known.period
        and not (found.whole and known.period == TURN)
    )


def _by_units(found: _Found) -> PhaseScale:
    period = UNITS[found.units]
    low, high = found.values
    plausible = 0.01 * period < high - low < 64 * period and _agrees(found, period)
    if plausible and not (found.whole and period == TURN):
        beyond = high - low > 1.01 * period
        note = '; the values exceed one turn and were wrapped again' if beyond else ''
        return found.scale(0, period, f'taken as Units says{_confirmed(found)}{note}')
    bare = found.without_header()
    if period == TURN and any(_inside(bare, known, 0.9) for known in (RADIANS, POSITIVE_RADIANS)):
        return bare.scale(0, TURN, 'the stored values are radians, the scale in the header is not')
    raise ValueError(
        f'{_describe(found)}: the values contradict Units, expected a turn of {period:.6g}; '
        "correct Units (or set it to 'arbitrary' to decide by the range)"
    )


def _by_range(found: _Found) -> PhaseScale | None:
    for known in KNOWN:
        if _inside(found, known, 0.9) and _agrees(found, known.period):
            return found.scale(known.zero, known.period, f'{known.name}{_confirmed(found)}')
    return None


def _by_jump(found: _Found) -> PhaseScale | None:
    """Take the turn from the data: the range that is filled from end to end, or 2 pi."""
    size = found.jump_size
    if found.jump is None or size is None:
        return None
    if not found.whole and abs(size - TURN) < 0.03 * TURN:
        return found.scale(
            0, TURN, f'radians beyond one turn, known by {found.jump.count} wraps of {size:.4g}'
        )
    low, high = found.values
    if abs(size - (high - low)) > 0.05 * (high - low):
        return None
    centre = (low + high) / 2
    zero = 0.0 if abs(centre) < 0.01 * (high - low) else centre
    why = f'an unusual range, taken for a full turn since {found.jump.count} pairs of neighbours'
    return found.scale(zero, high - low, f'{why} in smooth phase differ by {size:.4g}')


def _by_stored_range(found: _Found) -> PhaseScale | None:
    """Fall back to the values before the header, where these are in a known range."""
    if (found.slope, found.inter) == (1.0, 0.0):
        return None
    scale = _by_range(bare := found.without_header())
    if scale is None:
        return None
    why = 'the values after the header are in no known range, those before it are'
    return PhaseScale(scale.slope, scale.intercept, f'{_describe(found)}; {why}. {scale.sentence}')


def _by_part_of_range(found: _Found) -> PhaseScale | None:
    """Accept a range that is filled by half only where nothing else explains the values."""
    for known in KNOWN:
        fitting = known.period == TURN or (known.maker and known.maker in found.maker)
        if fitting and _inside(found, known, 0.5) and found.jump is None:
            why = f'{known.name}, though the ends are not reached and no wraps were found'
            return found.scale(known.zero, known.period, why)
    return None

"""The rules by which stored values are taken for phase in a known range or unit."""

from __future__ import annotations

from bidsqsm.qsm.phase.conventions import (
    PHASE_CONVENTIONS,
    PHASE_UNITS,
    POSITIVE_RADIANS,
    RADIANS,
    Convention,
    PhaseScale,
    Values,
)
from bidsqsm.qsm.units import TURN_RAD

#: Share of a turn by which the ends of a known range may be missed and yet be meant
END_SHARE = 0.005
#: Turns beyond which values are no phase in the stated unit
MOST_TURNS = 300


def _agrees(found: Values, period: float) -> bool:
    """Whether no wrap of another size is seen: a wrap leads from one end of the range to the other."""
    low, high = found.values
    return (
        found.turn_size is None
        or abs(found.turn_size - period) < 0.1 * period
        or found.turn_size < 0.9 * (high - low)
    )


def _confirmed(found: Values, period: float) -> str:
    if found.turn is None or found.turn_size is None:
        return ''
    same = abs(found.turn_size - period) < 0.1 * period
    return f', confirmed: {found.turn.evidence}' if same else ''


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


def _fills(found: Values, known: Convention) -> bool:
    """Whether the values reach both ends of the range and go no further, which is no chance."""
    low, high = found.values
    slack = END_SHARE * known.period
    return (
        abs(low - known.low) <= slack
        and abs(high - known.high) <= slack
        and not (found.whole and known.period == TURN_RAD)
    )


def _contradicted(found: Values, period: float) -> bool:
    """Whether the values show that a turn is not what Units says.

    Values beyond one turn were unwrapped; what is filled or stepped over in these is no turn,
    unless they fill a range that is known, or jump from end to end of it.
    """
    low, high = found.values
    span = high - low
    if not 0.01 * period < span < MOST_TURNS * period or (found.whole and period == TURN_RAD):
        return True
    others = [known for known in PHASE_CONVENTIONS if known.period != period]
    if any(_fills(found, known) for known in others):
        return True
    if span < 1.01 * period:
        return not _agrees(found, period)
    return found.turn is not None and found.turn.wraps and not _agrees(found, period)


def by_units(found: Values) -> PhaseScale:
    """Believe the sidecar, unless the values contradict it."""
    period = PHASE_UNITS[found.units]
    low, high = found.values
    if not _contradicted(found, period):
        beyond = high - low > 1.01 * period
        note = '; the values exceed one turn and were wrapped again' if beyond else ''
        return found.scale(0, period, f'taken as Units says{_confirmed(found, period)}{note}')
    bare = found.without_header()
    if period == TURN_RAD and any(
        _inside(bare, known, 0.9) for known in (RADIANS, POSITIVE_RADIANS)
    ):
        return bare.scale(
            0, TURN_RAD, 'the stored values are radians, the scale in the header is not'
        )
    raise ValueError(
        f'{found.describe()}: the values contradict Units, expected a turn of {period:.6g}'
        f"{_shown(found)}; correct Units (or set it to 'arbitrary' to decide by the range)"
    )


def _shown(found: Values) -> str:
    return '' if found.turn is None else f', but {found.turn.evidence}'


def filled_range(found: Values) -> Convention | None:
    """The known range whose ends the values reach, whatever jumps at sharp edges say."""
    return next((known for known in PHASE_CONVENTIONS if _fills(found, known)), None)


def by_range(found: Values) -> PhaseScale | None:
    """Take a known range that the values fill."""
    known = filled_range(found) or next(
        (
            known
            for known in PHASE_CONVENTIONS
            if not known.is_rare and _inside(found, known, 0.9) and _agrees(found, known.period)
        ),
        None,
    )
    if known is None:
        return None
    why = f'{known.name}{_confirmed(found, known.period)}'
    return found.scale(known.zero, known.period, why)


def by_unwrapped(found: Values) -> PhaseScale | None:
    """Take values beyond one turn for radians that were unwrapped, where neighbours and echoes say so."""
    low, high = found.values
    wraps = found.turn is not None and found.turn.wraps and not _agrees(found, TURN_RAD)
    unscaled = abs(found.slope) == 1 and not found.whole
    if not (found.unwrapped and unscaled and 1 < (high - low) / TURN_RAD < MOST_TURNS) or wraps:
        return None
    why = f'radians that were unwrapped before, since {found.unwrapped}; they were wrapped again'
    return found.scale(0, TURN_RAD, why, unusual=True)


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
        if fitting and _inside(found, known, 0.5) and _agrees(found, known.period):
            why = f'{known.name}, though the ends are not reached and nothing in the data shows what a turn is'
            return found.scale(known.zero, known.period, why, unusual=True)
    return None


def expected() -> str:
    """The known ranges, in words."""
    known = '; '.join(c.name for c in PHASE_CONVENTIONS if not c.is_rare)
    return f'one of: {known}; degrees; or wraps that show the turn'

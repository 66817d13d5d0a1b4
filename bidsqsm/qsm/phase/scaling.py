"""From stored phase values to radians: which range stands for a full turn, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.conventions import (
    ADVICE,
    NOT_PHASE,
    PHASE_UNITS,
    PhaseScale,
    Stored,
    Values,
)
from bidsqsm.qsm.phase.jumps import Turn, echoes_repeat, find_turn, unwrapped_evidence
from bidsqsm.qsm.phase.scale_rules import (
    by_part_of_range,
    by_range,
    by_stored_range,
    by_turn,
    by_units,
    by_unwrapped,
    expected,
    filled_range,
)
from bidsqsm.qsm.units import TURN_RAD

BEYOND_ONE_TURN = 1.5 * TURN_RAD


def decide_scale(
    stored_min: float,
    stored_max: float,
    is_integer: bool,
    slope: float = 1.0,
    inter: float = 0.0,
    units: str | None = None,
    manufacturer: str | None = None,
    turn: Turn | None = None,
    unwrapped: str = '',
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
    turn
        What the data shows to be a full turn, in stored units, as
        :func:`~bidsqsm.qsm.phase.jumps.find_turn` finds it.
    unwrapped
        What shows that the values were unwrapped, as
        :func:`~bidsqsm.qsm.phase.jumps.unwrapped_evidence` says it.

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
    found = Values(
        (float(stored_min), float(stored_max)),
        is_integer,
        slope,
        inter,
        (units or '').strip().lower(),
        (manufacturer or '').strip().lower(),
        turn,
        unwrapped,
    )
    low, high = found.values
    if not (math.isfinite(low) and math.isfinite(high) and max(-low, high) < 1e9):
        raise ValueError(
            f'{found.describe()}: not finite or far beyond any phase; check the header'
        )
    if low == high:
        raise ValueError(f'{found.describe()}: constant, expected a phase that varies')
    if found.units in NOT_PHASE:
        raise ValueError(
            f"Units is {units!r}, expected 'rad', 'deg' or 'arbitrary' for a phase image; "
            'a field map is not taken as phase'
        )
    if found.units in PHASE_UNITS:
        return by_units(found)
    for rule in (by_range, by_unwrapped, by_turn, by_stored_range, by_part_of_range):
        if (scale := rule(found)) is not None:
            return scale
    raise ValueError(f'{found.describe()}: expected {expected()}; {ADVICE}')


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

    Examples
    --------
    >>> import numpy as np
    >>> stored = np.linspace(-4096, 4094, 4096).reshape(1, 16, 16, 16).astype(np.int16)
    >>> phase, scale = scale_phase(stored)
    >>> round(float(phase.min()), 2), round(float(phase.max()), 2)
    (-3.14, 3.14)

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
    if (units or '').strip().lower() not in PHASE_UNITS:
        apart = _each_by_its_range(stored, scales[0])
        if apart is not None:
            return apart
    low, high = _finite_range(stored)
    whole = _is_whole(stored)
    turn = find_turn(stored, low, high)
    unwrapped = '' if whole else unwrapped_evidence(stored)
    scale = decide_scale(low, high, whole, *scales[0], units, manufacturer, turn, unwrapped)
    if abs(scale.slope) * (high - low) > BEYOND_ONE_TURN and echoes_repeat(stored):
        raise ValueError(
            f'{low:.6g} to {high:.6g} in every echo, with the same value in each, expected phase '
            'that grows with the echo time: this looks like a field map, leave it out of the '
            'gradient echo'
        )
    return scale.apply(stored), scale


def _each_by_its_range(
    stored: Stored, header: tuple[float, float]
) -> tuple[Volume, PhaseScale] | None:
    """Scale each echo by the known range that it fills, where these are not the same for all."""
    found = []
    for echo in stored:
        ends = _ends(echo)
        if not math.isfinite(ends[0]):
            return None
        values = Values(ends, _is_whole(echo), *header, '', '', None)
        known = filled_range(values)
        if known is None:
            return None
        found.append((values, known))
    if len({(known.zero, known.period) for _, known in found}) < 2:
        return None
    phase = np.empty(stored.shape, np.float32)
    for out, echo, (values, known) in zip(phase, stored, found, strict=True):
        out[:] = values.scale(known.zero, known.period, '').apply(echo[np.newaxis])[0]
    each = '; '.join(f'echo {n}: {known.name}' for n, (_, known) in enumerate(found, start=1))
    sentence = f'Phase is not stored alike in all echoes, each was scaled by its range ({each}).'
    return phase, PhaseScale(1.0, 0.0, sentence, unusual=True)


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

    Examples
    --------
    >>> import numpy as np
    >>> phase, magnitude = polar(np.float32([-3.0, 3.0]), np.float32([-4.0, 4.0]))
    >>> round(float(phase[1]), 3), magnitude.tolist()
    (0.927, [5.0, 5.0])

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
    ends = [_ends(part) for part in stored]
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    if not min(lows) < np.inf:
        raise ValueError('the phase image holds no finite value, expected a phase in every voxel')
    return min(lows), max(highs)


def _ends(part: Stored) -> tuple[float, float]:
    """Lowest and highest finite value; infinite, the wrong way round, where there is none."""
    low, high = float(part.min()), float(part.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = part[np.isfinite(part)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)


def _is_whole(stored: Stored) -> bool:
    """Whether all values are whole numbers, whatever their type."""
    if np.issubdtype(stored.dtype, np.integer):
        return True
    some = stored.ravel()[:: max(1, stored.size // 100_000)]
    some = some[np.isfinite(some)]
    return bool(some.size) and bool(np.all(some == np.rint(some)))

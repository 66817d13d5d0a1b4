"""Recommendations on the echoes: how many, when, and how they are read."""

from __future__ import annotations

from itertools import pairwise

from bidsqsm.facts.run_facts import RunFacts
from bidsqsm.inputs.metadata import readout_of
from bidsqsm.qsm.phase.terms import ReadoutPhase
from bidsqsm.reports.subject.recommendation import (
    MET,
    MISSED,
    NOT_RECORDED,
    PARTLY,
    UNKNOWN,
    Advice,
    Known,
)

SAME_SPACING = 0.02  # relative; echo times are rounded
FIRST_ECHO = 1.5  # first echo time over the spacing of the echoes

#: Rate (1/s) at which the last echo should come, at two field strengths (T): 1 / (45 ms) to
#: 1 / (30 ms) and 1 / (25 ms) to 1 / (20 ms). R2* of iron grows in proportion to the field.
LAST_ECHO = {3.0: (1 / 0.045, 1 / 0.030), 7.0: (1 / 0.025, 1 / 0.020)}
FIELDS = (1.0, 10.0)  # T: where that line may be followed


def number_of_echoes(known: Known, _: RunFacts) -> Advice:
    """Three or more."""
    number = len(known['EchoTime'])
    verdict = MET if number >= 3 else PARTLY if number == 2 else MISSED
    return Advice(
        'Echoes',
        verdict,
        f'{number}',
        '3 or more',
        'With them the receive phase, readout phase and wraps can be told from the field, and the '
        'noise is lower.',
    )


def spacing(known: Known, _: RunFacts) -> Advice | None:
    """Equal steps, of three echoes or more."""
    steps = _steps(known)
    if len(steps) < 2:
        return None
    even = max(steps) - min(steps) <= SAME_SPACING * max(steps)
    found = f'{steps[0]:.4g} ms' if even else ', '.join(f'{step:.4g}' for step in steps) + ' ms'
    return Advice(
        'Echo spacing',
        MET if even else PARTLY,
        found,
        'equal',
        'Fits of the field and of R2* that rest on equal spacing hold for all echoes.',
    )


def first_echo(known: Known, _: RunFacts) -> Advice | None:
    """Early, by the spacing of the echoes."""
    steps = _steps(known)
    if not steps:
        return None
    first = 1000 * known['EchoTime'][0]
    return Advice(
        'First echo',
        MET if first <= FIRST_ECHO * steps[0] else PARTLY,
        f'{first:.4g} ms',
        f'as early as can be: up to {FIRST_ECHO * steps[0]:.3g} ms with this spacing',
        'Veins, bleeds and the tissue above the sinuses have lost their signal and wrapped their '
        'phase in later ones.',
        practice=True,
    )


def last_echo(known: Known, _: RunFacts) -> Advice:
    """Near the T2* of deep gray matter."""
    last, strength = 1000 * known['EchoTime'][-1], known['MagneticFieldStrength']
    reason = 'At the T2* of what is looked at, here deep gray matter, phase has the most contrast to noise.'
    window = last_echo_window(strength)
    if window is None:
        return Advice(
            'Last echo',
            UNKNOWN,
            f'{last:.4g} ms',
            'near the T2* of deep gray matter',
            f'{reason} No figure is known at {strength:.3g} T.',
            practice=True,
        )
    low, high = window
    fair = 0.5 * low <= last <= 2 * high
    verdict = MET if 0.8 * low <= last <= 1.2 * high else PARTLY if fair else MISSED
    return Advice(
        'Last echo',
        verdict,
        f'{last:.4g} ms',
        f'about {low:.0f} to {high:.0f} ms at {strength:.3g} T',
        reason,
        practice=True,
    )


def last_echo_window(field_strength: float) -> tuple[float, float] | None:
    """Range in ms for the last echo at a field strength in T, None beyond what is known.

    Examples
    --------
    >>> [round(time) for time in last_echo_window(3.0)]
    [30, 45]

    """
    if not FIELDS[0] <= field_strength <= FIELDS[1]:
        return None
    (one, low_rates), (other, high_rates) = LAST_ECHO.items()
    share = (field_strength - one) / (other - one)
    slow, fast = (a + share * (b - a) for a, b in zip(low_rates, high_rates, strict=True))
    return 1000 / fast, 1000 / slow


def readout(known: Known, decisions: RunFacts) -> Advice | None:
    """Monopolar, by metadata or by what was seen in the phase."""
    if len(known['EchoTime']) < 2:
        return None
    stated, seen = readout_of(known), decisions['phase'].bipolar or ReadoutPhase()
    removed = bool(seen.removed)
    verdict = UNKNOWN
    if stated == 'monopolar' and not removed:
        verdict = MET
    elif stated or removed:
        verdict = PARTLY if removed else MISSED
    found = stated or NOT_RECORDED
    if removed:
        found += '; a difference of even and odd echoes was found and removed'
    elif stated != 'monopolar' and seen.across_head_rad is not None:
        found += '; even and odd echoes do not differ in phase'
    return Advice(
        'Readout',
        verdict,
        found,
        'monopolar',
        'Echoes read in alternating directions differ in phase and are shifted against each other.',
    )


def _steps(known: Known) -> list[float]:
    """Spacing of the echoes in ms."""
    return [1000 * (b - a) for a, b in pairwise(known['EchoTime'])]

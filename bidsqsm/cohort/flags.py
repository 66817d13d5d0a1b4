"""Which runs of a cohort are to be looked at, and why, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bidsqsm.cohort.columns import Column, columns_of
from bidsqsm.cohort.outliers import Compared, PeerGroups, compare
from bidsqsm.cohort.protocols import Protocol, protocol_of
from bidsqsm.cohort.run_files import OK, UNKNOWN, CohortRun
from bidsqsm.qsm.grid import Mask

_FLAGS_PER_VALUE = 9.0  # flags that one value counts for, however far off it is
_FLAGS_PER_ALARM = 4.0  # flags that an alarm, lacking values or an odd protocol count for
#: Share of like runs that have a value, from which on it is lacking elsewhere
_USUAL_VALUE_SHARE = 0.8
_FEW, _RARE = 3, 0.1  # runs of a protocol, and share of all runs, that make it odd
#: Share of runs that have an alarm, beyond which it tells none of them apart
_COMMON_ALARM_SHARE = 0.5
_SMALL_COHORT_RUNS = 10  # runs below which no protocol is odd, and no alarm common


@dataclass(frozen=True)
class Flag:
    """One reason to look at a run.

    Attributes
    ----------
    text
        The reason.
    weight
        How many flags it counts for: the square of how often it passes the limit, 1 to 9.
    family
        What it is about; a run has one flag of each family.
    column
        Place of its column, None where it is about the whole run.
    z
        Distance from the median of like runs in robust standard deviations, NaN where there is none.
    limit
        How far it may be.

    """

    text: str
    weight: float
    family: str
    column: int | None = None
    z: float = float('nan')
    limit: float = float('nan')


@dataclass(frozen=True)
class CohortFlags:
    """The numbers of a cohort and what they say.

    Attributes
    ----------
    columns
        Every number.
    compared
        Of each column, how every run compares.
    protocols
        Of each run.
    flags
        Of each run, the worst first.
    notes
        What is amiss in most runs, and so tells none of them apart.

    """

    columns: Sequence[Column]
    compared: Sequence[Compared]
    protocols: Sequence[Protocol]
    flags: Sequence[Sequence[Flag]]
    notes: Sequence[str] = ()

    def score(self, run: int) -> float:
        """How much a run stands out: its flags, each counted by how far off it is."""
        return sum(flag.weight for flag in self.flags[run])

    def order(self) -> list[int]:
        """Runs that have flags, the worst first."""
        flagged = [run for run, own in enumerate(self.flags) if own]
        return sorted(flagged, key=lambda run: -self.score(run))


def judge(runs: Sequence[CohortRun]) -> CohortFlags:
    """Compare every run with those like it.

    Runs that failed, were skipped or are missing have no say and are not judged.
    """
    columns = columns_of(runs)
    protocols = [protocol_of(run.acquisition) for run in runs]
    counted = np.array([run.status in (OK, UNKNOWN) for run in runs])
    alike = PeerGroups.of(protocols)
    compared = [compare(column.values, column.measure, alike, counted) for column in columns]
    found: list[list[Flag]] = [[] for _ in runs]
    notes: list[str] = []
    for place, (column, result) in enumerate(zip(columns, compared, strict=True)):
        alarmed = counted & _alarming(column)
        if (
            counted.sum() >= _SMALL_COHORT_RUNS
            and alarmed.sum() > _COMMON_ALARM_SHARE * counted.sum()
        ):
            notes.append(_common(column, int(alarmed.sum()), int(counted.sum())))
            alarmed[:] = False
        for run in np.flatnonzero(alarmed).tolist():
            found[run].append(_alarm_flag(place, column, result, run))
        for run in np.flatnonzero(counted & result.outliers(column.measure.better)).tolist():
            found[run].append(_value_flag(place, column, result, run))
    for run, flag in _lacking(columns, alike, counted):
        found[run].append(flag)
    for run in _odd(protocols, counted):
        found[run].append(_protocol_flag(protocols, counted, run))
    flags = [_one_of_each(own, columns) for own in found]
    return CohortFlags(columns, compared, protocols, flags, notes)


def shown(value: float) -> str:
    """A number with three digits that matter.

    Examples
    --------
    >>> shown(1234.5), shown(0.04567), shown(-3)
    ('1234', '0.0457', '−3')

    """
    text = f'{value:.0f}' if abs(value) >= 1000 else f'{value:.3g}'
    return text.replace('-', '\N{MINUS SIGN}')


def _value_flag(place: int, column: Column, compared: Compared, run: int) -> Flag:
    z, limit = float(compared.z[run]), float(compared.limit[run])
    n, unit = int(compared.n[run]), f' {column.unit}' if column.unit else ''
    side = 'above' if z > 0 else 'below'
    who = f'the {n} runs of the same protocol'
    if not compared.alike[run]:
        who = f'{n} runs of other protocols, since few have its own'
    text = (
        f'{column.title}: {shown(column.values[run])}{unit}, {abs(z):.1f} robust SD {side} {who} '
        f'(median {shown(compared.centre[run])})'
    )
    return Flag(text, _weight(z, limit), column.measure.family, place, z, limit)


def _alarming(column: Column) -> Mask:
    if column.metric is None:
        return np.zeros(column.values.shape, bool)
    return np.array([column.metric.alarming(value) for value in column.values])


def _common(column: Column, number: int, total: int) -> str:
    metric = column.metric
    assert metric is not None
    return (
        f'{metric.warning} in {number} of {total} runs: {metric.spoken} beyond '
        f'{shown(metric.alarm)} {metric.unit}'.rstrip()
        + '.'
    )


def _alarm_flag(place: int, column: Column, compared: Compared, run: int) -> Flag:
    metric, unit = column.metric, f' {column.unit}' if column.unit else ''
    assert metric is not None
    text = metric.alarm_text(f'{shown(column.values[run])}{unit}')
    z, limit = float(compared.z[run]), float(compared.limit[run])
    return Flag(text, max(_FLAGS_PER_ALARM, _weight(z, limit)), metric.name, place, z, limit)


def _lacking(
    columns: Sequence[Column], alike: PeerGroups, counted: Mask
) -> list[tuple[int, Flag]]:
    """Runs without values that nearly all like runs have."""
    if not columns:
        return []
    there = np.isfinite(np.array([column.values for column in columns])) & counted
    found = []
    for members in alike.members:
        own = members[counted[members]]
        if own.size < _FEW:
            continue
        usual = there[:, own].mean(axis=1) >= _USUAL_VALUE_SHARE
        for run in own:
            names = [columns[c].title for c in np.flatnonzero(usual & ~there[:, run]).tolist()]
            if names:
                found.append((int(run), _lacking_flag(names)))
    return found


def _lacking_flag(names: Sequence[str]) -> Flag:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    which = ', '.join(names[:3])
    return Flag(
        f'Lacks values that nearly all runs like it have: {which}{more}', _FLAGS_PER_ALARM, ''
    )


def _odd(protocols: Sequence[Protocol], counted: Mask) -> list[int]:
    """Runs that were acquired like next to no other, where that is rare."""
    counts = Counter(one for one, said in zip(protocols, counted, strict=True) if said)
    rare = [r for r in np.flatnonzero(counted).tolist() if counts[protocols[r]] < _FEW]
    few = len(rare) <= _RARE * counted.sum() and counted.sum() >= _SMALL_COHORT_RUNS
    return rare if few else []


def _protocol_flag(protocols: Sequence[Protocol], counted: Mask, run: int) -> Flag:
    counts = Counter(one for one, said in zip(protocols, counted, strict=True) if said)
    usual, number = counts.most_common(1)[0]
    text = f'Acquired unlike the others: {protocols[run]} (most, {number} runs: {usual})'
    return Flag(text, _FLAGS_PER_ALARM, 'protocol')


def _one_of_each(flags: Sequence[Flag], columns: Sequence[Column]) -> list[Flag]:
    """The worst flag of each family, which tells how many more there are, the worst first."""
    worst: dict[str, Flag] = {}
    for flag in sorted(flags, key=_badness, reverse=True):
        worst.setdefault(flag.family, flag)
    places = Counter((f.family, f.column) for f in flags)
    told = []
    for flag in worst.values():
        others = len({c for family, c in places if family == flag.family}) - 1
        sided = flag.column is not None and columns[flag.column].side
        one, several = ('side', 'sides') if sided else ('echo', 'echoes')
        where = f'{others} other {several if others > 1 else one}'
        more = f'; likewise {"on" if sided else "in"} {where}' if others > 0 else ''
        told.append(replace(flag, text=flag.text + more))
    return told


def _weight(z: float, limit: float) -> float:
    return min((z / limit) ** 2, _FLAGS_PER_VALUE) if limit > 0 and np.isfinite(z) else 0.0


def _badness(flag: Flag) -> tuple[float, float]:
    return flag.weight, abs(flag.z) / flag.limit if flag.limit > 0 else 0.0

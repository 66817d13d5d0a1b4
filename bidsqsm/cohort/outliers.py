"""Values that do not belong among those of like runs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.cohort.protocols import Protocol
from bidsqsm.cohort.robust import Values, freedom, limit, spread

_FEWEST_PEERS = 3  # like runs whose median serves as a centre
_RUNS_OF_OTHER_PROTOCOLS = 8  # runs of other protocols that must be there in their place
_BORROWED_FREEDOM = 8.0  # degrees of freedom that the spread of other protocols lends at most
#: From which on, and up to which from the other end, shares are told apart
_SMALLEST_SHARE = 0.002
_LARGEST_Z = 99.0  # z where there is no spread at all


@dataclass(frozen=True)
class Measure:
    """One number that every run may have.

    Attributes
    ----------
    key
        Its name.
    better
        ``higher`` or ``lower``: only values on the other side are outliers; empty: on both.
    scale
        ``linear``; ``log`` for what is above zero and without an upper bound, whose spread grows
        with its size; ``logit`` for shares.
    whole
        What a share is a share of: 1, or 100 for per cent.
    least
        Spread, on the scale, below which differences do not matter.
    family
        Outliers of one family count once.

    """

    key: str
    better: str = ''
    scale: str = 'linear'
    whole: float = 1.0
    least: float = 0.0
    family: str = ''


@dataclass(frozen=True)
class Compared:
    """How one measure of every run compares with the like runs; NaN where it does not.

    Attributes
    ----------
    z : (runs,) array
        Distance from the centre in spreads.
    limit : (runs,) array
        How far it may be.
    centre : (runs,) array
        Median of those that it was compared with, in the measure's unit.
    n : (runs,) int array
        How many they are.
    alike : (runs,) bool array
        Whether they have the protocol of the run.

    """

    z: Values
    limit: Values
    centre: Values
    n: npt.NDArray[np.int64]
    alike: npt.NDArray[np.bool_]

    def outliers(self, better: str) -> npt.NDArray[np.bool_]:
        """Which runs lie beyond the limit on a side that is not the better one."""
        sided = {'higher': -self.z, 'lower': self.z}.get(better, np.abs(self.z))
        return np.asarray(sided > self.limit)


@dataclass(frozen=True)
class PeerGroups:
    """Which runs have one protocol, found once for all measures.

    Attributes
    ----------
    members
        Places of the runs of each protocol.
    coarse : (runs,) int array
        Equal for runs of one field strength and kind of image.

    """

    members: tuple[npt.NDArray[np.intp], ...]
    coarse: npt.NDArray[np.intp]

    @classmethod
    def of(cls, protocols: Sequence[Protocol]) -> PeerGroups:
        """Group runs by their protocols."""
        own = _codes(protocols)
        members = tuple(np.flatnonzero(own == code) for code in range(own.max(initial=-1) + 1))
        return cls(members, _codes([one.coarse for one in protocols]))


def _codes(keys: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    known = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys], np.intp)


def compare(
    values: Values, measure: Measure, alike: PeerGroups, counted: npt.NDArray[np.bool_]
) -> Compared:
    """Compare a measure of every run with that of the runs of the same protocol.

    With three of them or more, the centre is their median. The spread is that by their median
    absolute deviation, moderated by the spread within the other protocols [smyth2004]_, which
    makes up for what a few runs cannot tell. A run with fewer like it is compared with all of its
    field strength and kind of image, or, where these are fewer than eight, with all there are.

    Parameters
    ----------
    values : (runs,) array
        In the unit of the measure; NaN where a run has none.
    measure
        What they are.
    alike
        Which runs have one protocol.
    counted : (runs,) bool array
        Which runs the others are compared with; all are judged.

    References
    ----------
    .. [smyth2004] Smyth, Stat Appl Genet Mol Biol 3:3 (2004). doi:10.2202/1544-6115.1027

    """
    scaled = _scaled(values, measure)
    known = counted & np.isfinite(scaled)
    result = Compared(
        z=np.full(values.size, np.nan),
        limit=np.full(values.size, np.nan),
        centre=np.full(values.size, np.nan),
        n=np.zeros(values.size, np.int64),
        alike=np.zeros(values.size, bool),
    )
    enough = [where for where in alike.members if known[where].sum() >= _FEWEST_PEERS]
    apart = np.full(values.size, np.nan)
    for where in enough:
        inside = where[known[where]]
        apart[inside] = scaled[inside] - np.median(scaled[inside])
    for where in enough:
        inside = where[known[where]]
        others = np.isfinite(apart)
        others[inside] = False
        size, degrees = _moderated(apart[inside], apart[others], len(enough) - 1)
        _judge(result, values, scaled, measure, where, inside, size, degrees)
        result.alike[where] = True
    few = np.flatnonzero(~result.alike)
    for code in np.unique(alike.coarse[few]):
        where = few[alike.coarse[few] == code]
        _judge_broadly(result, values, scaled, measure, where, alike, known)
    return result


def _judge(
    result: Compared,
    values: Values,
    scaled: Values,
    measure: Measure,
    where: npt.NDArray[np.intp],
    inside: npt.NDArray[np.intp],
    size: float,
    degrees: float,
) -> None:
    """Compare some runs with others, whose spread is known with so many degrees of freedom."""
    centre = np.median(scaled[inside])
    # what differs in the seventh digit only is the same
    size = max(size, measure.least, 1e-6 * abs(centre), 1e-30)
    result.z[where] = np.clip((scaled[where] - centre) / size, -_LARGEST_Z, _LARGEST_Z)
    result.limit[where] = limit(degrees)
    result.centre[where] = np.median(values[inside])
    result.n[where] = inside.size


def _judge_broadly(
    result: Compared,
    values: Values,
    scaled: Values,
    measure: Measure,
    where: npt.NDArray[np.intp],
    alike: PeerGroups,
    known: npt.NDArray[np.bool_],
) -> None:
    """Compare runs that are too few for a protocol of their own."""
    near = known & (alike.coarse == alike.coarse[where[0]])
    inside = np.flatnonzero(near if near.sum() >= _RUNS_OF_OTHER_PROTOCOLS else known)
    if inside.size >= _FEWEST_PEERS:
        size = spread(scaled[inside] - np.median(scaled[inside]))
        _judge(result, values, scaled, measure, where, inside, size, freedom(inside.size))


def _moderated(own: Values, others: Values, groups: int) -> tuple[float, float]:
    """Spread and its degrees of freedom, from a group's own deviations and those of others."""
    # each of the other groups has spent one value on its own median
    left = others.size - groups
    borrowed = min(_BORROWED_FREEDOM, freedom(left + 1))
    degrees = freedom(own.size)
    if not borrowed:
        return spread(own), degrees
    other = spread(others) ** 2 * others.size / left
    pooled = (degrees * spread(own) ** 2 + borrowed * other) / (degrees + borrowed)
    return float(np.sqrt(pooled)), degrees + borrowed


def _scaled(values: Values, measure: Measure) -> Values:
    """Values on the scale on which their spread does not depend on their size."""
    values = np.where(np.isfinite(values), values, np.nan)
    if measure.scale == 'log':
        above = values[values > 0]
        # zero has no logarithm: half the smallest value above it stands for it
        return np.log(np.maximum(values, above.min() / 2 if above.size else 1.0))
    if measure.scale == 'logit':
        share = np.clip(values / measure.whole, _SMALLEST_SHARE, 1 - _SMALLEST_SHARE)
        return np.asarray(np.log(share / (1 - share)))
    return values

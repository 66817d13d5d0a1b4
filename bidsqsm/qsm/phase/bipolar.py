"""The phase by which odd and even echoes differ where they are read in opposite directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.phase.difference import Unwrapper, unwrapped_difference
from bidsqsm.qsm.phase.linear_phase import LinearPhase, fit_linear_phase, linear_phase
from bidsqsm.qsm.phase.wrap import wrap
from bidsqsm.qsm.units import TURN_RAD

#: How far echo times may lie beside whole multiples of the shortest interval, as a share of it
UNEVEN_SHARE = 0.1
READOUT_FLOOR_RAD = 0.1  # rad over the head: less than this bends no field by a ppb
SIGMAS = 5.0


@dataclass(frozen=True)
class ParityTerm:
    """Phase of odd echoes minus phase of even ones, linear in space.

    Parameters
    ----------
    plane
        Constant and gradient.
    across
        Change over the head along each axis, in rad.
    found
        Whether it stands out from noise, and alternates from echo to echo.
    sentence
        What was found.

    """

    plane: LinearPhase
    across: Triple
    found: bool
    sentence: str


def readout_parities(
    echo_times: Sequence[float], echo_numbers: Sequence[int] = ()
) -> tuple[int, ...]:
    """Direction in which each echo of a bipolar readout was read: 0 as the first one, 1 against it.

    Where numbers leave echoes out, they tell; else the echo times, whose gaps are whole multiples of
    the shortest interval where echoes are missing; else each echo is read against the one before.

    Parameters
    ----------
    echo_times
        In s, ascending.
    echo_numbers
        Place of each echo in the train, counted from 1, where it is known.

    Examples
    --------
    Of five echoes the second is missing:

    >>> readout_parities((0.005, 0.015, 0.020, 0.025))
    (0, 0, 1, 0)
    >>> readout_parities((0.005, 0.015, 0.021, 0.025), (1, 3, 4, 5))
    (0, 0, 1, 0)
    >>> readout_parities((0.004, 0.0095, 0.0175))
    (0, 1, 0)

    """
    numbers = np.asarray(echo_numbers)
    if numbers.size != len(echo_times) or np.all(np.diff(numbers) == 1):
        times = np.asarray(echo_times)
        places = (times - times[0]) / np.diff(times).min(initial=np.inf)
        numbers = np.rint(places).astype(int)
        if np.abs(places - numbers).max() > UNEVEN_SHARE:
            numbers = np.arange(len(times))
    return tuple(((numbers - numbers[0]) % 2).tolist())


def same_direction(parities: Sequence[int]) -> int:
    """The first echo after the first that was read as that one, else the second.

    Examples
    --------
    >>> same_direction((0, 1, 0, 1)), same_direction((0, 0, 1)), same_direction((0, 1))
    (2, 1, 1)

    """
    alike = [n for n, parity in enumerate(parities) if n and parity == parities[0]]
    return alike[0] if alike else 1


def estimate_parity(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None = None,
    *,
    parities: Sequence[int] | None = None,
) -> ParityTerm:
    r"""Measure the linear phase by which odd echoes differ from even ones.

    An echo is compared with the line through two of the other direction, on which offset and field
    lie; where none is missing, the middle one of three with its neighbours:

    .. math:: \delta = (1 - a) \phi_1 + a \phi_3 - \phi_2, \quad
        a = \frac{TE_2 - TE_1}{TE_3 - TE_1}

    Equally spaced echoes need no unwrapping for :math:`2 \delta`; its constant is then known up
    to a multiple of :math:`\pi`, as a sign that alternates over echoes is also what a field of
    half the sampling rate gives, and the smallest is taken. With four echoes or more the next
    three must show the opposite: a first echo that differs from all others is no readout effect.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad, of three echoes or more.
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude, any unit.
    mask : (nx, ny, nz) bool array
        Where to measure.
    echo_times
        Echo times in s, ascending.
    grid
        Voxel size.
    unwrap
        Method of the step ``unwrap``, for unequal spacing; ROMEO where None.
    parities
        Direction of each echo, 0 or 1, both of which occur; see :func:`readout_parities`, which is
        asked where None.

    Returns
    -------
    term

    """
    extent = _extent(mask, grid)
    parities = readout_parities(echo_times) if parities is None else parities
    triples = _triples(parities)

    def fit(three: list[int]) -> LinearPhase:
        times = [echo_times[n] for n in three]
        plane = _fit_three(phase[three], magnitude[three], mask, times, grid, unwrap)
        return plane.scaled((-1) ** parities[three[0]])

    plane = fit(triples[0])
    across, found = _significant(plane, extent)
    steady = True
    if found and len(triples) > 1:
        later = fit(triples[1])
        steady, plane = _same(plane, later, extent), plane.mean_with(later)
        across, found = _significant(plane, extent)
    return ParityTerm(plane, across, found and steady, _sentence(plane, across, found, steady))


def _triples(parities: Sequence[int]) -> list[list[int]]:
    """Echoes to compare: two of one direction, one of the other between them if there is any."""
    count = len(parities)
    triples = []
    for first in range(count):
        other = [n for n in range(first + 1, count) if parities[n] != parities[first]]
        third = [n for n in range(first + 1, count) if parities[n] == parities[first]]
        after = [n for n in third if other and n > other[0]]
        if after:
            triples.append([first, other[0], after[0]])
    if triples:
        return triples
    pairs = [[n for n in range(count) if parities[n] == parity] for parity in (0, 1)]
    (two, one) = (pairs[0], pairs[1]) if len(pairs[0]) > 1 else (pairs[1], pairs[0])
    return [[two[0], one[0], two[1]]]


def remove_parity(
    phase: Volume, term: ParityTerm, parities: Sequence[int] | None = None
) -> Volume:
    """Take half of the difference off odd echoes and add half to even ones.

    Parameters
    ----------
    phase : (n_echoes, nx, ny, nz) float32 array
        Phase in rad.
    term
        As measured.
    parities
        Direction of each echo, 0 or 1, as it was measured with; they alternate where None.

    Returns
    -------
    phase : (n_echoes, nx, ny, nz) float32 array
        In [-pi, pi].

    """
    half = linear_phase(term.plane, phase.shape[1:]) / 2
    result = np.empty_like(phase)
    for n, echo in enumerate(phase):
        odd = n % 2 == 0 if parities is None else parities[n] == 0
        result[n] = wrap(echo - half if odd else echo + half)
    return result


def parity_of_doubled(doubled: Volume, weight: Volume, mask: Mask, grid: Grid) -> bool:
    """Whether a doubled difference, as three equally spaced echoes give it, is beyond noise."""
    plane = fit_linear_phase(doubled, weight, grid).scaled(0.5)
    return _significant(plane, _extent(mask, grid))[1]


def equally_spaced(echo_times: Sequence[float]) -> bool:
    """Whether three echo times are equally spaced, to a hundredth of the spacing."""
    first, second, third = echo_times
    return abs(first + third - 2 * second) < 0.01 * (second - first)


def _fit_three(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    echo_times: Sequence[float],
    grid: Grid,
    unwrap: Unwrapper | None,
) -> LinearPhase:
    """Odd minus even, from three echoes the outer ones of which count as odd."""
    weight = np.empty(mask.shape, np.float32)
    doubled = np.empty(mask.shape, np.float32)
    tiny = np.float32(1e-12) * magnitude.max() ** 2
    _compare_three(phase, magnitude, mask, tiny, weight, doubled)
    if equally_spaced(echo_times):
        return fit_linear_phase(doubled, weight, grid).scaled(0.5)
    share = (echo_times[1] - echo_times[0]) / (echo_times[2] - echo_times[0])
    grown = unwrapped_difference(
        phase[2] - phase[0], np.sqrt(weight), mask, echo_times[2] - echo_times[0], unwrap
    )
    return fit_linear_phase(wrap(phase[0] + np.float32(share) * grown - phase[1]), weight, grid)


@kernel(parallel=False)
def _compare_three(
    phase: Volume, magnitude: Volume, mask: Mask, tiny: np.float32, weight: Volume, doubled: Volume
) -> None:
    """Inverse variance and, wrapped, the value of the outer two phases less twice the middle."""
    nx, ny, nz = mask.shape
    turn = np.float32(TURN_RAD)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                d = phase[0, i, j, k] + phase[2, i, j, k] - 2 * phase[1, i, j, k]
                doubled[i, j, k] = d - turn * np.rint(d / turn)
                weight[i, j, k] = 0
                if mask[i, j, k]:
                    m1 = magnitude[0, i, j, k] ** 2 + tiny
                    m2 = magnitude[1, i, j, k] ** 2 + tiny
                    m3 = magnitude[2, i, j, k] ** 2 + tiny
                    weight[i, j, k] = 1 / (1 / m1 + 1 / m3 + 4 / m2)


def _extent(mask: Mask, grid: Grid) -> Triple:
    """Length of the mask along each axis in mm, between its 2nd and 98th percentile."""
    lengths = []
    for axis, size in enumerate(grid.voxel_size):
        counts = mask.sum(axis=tuple(a for a in range(3) if a != axis))
        share = np.cumsum(counts) / max(int(counts.sum()), 1)
        low, high = np.searchsorted(share, (0.02, 0.98)).tolist()
        lengths.append((high - low + 1) * size)
    return lengths[0], lengths[1], lengths[2]


def _significant(plane: LinearPhase, extent: Triple) -> tuple[Triple, bool]:
    across = [g * length for g, length in zip(plane.gradient, extent, strict=True)]
    errors = [e * length for e, length in zip(plane.gradient_error, extent, strict=True)]
    pairs = [*zip(across, errors, strict=True), (plane.constant, plane.constant_error)]
    found = any(abs(value) > max(READOUT_FLOOR_RAD, SIGMAS * error) for value, error in pairs)
    return (across[0], across[1], across[2]), found


def _same(one: LinearPhase, other: LinearPhase, extent: Triple) -> bool:
    """Whether two estimates agree better with each other than with nothing."""
    difference = one.mean_with(other.scaled(-1))
    mean = one.mean_with(other)

    def size(plane: LinearPhase) -> float:
        return sum((g * d) ** 2 for g, d in zip(plane.gradient, extent, strict=True))

    return size(difference) + difference.constant**2 < 0.25 * (size(mean) + mean.constant**2)


def _sentence(plane: LinearPhase, across: Triple, found: bool, steady: bool) -> str:
    size = ', '.join(f'{value:.2g}' for value in across)
    text = f'odd and even echoes differ by {size} rad across the head along x, y, z'
    text += f' and {plane.constant:.2g} rad at its centre'
    if not found:
        return f'No readout phase: {text}, within noise or too little to matter.'
    if not steady:
        return f'No readout phase: {text}, but this does not alternate from echo to echo.'
    return f'Readout phase: {text}.'

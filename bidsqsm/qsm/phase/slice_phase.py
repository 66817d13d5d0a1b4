"""Phase that slices have of their own, the same in all echoes: of 2-D, EPI and multiband acquisitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.phase.wrap import wrap

#: Change of the step from one pair of slices to the next, root mean square in rad, that a smooth receive
#: phase does not make: below 0.03 in heads, plain and unruly, of 1 to 4 mm
UNEVEN_STEPS_RAD = 0.1
#: The same of a single echo, which holds the field as well
UNEVEN_FIELD_RAD = 0.3
#: Its standard errors that it must have
SIGMAS = 5.0
#: Weight of a pair of slices, as a share of the largest, from which on it tells of a pattern
FULL_PAIR_SHARE = 0.25

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SlicePhase:
    """A phase for each slice.

    Attributes
    ----------
    axis
        Along which the slices lie, counted from 0.
    values : (n,) float32 array
        In rad, up to a constant.
    uneven_rad
        Root mean square change of the step from one pair of slices to the next, in rad.

    """

    axis: int
    values: Values
    uneven_rad: float

    def spread(self, dimensions: int = 3) -> Volume:
        """The values in a shape that broadcasts to the volume, in rad."""
        shape = [1] * dimensions
        shape[self.axis] = -1
        return self.values.reshape(shape)

    def refined(self, left: Volume, weight: Volume) -> SlicePhase:
        """With the mean of what is left in each slice added.

        Parameters
        ----------
        left, weight : (nx, ny, nz) float32 arrays
            Phase less this and all that is smooth, in rad, and its weight.

        """
        others = tuple(a for a in range(3) if a != self.axis)
        mean = np.angle((weight * np.exp(np.complex64(1j) * left)).sum(axis=others))
        return SlicePhase(self.axis, (self.values + mean).astype(np.float32), self.uneven_rad)


def find_slice_phase(
    phase: Volume, weight: Volume, *, least_rad: float = UNEVEN_STEPS_RAD
) -> SlicePhase | None:
    """Find a phase that jumps from slice to slice, along the axis where it jumps most.

    The mean step between neighbouring slices changes little from pair to pair where the phase is
    smooth, whatever its gradient, and much where slices have phases of their own.

    Parameters
    ----------
    phase : (nx, ny, nz) float32 array
        In rad, wrapped or not; without what differs between echoes.
    weight : (nx, ny, nz) float32 array
        Not negative; zero where the phase is unknown.
    least_rad
        Root mean square change of the step from which on it counts, in rad.

    Returns
    -------
    found
        None where the phase is smooth along all three axes.

    Examples
    --------
    >>> x = np.linspace(0, 2, 20, dtype=np.float32)
    >>> phase = np.zeros((20, 20, 20), np.float32) + x[:, None, None] + 0.8 * (np.arange(20) % 2)
    >>> found = find_slice_phase(phase, np.ones_like(phase))
    >>> found.axis, (found.values[:4] > 0.4).tolist()
    (2, [False, True, False, True])

    """
    along = [_along(phase, weight, axis, least_rad) for axis in range(3)]
    found = [one for one in along if one is not None]
    return max(found, key=lambda one: one.uneven_rad) if found else None


def _along(phase: Volume, weight: Volume, axis: int, least_rad: float) -> SlicePhase | None:
    slices, trust = np.moveaxis(phase, axis, 0), np.moveaxis(weight, axis, 0)
    steps, totals, errors = np.zeros((3, max(len(slices) - 1, 0)))
    for n in range(len(slices) - 1):
        pair = np.sqrt(trust[n] * trust[n + 1])
        phasor = (pair * np.exp(np.complex64(1j) * (slices[n + 1] - slices[n]))).sum(dtype=complex)
        totals[n] = pair.sum(dtype=float)
        if totals[n] > 0 and phasor != 0:
            steps[n] = np.angle(phasor)
            coherence = min(abs(phasor) / totals[n], 1.0)
            # of a mean of so many phasors
            errors[n] = np.sqrt((coherence**-2 - 1) / 2 / np.count_nonzero(pair))
    full = totals > FULL_PAIR_SHARE * totals.max(initial=0)
    both = full[1:] & full[:-1]
    if not both.any():
        return None
    uneven = float(np.sqrt(np.mean(wrap(np.diff(steps).astype(np.float32))[both] ** 2)))
    noise = float(np.sqrt(2 * np.mean(errors[full] ** 2)))
    if uneven < max(least_rad, SIGMAS * noise):
        return None
    values = np.concatenate([[0.0], np.cumsum(steps)])
    return SlicePhase(axis, values.astype(np.float32), uneven)

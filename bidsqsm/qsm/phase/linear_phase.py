"""A plane fitted to wrapped phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid, Triple, Volume
from bidsqsm.qsm.phase.neighbours import neighbour_phasors
from bidsqsm.qsm.phase.wrap import wrap

PLANE_SAMPLES = 300_000
RESIDUAL_RAD = 1.0  # rad: residuals beyond are wraps, vessels or noise
GRAIN = 5.0  # mm: size below which residuals are alike, for the errors


@dataclass(frozen=True)
class LinearPhase:
    """Phase ``constant + gradient . (r - centre)``, in rad and rad/mm, with standard errors."""

    constant: float
    gradient: Triple
    centre: Triple
    voxel_size: Triple
    constant_error: float = 0.0
    gradient_error: Triple = (0.0, 0.0, 0.0)

    def scaled(self, factor: float) -> LinearPhase:
        """The same plane, multiplied."""
        gx, gy, gz = self.gradient
        ex, ey, ez = self.gradient_error
        size = abs(factor)
        return LinearPhase(
            factor * self.constant,
            (factor * gx, factor * gy, factor * gz),
            self.centre,
            self.voxel_size,
            size * self.constant_error,
            (size * ex, size * ey, size * ez),
        )

    def mean_with(self, other: LinearPhase) -> LinearPhase:
        """The mean of two planes about one centre."""
        gx, gy, gz = ((a + b) / 2 for a, b in zip(self.gradient, other.gradient, strict=True))
        return LinearPhase(
            (self.constant + other.constant) / 2,
            (gx, gy, gz),
            self.centre,
            self.voxel_size,
            max(self.constant_error, other.constant_error),
            self.gradient_error,
        )


def linear_phase(plane: LinearPhase, shape: tuple[int, ...]) -> Volume:
    """The plane on a grid: (nx, ny, nz) float32, in rad, not wrapped."""
    axes = [
        np.float32(g) * (np.arange(n, dtype=np.float32) * np.float32(d) - np.float32(c))
        for g, n, d, c in zip(plane.gradient, shape, plane.voxel_size, plane.centre, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing='ij', sparse=True)
    return np.asarray(np.float32(plane.constant) + x + y + z, np.float32)


def fit_linear_phase(phase: Volume, weight: Volume, grid: Grid) -> LinearPhase:
    """Fit a plane to wrapped phase: first from the steps between neighbours, then by least squares.

    Parameters
    ----------
    phase : (nx, ny, nz) float32 array
        Wrapped phase in rad; its plane must change by less than pi from voxel to voxel.
    weight : (nx, ny, nz) float32 array
        Inverse variance up to a factor; zero where the phase is unknown.
    grid
        Voxel size.

    Returns
    -------
    plane
        About the centre of the weight; its constant in (-pi, pi].

    """
    weight = weight / np.float32(max(float(weight.max()), 1e-30))
    step = 2 if phase.size > 1_000_000 else 1
    slopes = np.angle(neighbour_phasors(phase, None, 0.0, weight, step)[0])
    where, w, values = _samples(phase, weight)
    place = [p * d for p, d in zip(where, grid.voxel_size, strict=True)]
    centre = [float(np.sum(w * p) / np.sum(w)) for p in place]
    terms = [np.ones_like(w), *(p - c for p, c in zip(place, centre, strict=True))]
    plane = np.array([0.0, *(s / d for s, d in zip(slopes, grid.voxel_size, strict=True))])
    plane[0] = np.angle(np.sum(w * np.exp(1j * (values - _evaluate(plane, terms)))))
    volume = float(np.sum(weight > 0)) * float(np.prod(grid.voxel_size))
    for _ in range(4):
        plane, errors = _refine(plane, terms, w, values, max(volume / GRAIN**3, 5.0))
    constant, gx, gy, gz = plane.tolist()
    c0, ex, ey, ez = errors.tolist()
    cx, cy, cz = centre
    constant = float(np.angle(np.exp(1j * constant)))
    return LinearPhase(constant, (gx, gy, gz), (cx, cy, cz), grid.voxel_size, c0, (ex, ey, ez))


def _samples(phase: Volume, weight: Volume) -> tuple[tuple[Volume, ...], Volume, Volume]:
    known = np.flatnonzero(weight)
    if known.size < 100:
        raise ValueError(f'{known.size} voxels with signal, expected at least 100; check the mask')
    known = known[:: max(1, known.size // PLANE_SAMPLES)]
    where = tuple(i.astype(np.float64) for i in np.unravel_index(known, phase.shape))
    return where, weight.ravel()[known].astype(np.float64), phase.ravel()[known].astype(np.float64)


def _evaluate(plane: Volume, terms: list[Volume]) -> Volume:
    return np.asarray(sum(p * t for p, t in zip(plane, terms, strict=True)))


def _refine(
    plane: Volume, terms: list[Volume], weight: Volume, values: Volume, independent: float
) -> tuple[Volume, Volume]:
    """One least-squares step on the wrapped residual; standard errors for so many samples."""
    rest = wrap(values - _evaluate(plane, terms))
    w = np.where(np.abs(rest) < RESIDUAL_RAD, weight, 0)
    total = max(float(np.sum(w)), 1e-30)
    # sums, not matrix products: their order does not depend on threads
    normal = np.array([[np.sum(w * a * b) for b in terms] for a in terms]) / total
    update = np.linalg.solve(normal, np.array([np.sum(w * a * rest) for a in terms]) / total)
    left = rest - _evaluate(update, terms)
    variance = float(np.sum(w * left**2)) / total
    errors = np.sqrt(np.diag(np.linalg.inv(normal)) * variance / independent)
    return plane + update, errors

"""Deep nuclei as smooth solids at published coordinates (template mm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Volume

Points = Volume


@dataclass(frozen=True)
class Solid:
    """An ellipsoid on the right side: centre, half axes and two of its axes (rows; the third follows).

    ``bend`` shifts a point across the long axis by ``bend * t**2`` (mm), t from -1 to 1 along it.
    """

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    bend: float = 0.0


@dataclass(frozen=True)
class Tube:
    """A tube on the right side along points (mm), with a radius at each."""

    points: tuple[tuple[float, float, float], ...]
    radii: tuple[float, ...]


#: Centres and axes of the subcortical nuclei are moments of the CIT168 atlas
#: (doi:10.1038/sdata.2018.63), thalamus and dentate of common stereotactic atlases
NUCLEI_SHAPES: dict[str, tuple[Solid | Tube, ...]] = {
    'caudate': (
        Tube(
            (
                (9.5, 9, -8),
                (12, 18, -1),
                (13.5, 17, 7),
                (14.5, 9, 14),
                (16, -1, 18.5),
                (18, -12, 21),
                (21.5, -23, 20),
                (26, -32, 14),
            ),
            (4.0, 5.8, 5.6, 4.6, 3.6, 2.8, 2.2, 1.6),
        ),
    ),
    'putamen': (
        Solid((25.6, 2.0, 0.3), (6.0, 13.0, 18.5), (0.95, 0.30, -0.06), (0.31, -0.93, 0.2), -2.0),
    ),
    'pallidum': (
        Solid((19.2, -0.6, -0.4), (3.7, 6.6, 10.8), (0.73, 0.62, 0.28), (-0.31, -0.07, 0.95)),
        Solid((17.3, -4.5, -4.0), (3.2, 4.7, 8.2), (0.66, 0.72, -0.23), (0.03, 0.28, 0.96)),
    ),
    'thalamus': (
        Solid((11.5, -18.5, 7.5), (7.5, 14.5, 8.5), (0.82, 0.57, 0.0), (-0.55, 0.79, 0.26)),
        Solid((15.5, -28, 6), (6.5, 5.5, 6.0), (1, 0, 0), (0, 1, 0)),
    ),
    'substantia_nigra': (
        Solid(
            (9.6, -17.0, -13.6), (2.3, 5.6, 7.3), (0.70, 0.29, -0.65), (-0.65, -0.15, -0.75), 1.0
        ),
    ),
    'red_nucleus': (
        Solid((5.1, -19.3, -9.5), (3.6, 4.2, 5.5), (0.82, 0.36, -0.43), (-0.56, 0.52, -0.64)),
    ),
    'subthalamic_nucleus': (
        Solid((10.9, -12.4, -7.7), (1.8, 3.6, 6.2), (0.66, 0.30, -0.68), (0.32, 0.71, 0.63)),
    ),
    'dentate_nucleus': (
        Solid((14.0, -56.0, -35.0), (5.0, 8.5, 4.4), (0.8, 0.5, 0.33), (-0.55, 0.83, 0.1), 1.5),
    ),
}


def solid_distance(points: Points, solid: Solid) -> Volume:
    """Signed distance of points (..., 3) from an ellipsoid's surface, negative inside (approximate)."""
    axes = _frame(solid)
    # einsum, not a matrix product: BLAS may round differently with other threads
    local = np.einsum('...j,ij->...i', points - np.array(solid.centre), axes)
    half = np.array(solid.half)
    longest = int(np.argmax(half))
    local[..., 0] -= solid.bend * (local[..., longest] / half[longest]) ** 2 - solid.bend / 3
    q = local / half
    length = np.sqrt((q**2).sum(-1))
    slope = np.sqrt(((q / half) ** 2).sum(-1))
    return np.asarray(length * (length - 1) / np.maximum(slope, 1e-6))


def tube_distance(points: Points, tube: Tube) -> Volume:
    """Signed distance of points (..., 3) from a tube's surface, negative inside."""
    nodes = np.array(tube.points, float)
    best = np.full(points.shape[:-1], np.inf)
    for a, b, ra, rb in zip(nodes, nodes[1:], tube.radii, tube.radii[1:], strict=False):
        along = b - a
        t = np.clip(np.einsum('...i,i->...', points - a, along) / (along**2).sum(), 0, 1)
        away = np.sqrt(((points - a - t[..., None] * along) ** 2).sum(-1))
        best = np.minimum(best, away - (ra + t * (rb - ra)))
    return best


def nucleus_distance(points: Points, shapes: tuple[Solid | Tube, ...]) -> Volume:
    """Signed distance from the union of shapes."""
    parts = [
        solid_distance(points, s) if isinstance(s, Solid) else tube_distance(points, s)
        for s in shapes
    ]
    return np.asarray(np.min(parts, axis=0))


def extent(shapes: tuple[Solid | Tube, ...]) -> tuple[Volume, Volume]:
    """Lowest and highest corner (mm) of a box that surely holds the shapes."""
    low, high = [], []
    for shape in shapes:
        if isinstance(shape, Solid):
            reach = max(shape.half) + abs(shape.bend)
            low.append(np.array(shape.centre) - reach)
            high.append(np.array(shape.centre) + reach)
        else:
            low.append(np.min(shape.points, axis=0) - max(shape.radii))
            high.append(np.max(shape.points, axis=0) + max(shape.radii))
    return np.min(low, axis=0), np.max(high, axis=0)


def _frame(solid: Solid) -> Volume:
    first = np.array(solid.first) / np.linalg.norm(solid.first)
    second = np.array(solid.second) - first * (first @ np.array(solid.second))
    second /= np.linalg.norm(second)
    return np.array([first, second, np.cross(first, second)])

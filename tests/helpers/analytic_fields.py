"""Fields that are known in closed form: spheres, cylinders, dipoles outside a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume

TILTED = (0.3, -0.2, float(np.sqrt(1 - 0.3**2 - 0.2**2)))


def positions(grid: Grid) -> list[Volume]:
    """Voxel centres relative to the middle of the grid, in mm, as broadcastable arrays."""
    axes = [
        (np.arange(n) - (n - 1) / 2) * d for n, d in zip(grid.shape, grid.voxel_size, strict=True)
    ]
    return list(np.meshgrid(*axes, indexing='ij', sparse=True))


def ball(grid: Grid, centre, radius: float, fine: int = 1) -> Volume:
    """Share of each voxel within a ball (mm), from ``fine`` points along each of its edges."""
    total = np.zeros(grid.shape)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    x = [p - c for p, c in zip(positions(grid), centre, strict=True)]
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets), -1).reshape(-1, 3):
        away = sum((p + s * d) ** 2 for p, s, d in zip(x, shift, grid.voxel_size, strict=True))
        total += away < radius**2
    return (total / fine**3).astype(np.float32)


def field_of_sphere(grid: Grid, centre, radius: float, chi: float) -> Volume:
    """Field in ppm of a sphere of chi ppm: zero inside, that of a dipole outside."""
    x = [p - c for p, c in zip(positions(grid), centre, strict=True)]
    square = sum(p**2 for p in x)
    along = sum(b * p for b, p in zip(grid.b0_direction, x, strict=True))
    outside = square > radius**2
    square = np.where(outside, square, radius**2)
    dipole = chi / 3 * radius**3 / square**1.5 * (3 * along**2 / square - 1)
    return np.where(outside, dipole, 0).astype(np.float32)


def field_of_cylinder(grid: Grid, radius: float, chi: float) -> Volume:
    """Field in ppm of an endless cylinder along the third axis, through the middle of the grid."""
    bx, by, bz = grid.b0_direction
    x, y, _ = positions(grid)
    square = np.maximum(x**2 + y**2, 1e-9)
    inside = chi / 6 * (3 * bz**2 - 1)
    # sin^2(theta) cos(2 phi), phi from the part of B0 across the cylinder
    across = ((bx * x + by * y) ** 2 - (bx * y - by * x) ** 2) / square
    outside = chi / 2 * radius**2 / square * across
    flat = np.where(square < radius**2, inside, outside)
    return np.broadcast_to(flat, grid.shape).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """Sources inside a mask, sources outside of it, and the field of each (ppm)."""

    grid: Grid
    mask: Mask
    chi: Volume
    local: Volume
    background: Volume

    @property
    def total(self) -> Volume:
        """What a scanner sees."""
        return self.local + self.background

    @property
    def deep(self) -> Mask:
        """The mask less 6 mm."""
        return shell_of(self.grid, 6)


def shell_of(grid: Grid, depth: float) -> Mask:
    """Voxels at least ``depth`` mm inside the ellipsoid that is a scene's mask."""
    radii = [0.42 * n * d - depth for n, d in zip(grid.shape, grid.voxel_size, strict=True)]
    return sum((p / r) ** 2 for p, r in zip(positions(grid), radii, strict=True)) < 1


INNER = (
    ((-7.0, 2.0, 1.0), 4.0, 0.10),
    ((6.0, -5.0, -3.0), 3.5, -0.06),
    ((3.0, 7.0, 4.0), 3.0, 0.15),
    ((-2.0, -8.0, 3.0), 3.0, 0.08),
)
OUTER = (
    ((0.2, 1.0, 0.4), 5.0, 9.0),
    ((-1.0, -0.3, 0.3), 5.0, -9.0),
    ((0.1, -0.3, -1.0), 6.0, 5.0),
)


def make_scene(
    shape=(48, 52, 44), voxel_size=(1.0, 1.0, 1.0), b0_direction=(0.0, 0.0, 1.0)
) -> Scene:
    """Four balls in an ellipsoid, three strong ones a little outside of it."""
    grid = Grid(shape, voxel_size, b0_direction)
    mask = shell_of(grid, 0)
    chi = np.zeros(shape, np.float32)
    local, background = np.zeros_like(chi), np.zeros_like(chi)
    for centre, radius, value in INNER:
        chi += np.float32(value) * ball(grid, centre, radius, 4)
        local += field_of_sphere(grid, centre, radius, value)
    half = [0.42 * n * d for n, d in zip(shape, voxel_size, strict=True)]
    for towards, radius, value in OUTER:
        unit = np.asarray(towards) / np.linalg.norm(towards)
        edge = 1 / np.sqrt(sum((u / h) ** 2 for u, h in zip(unit, half, strict=True)))
        background += field_of_sphere(grid, unit * (edge + radius + 3), radius, value)
    return Scene(grid, mask, chi * mask, local, background)


SHAPES = {
    'plain': {},
    'odd, tilted': {'shape': (47, 51, 43), 'b0_direction': TILTED},
    'anisotropic, tilted': {
        'shape': (50, 54, 25),
        'voxel_size': (0.9, 0.9, 1.8),
        'b0_direction': TILTED,
    },
}

"""A sphere of known susceptibility in a round mask: the least that an example needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bidsqsm.qsm.echo_signal import Echoes
from bidsqsm.qsm.grid import Grid, Mask, Triple, Volume
from bidsqsm.qsm.units import imaging_frequency_of, ppm_to_rad

#: ppm; a strong sphere of this makes the background outside the mask
BACKGROUND_CHI = 5.0
#: Share of half the field of view along the shortest axis
MASK_RADIUS, BACKGROUND_RADIUS = 0.8, 0.25


@dataclass(frozen=True)
class Sphere:
    """A sphere, what surrounds it, and the fields of it in closed form.

    Attributes
    ----------
    grid
        Voxel size and field direction.
    mask, inside : (nx, ny, nz) bool array
        The voxels that are imaged, and those of them in the sphere.
    chi : (nx, ny, nz) float32 array
        Susceptibility in ppm, zero outside the sphere.
    local_field, background_field : (nx, ny, nz) float32 array
        Field in ppm of the sphere and of what lies outside the mask; zero outside the mask.

    """

    grid: Grid
    mask: Mask
    inside: Mask
    chi: Volume
    local_field: Volume
    background_field: Volume

    @property
    def total_field(self) -> Volume:
        """Field in ppm that a scanner sees."""
        return self.local_field + self.background_field

    def contrast(self, volume: Volume) -> float:
        """Mean of a map inside the sphere less its mean in the rest of the mask."""
        return float(volume[self.inside].mean() - volume[self.mask & ~self.inside].mean())

    def echoes(
        self, echo_times: Sequence[float], r2star: float = 20.0, field_strength: float = 3.0
    ) -> Echoes:
        """Signal without noise: wrapped phase of the total field, magnitude 100 at TE = 0.

        Parameters
        ----------
        echo_times
            In s.
        r2star
            In 1/s, everywhere in the mask.
        field_strength
            In T.

        """
        frequency = imaging_frequency_of(field_strength)
        phase = [ppm_to_rad(self.total_field, frequency, time) for time in echo_times]
        magnitude = [100 * np.exp(-r2star * time) * self.mask for time in echo_times]
        wrapped = np.angle(np.exp(1j * np.stack(phase))).astype(np.float32)
        return Echoes(wrapped, np.stack(magnitude).astype(np.float32), echo_times, frequency)


def make_sphere(
    chi: float = 0.5,
    *,
    radius: float = 8.0,
    shape: tuple[int, int, int] = (24, 24, 24),
    voxel_size: Triple = (2.0, 2.0, 2.0),
) -> Sphere:
    """Put a sphere into the middle of a round mask, B0 along the third axis.

    Parameters
    ----------
    chi
        Susceptibility of the sphere, in ppm.
    radius
        Of the sphere, in mm.
    shape
        Number of voxels along each axis.
    voxel_size
        In mm.

    Returns
    -------
    sphere : Sphere

    Examples
    --------
    >>> sphere = make_sphere(chi=0.5)
    >>> int(sphere.inside.sum()), int(sphere.mask.sum())
    (280, 3648)
    >>> round(sphere.contrast(sphere.chi), 2)
    0.5

    The field rises along B0 and falls across it:

    >>> bool(sphere.local_field[12, 12, 17] > 0), bool(sphere.local_field[17, 12, 12] < 0)
    (True, True)

    """
    grid = Grid(shape, voxel_size)
    half = min(n * size / 2 for n, size in zip(shape, voxel_size, strict=True))
    mask = _distance(grid, 0.0) < MASK_RADIUS * half
    inside = mask & (_distance(grid, 0.0) < radius)
    beyond = (1.1 * MASK_RADIUS + BACKGROUND_RADIUS) * half
    return Sphere(
        grid,
        mask,
        inside,
        np.where(inside, np.float32(chi), np.float32(0)),
        _field(grid, 0.0, radius, chi) * mask,
        _field(grid, beyond, BACKGROUND_RADIUS * half, BACKGROUND_CHI) * mask,
    )


def _places(grid: Grid, along: float) -> list[Volume]:
    # mm from a point that lies this far from the middle along the third axis
    axes = [
        (np.arange(n) - (n - 1) / 2) * size
        for n, size in zip(grid.shape, grid.voxel_size, strict=True)
    ]
    axes[2] = axes[2] - along
    return list(np.meshgrid(*axes, indexing='ij', sparse=True))


def _distance(grid: Grid, along: float) -> Volume:
    x, y, z = _places(grid, along)
    return np.asarray(np.sqrt(x**2 + y**2 + z**2))


def _field(grid: Grid, along: float, radius: float, chi: float) -> Volume:
    # none inside: the field of the sphere less that of the sphere of Lorentz
    distance = np.maximum(_distance(grid, along), radius)
    cosine = _places(grid, along)[2] / distance
    field = chi / 3 * (radius / distance) ** 3 * (3 * cosine**2 - 1)
    outside = _distance(grid, along) > radius
    return np.where(outside, field, 0).astype(np.float32)

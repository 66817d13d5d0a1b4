"""What the quality of a run is measured on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from bidsqsm.qsm.grid import Grid, Mask, Volume, bounding_box
from bidsqsm.qsm.masking.distance import distance_inside
from bidsqsm.qsm.units import MAD_TO_SD


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Images of one run on one grid, as far as there are any.

    Attributes
    ----------
    grid
        Voxel size and field direction.
    echo_times : (n_echoes,) tuple
        In s.
    magnitude, unwrapped : (n_echoes, nx, ny, nz) float32 arrays
        Magnitude, any unit, and unwrapped phase, in rad.
    quality, residual : (nx, ny, nz) float32 arrays
        Quality of the phase, 0 to 1, and relative residual of the field fit.
    noise, total_field, local_field, chi : (nx, ny, nz) float32 arrays
        In ppm; the first is a standard deviation of the total field.
    r2star, decay_misfit : (nx, ny, nz) float32 arrays
        In 1/s, and as a share of S0.
    brain_mask, support, qsm_mask : (nx, ny, nz) bool arrays
        The brain, what of it goes into background removal, what has a susceptibility.
    magnitude_mask, template_mask : (nx, ny, nz) bool arrays
        The brain as the magnitude shows it, and that of a registered template.
    nuclei : (nx, ny, nz) bool array
        Iron-rich nuclei.

    """

    grid: Grid
    echo_times: tuple[float, ...]
    magnitude: Volume | None = None
    unwrapped: Volume | None = None
    quality: Volume | None = None
    residual: Volume | None = None
    noise: Volume | None = None
    total_field: Volume | None = None
    local_field: Volume | None = None
    chi: Volume | None = None
    r2star: Volume | None = None
    decay_misfit: Volume | None = None
    brain_mask: Mask | None = None
    support: Mask | None = None
    qsm_mask: Mask | None = None
    magnitude_mask: Mask | None = None
    template_mask: Mask | None = None
    nuclei: Mask | None = None

    def has(self, needs: tuple[str, ...]) -> bool:
        """Whether all of these are there, masks with at least one voxel."""
        there = (getattr(self, name) for name in needs)
        return all(x is not None and (x.dtype != bool or x.any()) for x in there)

    @cached_property
    def combined(self) -> Volume:
        """Root of the mean square of the magnitude over the echoes."""
        assert self.magnitude is not None
        combined: Volume = np.sqrt(np.mean(self.magnitude**2, axis=0))
        return combined

    @cached_property
    def echo_noise(self) -> list[float]:
        """Standard deviation of the noise of each echo in the brain, in the magnitude's unit."""
        assert self.magnitude is not None
        assert self.brain_mask is not None
        return [detail_noise(echo, self.brain_mask) for echo in self.magnitude]

    @cached_property
    def brain_depth(self) -> Volume:
        """Distance of each voxel of the brain mask to its rim, in mm."""
        assert self.brain_mask is not None
        return distance_inside(self.brain_mask, self.grid.voxel_size)

    @cached_property
    def qsm_depth(self) -> Volume:
        """Distance of each voxel of the susceptibility mask to its rim, in mm."""
        assert self.qsm_mask is not None
        return distance_inside(self.qsm_mask, self.grid.voxel_size)


def steepness(volume: Volume, maps: Maps) -> Volume:
    """Length of the gradient, per mm."""
    steep: Volume = np.zeros_like(volume)
    for axis, size in enumerate(maps.grid.voxel_size):
        if volume.shape[axis] < 2:  # a single slice
            continue
        slope = np.gradient(volume, size, axis=axis)
        slope *= slope
        steep += slope
    return np.sqrt(steep, out=steep)


def ratio(value: float, by: float) -> float:
    """A quotient, NaN where it has no meaning."""
    return value / by if by > 0 else float('nan')


#: Names of the images of :class:`Maps`.
QUALITY_IMAGES = tuple(
    item.name for item in fields(Maps) if item.name not in ('grid', 'echo_times')
)


def detail_noise(volume: Volume, mask: Mask) -> float:
    """Standard deviation of white noise, from the finest diagonal detail of a volume.

    The difference of neighbours along all three axes in turn takes off whatever varies slowly along
    any of them; its median absolute value over the mask keeps the corners of tissue out
    [donoho1994]_. NaN where no cube of 2 x 2 x 2 voxels lies in the mask.

    References
    ----------
    .. [donoho1994] Donoho and Johnstone, Biometrika 81:425-455 (1994). doi:10.1093/biomet/81.3.425

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0, 0.02, (24, 24, 24))
    >>> round(detail_noise(noise.astype('f4'), np.ones(noise.shape, bool)), 2)
    0.02

    """
    box = bounding_box(mask)
    detail, inside = volume[box], mask[box]
    for axis in range(3):
        detail = np.diff(detail, axis=axis)
        ahead, behind = (
            tuple(part if a == axis else slice(None) for a in range(3))
            for part in (slice(1, None), slice(None, -1))
        )
        inside = inside[ahead] & inside[behind]
    if not inside.any():
        return float('nan')
    return float(MAD_TO_SD * np.median(np.abs(detail[inside])) / np.sqrt(8))

"""What happens while k-space is filled: moving heads and fields, lines left out, the filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.phantom.model_errors import ModelErrors
from bidsqsm.qsm.units import TURN_RAD

Complex = npt.NDArray[np.complex64]
_SCAN_S = 300.0
_BREATH_S = 4.0
#: Standard deviation (rad) of what the phase of the breath gains or loses from one to the next
_UNSTEADINESS = 0.5


@dataclass(frozen=True)
class Encoding:
    """Order in which the lines of a 3-D scan are measured: the second phase axis runs faster.

    Parameters
    ----------
    grid
        Of the scan.
    readout
        Voxel axis of the readout.

    """

    grid: Grid
    readout: int

    @property
    def phase_axes(self) -> tuple[int, int]:
        """Axes of the slow and of the fast phase encoding."""
        first, second = (axis for axis in range(3) if axis != self.readout)
        return first, second

    def frequency(self, axis: int) -> Volume:
        """Spatial frequency along an axis in cycles/mm, as a broadcastable array."""
        shape = [1, 1, 1]
        shape[axis] = self.grid.shape[axis]
        k = np.fft.fftfreq(self.grid.shape[axis], self.grid.voxel_size[axis])
        return k.reshape(shape)

    def times(self) -> Volume:
        """When each line is measured, in s from the middle of the scan; broadcastable."""
        slow, fast = (
            np.round(self.frequency(axis) * self.grid.shape[axis] * self.grid.voxel_size[axis])
            for axis in self.phase_axes
        )
        n_fast = self.grid.shape[self.phase_axes[1]]
        n_lines = self.grid.shape[self.phase_axes[0]] * n_fast
        return np.asarray((slow * n_fast + fast) * (_SCAN_S / n_lines))


def line_phase(field: Volume, echo_time: float, way: Volume, frequency: Volume) -> Volume:
    """Phase (rad) of each line by a field (Hz) and a displacement (mm) while it is measured."""
    return np.asarray(TURN_RAD * (field * echo_time - frequency * way))


def breath(times: Volume, seed: int) -> Volume:
    """Chest at some times (s), from -1 to 1, with a period of 4 s that is not quite steady."""
    count = int(_SCAN_S / _BREATH_S) + 3
    walk = np.cumsum(np.random.default_rng([seed, 19]).standard_normal(count)) * _UNSTEADINESS
    at = (np.arange(count) - count // 2) * _BREATH_S
    phase = TURN_RAD * times / _BREATH_S + np.interp(times.ravel(), at, walk).reshape(times.shape)
    return np.asarray(np.sin(phase))


def kept_lines(share: float, encoding: Encoding) -> npt.NDArray[np.bool_]:
    """Lines that a partial Fourier scan measures, all but the first of the slow axis."""
    axis = encoding.phase_axes[0]
    n = encoding.grid.shape[axis]
    index = np.round(encoding.frequency(axis) * n * encoding.grid.voxel_size[axis])
    return np.asarray(index >= round(share * n) - n // 2)


def cosine_filter(share: float, encoding: Encoding, axis: int) -> Volume:
    """Filter along an axis of k-space: 1 in the middle, falling to 0 over a share of the half axis."""
    edge = abs(encoding.frequency(axis)) * 2 * encoding.grid.voxel_size[axis]
    beyond = np.clip((edge - (1 - share)) / share, 0, 1)
    return np.asarray(np.cos(np.pi / 2 * beyond) ** 2)


def kspace_factor(
    errors: ModelErrors, encoding: Encoding, echo_time: float, field_strength: float, seed: int
) -> Complex | None:
    """What k-space of an echo is multiplied with; None where nothing changes it.

    Parameters
    ----------
    errors
        Sizes of breathing, drift, motion, partial Fourier and filter.
    encoding
        The scan's.
    echo_time
        In s.
    field_strength
        In T; the breath's field grows with it.
    seed
        Of the breath.

    """
    factor = np.ones((1, 1, 1), np.complex64)
    if errors.breathing or errors.drift or errors.motion:
        times = encoding.times()
        chest = breath(times, seed)
        field = errors.breathing * field_strength / 3 * chest + errors.drift * times / _SCAN_S
        fast = encoding.frequency(encoding.phase_axes[1])
        phase = line_phase(field, echo_time, errors.motion * chest, fast)
        factor = np.exp(1j * phase).astype(np.complex64)
    if errors.partial_fourier:
        factor = factor * kept_lines(errors.partial_fourier, encoding)
    if errors.kspace_filter:
        for axis in range(3):
            taper = cosine_filter(errors.kspace_filter, encoding, axis)
            factor = factor * taper.astype(np.float32)
    return None if factor.size == 1 else factor


def through_kspace(images: Complex, factor: Complex | None) -> Complex:
    """Images (..., nx, ny, nz) whose k-space is multiplied with a factor; as they are for None."""
    if factor is None:
        return images
    spectrum = fft.fftn(images, axes=(-3, -2, -1))
    spectrum *= factor
    return np.asarray(fft.ifftn(spectrum, axes=(-3, -2, -1), overwrite_x=True), np.complex64)


def displaced(image: Complex, way: float, axis: int, encoding: Encoding) -> Complex:
    """An image (nx, ny, nz) moved by a way (mm) towards higher indices of an axis."""
    ramp = np.exp(-1j * TURN_RAD * way * encoding.frequency(axis)).astype(np.complex64)
    return np.asarray(fft.ifft(fft.fft(image, axis=axis) * ramp, axis=axis), np.complex64)

"""The decay of the magnitude over echoes, voxel after voxel, and which echoes of it can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Mask, Volume

Counts = npt.NDArray[np.int32]

FAINT_SIGNAL_SHARE = 0.05  # share of the signal below which nothing is left to correct
DEPHASED_SHARE = 0.3  # share below which an echo is used only where there are too few others


@dataclass(frozen=True)
class Decay:
    """Signal of the voxels of a mask, in the order of the mask.

    Parameters
    ----------
    times : (n_echoes,) float32 array
        Echo times in s.
    signal : (n_voxels, n_echoes) float32 array
        Magnitude.
    share : (n_voxels, n_echoes) float32 array
        What the dephasing across the voxel leaves of it, 0 to 1.
    used : (n_voxels,) int32 array
        How many echoes can be used, from the first on.
    mask : (nx, ny, nz) bool array
        Where the voxels are.
    noise
        Standard deviation of the noise in the real part, in the magnitude's unit; 0: not known.

    """

    times: Volume
    signal: Volume
    share: Volume
    used: Counts
    mask: Mask
    noise: float = 0.0

    @classmethod
    def of(
        cls,
        magnitude: Volume,
        mask: Mask,
        echo_times: Sequence[float],
        dephasing: Volume | None = None,
    ) -> Decay:
        """Gather the voxels of a mask; echoes are used up to the first without a value.

        Parameters
        ----------
        magnitude : (n_echoes, nx, ny, nz) float32 array
            Magnitude of two echoes or more.
        mask : (nx, ny, nz) bool array
            Voxels to fit.
        echo_times
            Echo times in s, ascending.
        dephasing : (n_echoes, nx, ny, nz) float32 array, optional
            Share of the signal that the field's gradient leaves.

        """
        times = checked_times(magnitude, mask, echo_times)
        signal = _by_voxel(magnitude, mask)
        share = np.ones_like(signal) if dephasing is None else _by_voxel(dephasing, mask)
        good = np.isfinite(signal) & (signal > 0) & (share > FAINT_SIGNAL_SHARE)
        good[saturated(magnitude)[mask]] = False
        return cls(times, np.where(good, signal, 0), share, _leading(good), mask)

    def above(self, level: float, least: int) -> Decay:
        """Leave out echoes from the first one on that is too faint or too much dephased.

        Parameters
        ----------
        level
            Signal that an echo must have.
        least
            Number of echoes below which a voxel cannot be fitted; that many stay.

        """
        clear = _leading((self.signal >= level) & (self.share >= DEPHASED_SHARE))
        used = np.clip(clear, least, self.used)
        used = np.where(self.used < least, 0, used).astype(np.int32)
        return replace(self, used=used)

    def part(self, voxels: npt.NDArray[Any]) -> Decay:
        """Some of the voxels, without their places."""
        return replace(
            self, signal=self.signal[voxels], share=self.share[voxels], used=self.used[voxels]
        )

    def empty(self) -> Volume:
        """Zero for each voxel."""
        return np.zeros(self.used.size, np.float32)

    def as_volume(self, values: Volume) -> Volume:
        """Put values back to their places; zero outside the mask."""
        volume = np.zeros(self.mask.shape, np.float32)
        volume[self.mask] = values
        return volume


def checked_times(magnitude: Volume, mask: Mask, echo_times: Sequence[float]) -> Volume:
    """Echo times as a float32 array, once they are known to fit the magnitude."""
    times = np.asarray(echo_times, float)
    if magnitude.ndim != 4 or magnitude.shape != (times.size, *mask.shape):
        raise ValueError(
            f'magnitude has shape {magnitude.shape}, but {times.size} echo times and a mask of '
            f'{mask.shape} ask for {(times.size, *mask.shape)}: put echoes first'
        )
    if times.size < 2:
        raise ValueError(
            'R2* needs the decay over two echoes or more, found one: leave relaxometry out'
        )
    if not (np.diff(times) > 0).all():
        raise ValueError(f'echo times must ascend, found {times.tolist()} s: sort the echoes')
    return times.astype(np.float32)


def evenly_spaced(echo_times: Sequence[float]) -> bool:
    """Whether three echoes or more lie at equal distances, to one percent."""
    steps = np.diff(np.asarray(echo_times, float))
    return steps.size >= 2 and bool(np.ptp(steps) <= 0.01 * steps.mean())


def saturated(magnitude: Volume) -> Mask:
    """Voxels whose decay is cut off: two echoes or more have the largest value of all.

    Parameters
    ----------
    magnitude : (n_echoes, nx, ny, nz) float32 array
        Magnitude.

    Returns
    -------
    voxels : (nx, ny, nz) bool array

    """
    # one echo with that value may be just the brightest place
    cut: Mask = (magnitude == np.fmax.reduce(magnitude, axis=None)).sum(axis=0) > 1
    return cut


def _by_voxel(volumes: Volume, mask: Mask) -> Volume:
    gathered: Volume = np.ascontiguousarray(volumes[:, mask].T, np.float32)
    return gathered


def _leading(good: npt.NDArray[np.bool_]) -> Counts:
    """How many echoes in a row are good, from the first on."""
    leading: Counts = np.logical_and.accumulate(good, axis=1).sum(1, np.int32)
    return leading

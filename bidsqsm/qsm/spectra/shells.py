"""Shells of the spatial frequency: means over them, and functions of its length."""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Grid, Volume
from bidsqsm.qsm.jit import kernel

Profile = npt.NDArray[np.float64]

#: Ratio of the outer to the inner radius of a shell
STEP = 1.2


@dataclass(frozen=True)
class Shells:
    """Shells of equal relative width, from the extent of an object to the finest voxel edge.

    Parameters
    ----------
    grid
        The grid whose spectrum (of :func:`scipy.fft.rfftn`) is cut into shells.
    lowest
        Inner radius of the first shell, in cycles/mm.

    """

    grid: Grid
    lowest: float

    @property
    def count(self) -> int:
        """Number of shells; the last one reaches the end of the longest axis in k-space."""
        highest = 0.5 / min(self.grid.voxel_size)
        return max(1, int(np.ceil(np.log(highest / self.lowest) / np.log(STEP))))

    @property
    def middle(self) -> Profile:
        """Radius in the middle of each shell, in cycles/mm."""
        return np.asarray(self.lowest * STEP ** (np.arange(self.count) + 0.5))

    def sums(self, spectrum: Spectrum, dipole: Volume, cone: float, off: float) -> Profile:
        """Squared magnitudes, squared kernels and counts, on the magic-angle cone and off it.

        Parameters
        ----------
        spectrum, dipole : (nx, ny, nz // 2 + 1) complex64 and float32 arrays
            Of the grid; the dipole kernel is dimensionless.
        cone, off
            Length of the dipole kernel below which a frequency is on the cone, and above which it
            is off it.

        Returns
        -------
        sums : (3, 3, count) float64 array
            On the cone, off it and between: sum of :math:`|F|^2`, sum of :math:`D^2`, number of
            frequencies of the whole spectrum.

        """
        kx, ky, kz = (k.ravel() for k in self.grid.frequencies())
        planes = np.zeros((len(kx), 3, 3, self.count))
        scale = np.array([self.lowest, 1 / np.log(STEP), cone, off], np.float32)
        _shell_sums(spectrum, dipole, kx, ky, kz, scale, planes)
        return np.asarray(planes.sum(axis=0))

    def on_grid(self, profile: Profile) -> Volume:
        """A positive function of the length of k on the grid, linear between shells in its logarithm.

        Beyond the first and the last middle it is that of the nearest shell.
        """
        kx, ky, kz = (k.ravel() for k in self.grid.frequencies())
        out = np.empty((len(kx), len(ky), len(kz)), np.float32)
        logs = np.log(profile).astype(np.float32)
        scale = np.array([self.lowest, 1 / np.log(STEP)], np.float32)
        _radial(kx, ky, kz, scale, logs, out)
        return out


@kernel()
def _shell_sums(
    spectrum: Spectrum,
    dipole: Volume,
    kx: Volume,
    ky: Volume,
    kz: Volume,
    scale: Volume,
    planes: Volume,
) -> None:
    count = planes.shape[3]
    lowest2 = scale[0] * scale[0]
    for i in nb.prange(len(kx)):
        for j in range(len(ky)):
            for k in range(len(kz)):
                k2 = kx[i] * kx[i] + ky[j] * ky[j] + kz[k] * kz[k]
                if k2 < lowest2:
                    continue
                shell = int(np.float32(0.5) * np.log(k2 / lowest2) * scale[1])
                if shell >= count:
                    continue
                d = abs(dipole[i, j, k])
                side = 0 if d < scale[2] else (1 if d > scale[3] else 2)
                # the other half of the spectrum is the mirror of this one
                twice = 1 if kz[k] == 0 else 2
                value = spectrum[i, j, k]
                planes[i, side, 0, shell] += twice * (
                    value.real * value.real + value.imag * value.imag
                )
                planes[i, side, 1, shell] += twice * d * d
                planes[i, side, 2, shell] += twice


@kernel()
def _radial(kx: Volume, ky: Volume, kz: Volume, scale: Volume, logs: Volume, out: Volume) -> None:
    last = np.float32(len(logs) - 1)
    half, zero = np.float32(0.5), np.float32(0)
    for i in nb.prange(len(kx)):
        for j in range(len(ky)):
            for k in range(len(kz)):
                k2 = kx[i] * kx[i] + ky[j] * ky[j] + kz[k] * kz[k]
                place = zero
                if k2 > 0:
                    place = half * np.log(k2 / (scale[0] * scale[0])) * scale[1] - half
                place = min(max(place, zero), last)
                low = min(int(place), len(logs) - 2) if len(logs) > 1 else 0
                part = place - np.float32(low)
                value = logs[low]
                if part > 0:
                    value += part * (logs[low + 1] - logs[low])
                out[i, j, k] = np.exp(value)

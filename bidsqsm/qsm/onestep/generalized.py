"""Total generalised variation as a penalty of the iteration in :mod:`bidsqsm.qsm.onestep.admm`."""

from __future__ import annotations

import numba as nb
import numpy as np
from scipy import fft

from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import kernel
from bidsqsm.qsm.onestep.admm import RELAX, Spectrum
from bidsqsm.qsm.onestep.variation import squared_gradient
from bidsqsm.qsm.operators import inverse, minus_divergence


@kernel()
def shrink_first(
    chi: Volume,
    slope: Volume,
    split: Volume,
    both: Volume,
    per_mm: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    pull: Volume,
) -> None:
    """Update the split of grad chi - slope; ``pull`` is the split less its multiplier.

    ``split`` is the sum w of split and multiplier, and ``both`` is 2 s - 1 of each voxel, s being
    the share of w that is the split.
    """
    nx, ny, nz = chi.shape
    one, half = np.float32(1), np.float32(0.5)
    px, py, pz = per_mm
    for i in nb.prange(nx):
        after_i = i + 1 if i + 1 < nx else 0
        for j in range(ny):
            after_j = j + 1 if j + 1 < ny else 0
            for k in range(nz):
                after_k = k + 1 if k + 1 < nz else 0
                threshold = thresholds[0] if inside[i, j, k] else thresholds[1]
                here = chi[i, j, k]
                keep = one - relax * half * (one + both[i, j, k])
                wx = px * (chi[after_i, j, k] - here) - slope[0, i, j, k]
                wy = py * (chi[i, after_j, k] - here) - slope[1, i, j, k]
                wz = pz * (chi[i, j, after_k] - here) - slope[2, i, j, k]
                wx = relax * wx + keep * split[0, i, j, k]
                wy = relax * wy + keep * split[1, i, j, k]
                wz = relax * wz + keep * split[2, i, j, k]
                split[0, i, j, k] = wx
                split[1, i, j, k] = wy
                split[2, i, j, k] = wz
                size = np.sqrt(wx * wx + wy * wy + wz * wz)
                now = one - 2 * threshold / max(size, threshold)
                both[i, j, k] = now
                pull[0, i, j, k] = now * wx
                pull[1, i, j, k] = now * wy
                pull[2, i, j, k] = now * wz


@kernel()
def symmetric_gradient(slope: Volume, per_mm: Volume, out: Volume) -> None:
    """Symmetrised backward differences of a vector field: xx, yy, zz, xy, xz, yz; circular."""
    _, nx, ny, nz = slope.shape
    half = np.float32(0.5)
    px, py, pz = per_mm
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                x, y, z = slope[0, i, j, k], slope[1, i, j, k], slope[2, i, j, k]
                # index -1 is the last voxel: the circle closes by itself
                out[0, i, j, k] = px * (x - slope[0, i - 1, j, k])
                out[1, i, j, k] = py * (y - slope[1, i, j - 1, k])
                out[2, i, j, k] = pz * (z - slope[2, i, j, k - 1])
                out[3, i, j, k] = half * (
                    py * (x - slope[0, i, j - 1, k]) + px * (y - slope[1, i - 1, j, k])
                )
                out[4, i, j, k] = half * (
                    pz * (x - slope[0, i, j, k - 1]) + px * (z - slope[2, i - 1, j, k])
                )
                out[5, i, j, k] = half * (
                    pz * (y - slope[1, i, j, k - 1]) + py * (z - slope[2, i, j - 1, k])
                )


@kernel()
def symmetric_divergence(bend: Volume, per_mm: Volume, out: Volume) -> None:
    """Adjoint of :func:`symmetric_gradient`, mixed terms counted twice as in the matrix norm."""
    _, nx, ny, nz = bend.shape
    px, py, pz = per_mm
    for i in nb.prange(nx):
        a = i + 1 if i + 1 < nx else 0
        for j in range(ny):
            b = j + 1 if j + 1 < ny else 0
            for k in range(nz):
                c = k + 1 if k + 1 < nz else 0
                xy, xz, yz = bend[3, i, j, k], bend[4, i, j, k], bend[5, i, j, k]
                out[0, i, j, k] = (
                    px * (bend[0, i, j, k] - bend[0, a, j, k])
                    + py * (xy - bend[3, i, b, k])
                    + pz * (xz - bend[4, i, j, c])
                )
                out[1, i, j, k] = (
                    px * (xy - bend[3, a, j, k])
                    + py * (bend[1, i, j, k] - bend[1, i, b, k])
                    + pz * (yz - bend[5, i, j, c])
                )
                out[2, i, j, k] = (
                    px * (xz - bend[4, a, j, k])
                    + py * (yz - bend[5, i, b, k])
                    + pz * (bend[2, i, j, k] - bend[2, i, j, c])
                )


@kernel()
def shrink_second(
    bend: Volume, split: Volume, both: Volume, inside: Mask, thresholds: Volume, relax: np.float32
) -> None:
    """Update the split of the symmetrised gradient; ``bend`` becomes the split less its multiplier."""
    _, nx, ny, nz = bend.shape
    one, half = np.float32(1), np.float32(0.5)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                threshold = thresholds[0] if inside[i, j, k] else thresholds[1]
                keep = one - relax * half * (one + both[i, j, k])
                square = np.float32(0)
                for m in range(6):
                    w = relax * bend[m, i, j, k] + keep * split[m, i, j, k]
                    split[m, i, j, k] = w
                    square += w * w if m < 3 else 2 * w * w
                now = one - 2 * threshold / max(np.sqrt(square), threshold)
                both[i, j, k] = now
                for m in range(6):
                    bend[m, i, j, k] = now * split[m, i, j, k]


@kernel()
def solve_slope(
    right: Spectrum,
    steps: tuple[Spectrum, Spectrum, Spectrum],
    first: np.float32,
    second: np.float32,
) -> None:
    r"""Solve for the slope in k-space, in place: :math:`(\rho_1 + \rho_2 E^H E) w = right`.

    ``steps`` holds the spectrum d of the forward difference along each axis. :math:`E^H E` is
    :math:`\tfrac12 (|d|^2 + \bar d \bar d^H)`, which has its inverse in closed form.
    """
    _, nx, ny, nz = right.shape
    dx, dy, dz = steps
    half = np.float32(0.5) * second
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                x, y, z = dx[i], dy[j], dz[k]
                square = abs(x) ** 2 + abs(y) ** 2 + abs(z) ** 2
                alpha = first + half * square
                along = x * right[0, i, j, k] + y * right[1, i, j, k] + z * right[2, i, j, k]
                along *= half / (alpha + half * square)
                right[0, i, j, k] = (right[0, i, j, k] - x.conjugate() * along) / alpha
                right[1, i, j, k] = (right[1, i, j, k] - y.conjugate() * along) / alpha
                right[2, i, j, k] = (right[2, i, j, k] - z.conjugate() * along) / alpha


class GeneralizedVariation:
    r""":math:`\min_w \|\lambda(\nabla\chi - w)\|_{2,1} + \|\lambda\tau\,\mathcal{E}w\|_{2,1}`.

    Splits :math:`y = \nabla\chi - w` and :math:`z = \mathcal{E}w`; the slope w is solved for
    together with chi.

    Parameters
    ----------
    grid
        The padded grid.
    inside : (nx, ny, nz) bool array
        Where the first weight holds.
    weights
        :math:`\lambda` inside and outside, in ppm mm.
    second
        :math:`\tau`, in mm.
    rho
        Penalty of the first split, in mm^2; that of the second is its product with
        :math:`\tau^2`.

    """

    def __init__(
        self,
        grid: Grid,
        inside: Mask,
        weights: tuple[float, float],
        *,
        second: float,
        rho: float,
    ) -> None:
        shape = grid.shape
        self.grid, self.inside = grid, inside
        self.rho = np.float32(rho), np.float32(rho * second**2)
        self.thresholds = (np.asarray(weights) / rho).astype(np.float32)
        self.second_thresholds = (self.thresholds / np.float32(second)).astype(np.float32)
        self.per_mm = inverse(grid.voxel_size)
        self.first_split, self.slope = (np.zeros((3, *shape), np.float32) for _ in range(2))
        self.second_split, self.bend = (np.zeros((6, *shape), np.float32) for _ in range(2))
        self.first_both, self.second_both = (np.full(shape, -1, np.float32) for _ in range(2))
        angles = [2 * np.pi * k.ravel().astype(float) for k in grid.frequencies()]
        self.steps = tuple(
            ((np.exp(1j * a * d) - 1) / d).astype(np.complex64)
            for a, d in zip(angles, grid.voxel_size, strict=True)
        )
        self.right = np.zeros((3, *shape[:2], shape[2] // 2 + 1), np.complex64)
        self.spectrum = np.zeros(self.right.shape[1:], np.complex64)

    def curvature(self) -> Volume:
        """What is left of rho times the squared gradient once the slope has taken its part."""
        first, second = self.rho
        square = squared_gradient(self.grid)
        x, y, z = self.steps
        mixed = abs(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2) ** 2
        alpha = first + second / 2 * square
        taken = (square - second / 2 * mixed / (alpha + second / 2 * square)) / alpha
        return np.asarray(first * np.maximum(square - first * taken, 0), np.float32)

    def pull(self) -> Spectrum:
        """What the splits add to the right-hand side for chi, in k-space."""
        return self.spectrum

    def update(self, chi: Volume, spectrum: Spectrum) -> None:
        """Solve for the slope, then shrink what is left of the gradient and the slope's gradient."""
        self._solve_for_slope(spectrum)
        first, second = self.rho
        pull = np.empty_like(self.slope)
        shrink_first(
            chi, self.slope, self.first_split, self.first_both, self.per_mm, self.inside,
            self.thresholds, RELAX, pull,
        )  # fmt: skip
        symmetric_gradient(self.slope, self.per_mm, self.bend)
        shrink_second(
            self.bend, self.second_split, self.second_both, self.inside,
            self.second_thresholds, RELAX,
        )  # fmt: skip
        symmetric_divergence(self.bend, self.per_mm, self.slope)
        self.slope *= second
        self.slope -= first * pull
        for axis in range(3):
            self.right[axis] = fft.rfftn(self.slope[axis])
        self.spectrum = fft.rfftn(minus_divergence(pull, self.grid.voxel_size))
        solved = self.right.copy()
        solve_slope(solved, self.steps, first, second)
        for axis, step in enumerate(self._broadcast_steps()):
            self.spectrum += step.conj() * solved[axis]
        self.spectrum *= first

    def _solve_for_slope(self, spectrum: Spectrum) -> None:
        first, second = self.rho
        for axis, step in enumerate(self._broadcast_steps()):
            self.right[axis] += first * step * spectrum
        solve_slope(self.right, self.steps, first, second)
        for axis in range(3):
            self.slope[axis] = fft.irfftn(self.right[axis], s=self.grid.shape)

    def _broadcast_steps(self) -> tuple[Spectrum, Spectrum, Spectrum]:
        x, y, z = self.steps
        return x[:, None, None], y[None, :, None], z[None, None, :]

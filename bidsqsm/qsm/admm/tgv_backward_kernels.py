"""Compiled steps for total generalised variation whose mixed differences are backward.

The slopes w lie half a voxel on, as forward differences do; all of their own differences are backward
and symmetrised.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel


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

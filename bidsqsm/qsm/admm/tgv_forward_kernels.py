"""Compiled steps for total generalised variation whose mixed differences are forward.

The slopes w lie half a voxel on, as forward differences do. Their own differences are backward along
their axis and forward along the others, so that the six second differences lie on voxels and edges.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel

#: Mixed parts, which a symmetric matrix has twice, are scaled by it to count once
ROOT_OF_HALF = np.float32(0.5**0.5)


@kernel()
def shrink_slopes(
    chi: Volume,
    slopes: Volume,
    per_mm: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    split: Volume,
    pull: Volume,
) -> None:
    """Update the split of grad(chi) - w by shrinkage; ``pull`` becomes what it pulls, y - u.

    ``split`` holds y + u; ``thresholds`` are for voxels in the mask ``inside`` and elsewhere.
    """
    nx, ny, nz = chi.shape
    one = np.float32(1)
    for i in nb.prange(nx):
        next_i = i + 1 if i + 1 < nx else 0
        for j in range(ny):
            next_j = j + 1 if j + 1 < ny else 0
            for k in range(nz):
                next_k = k + 1 if k + 1 < nz else 0
                threshold = thresholds[0] if inside[i, j, k] else thresholds[1]
                here = chi[i, j, k]
                a, b, c = split[0, i, j, k], split[1, i, j, k], split[2, i, j, k]
                size = np.sqrt(a * a + b * b + c * c)
                keep = one - relax * (one - threshold / max(size, threshold))
                a = keep * a + relax * (
                    per_mm[0] * (chi[next_i, j, k] - here) - slopes[0, i, j, k]
                )
                b = keep * b + relax * (
                    per_mm[1] * (chi[i, next_j, k] - here) - slopes[1, i, j, k]
                )
                c = keep * c + relax * (
                    per_mm[2] * (chi[i, j, next_k] - here) - slopes[2, i, j, k]
                )
                split[0, i, j, k], split[1, i, j, k], split[2, i, j, k] = a, b, c
                size = np.sqrt(a * a + b * b + c * c)
                both = one - np.float32(2) * threshold / max(size, threshold)
                pull[0, i, j, k], pull[1, i, j, k], pull[2, i, j, k] = both * a, both * b, both * c


@kernel()
def shrink_bends(
    slopes: Volume,
    per_mm: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    split: Volume,
    share: Volume,
) -> None:
    """Update the split of the symmetric differences of w by shrinkage.

    ``split`` holds h + u of the parts xx, yy, zz, xy, xz, yz; ``share`` becomes what h - u is of it.
    """
    _, nx, ny, nz = slopes.shape
    one = np.float32(1)
    px, py, pz = per_mm
    for i in nb.prange(nx):
        next_i, last_i = i + 1 if i + 1 < nx else 0, i - 1 if i > 0 else nx - 1
        part = np.empty(6, np.float32)
        for j in range(ny):
            next_j, last_j = j + 1 if j + 1 < ny else 0, j - 1 if j > 0 else ny - 1
            for k in range(nz):
                next_k, last_k = k + 1 if k + 1 < nz else 0, k - 1 if k > 0 else nz - 1
                x, y, z = slopes[0, i, j, k], slopes[1, i, j, k], slopes[2, i, j, k]
                part[0] = px * (x - slopes[0, last_i, j, k])
                part[1] = py * (y - slopes[1, i, last_j, k])
                part[2] = pz * (z - slopes[2, i, j, last_k])
                part[3] = ROOT_OF_HALF * (
                    py * (slopes[0, i, next_j, k] - x) + px * (slopes[1, next_i, j, k] - y)
                )
                part[4] = ROOT_OF_HALF * (
                    pz * (slopes[0, i, j, next_k] - x) + px * (slopes[2, next_i, j, k] - z)
                )
                part[5] = ROOT_OF_HALF * (
                    pz * (slopes[1, i, j, next_k] - y) + py * (slopes[2, i, next_j, k] - z)
                )
                threshold = thresholds[0] if inside[i, j, k] else thresholds[1]
                square = np.float32(0)
                for p in range(6):
                    square += split[p, i, j, k] ** 2
                keep = one - relax * (one - threshold / max(np.sqrt(square), threshold))
                square = np.float32(0)
                for p in range(6):
                    split[p, i, j, k] = keep * split[p, i, j, k] + relax * part[p]
                    square += split[p, i, j, k] ** 2
                share[i, j, k] = one - np.float32(2) * threshold / max(np.sqrt(square), threshold)


@kernel()
def pull_bends(split: Volume, share: Volume, per_mm: Volume, out: Volume) -> None:
    """Adjoint of the symmetric differences of w, of ``share`` times ``split``."""
    nx, ny, nz = share.shape
    px, py, pz = per_mm
    for i in nb.prange(nx):
        next_i, last_i = i + 1 if i + 1 < nx else 0, i - 1 if i > 0 else nx - 1
        for j in range(ny):
            next_j, last_j = j + 1 if j + 1 < ny else 0, j - 1 if j > 0 else ny - 1
            for k in range(nz):
                next_k, last_k = k + 1 if k + 1 < nz else 0, k - 1 if k > 0 else nz - 1
                here = share[i, j, k]
                s = split[:, i, j, k]
                xy, xz, yz = here * s[3], here * s[4], here * s[5]
                back_i, back_j, back_k = (
                    share[last_i, j, k],
                    share[i, last_j, k],
                    share[i, j, last_k],
                )
                x = px * (here * s[0] - share[next_i, j, k] * split[0, next_i, j, k])
                y = py * (here * s[1] - share[i, next_j, k] * split[1, i, next_j, k])
                z = pz * (here * s[2] - share[i, j, next_k] * split[2, i, j, next_k])
                x += ROOT_OF_HALF * py * (back_j * split[3, i, last_j, k] - xy)
                x += ROOT_OF_HALF * pz * (back_k * split[4, i, j, last_k] - xz)
                y += ROOT_OF_HALF * px * (back_i * split[3, last_i, j, k] - xy)
                y += ROOT_OF_HALF * pz * (back_k * split[5, i, j, last_k] - yz)
                z += ROOT_OF_HALF * px * (back_i * split[4, last_i, j, k] - xz)
                z += ROOT_OF_HALF * py * (back_j * split[5, i, last_j, k] - yz)
                out[0, i, j, k], out[1, i, j, k], out[2, i, j, k] = x, y, z


@kernel()
def solve_slopes(
    field: Spectrum,
    gradient: Spectrum,
    bends: Spectrum,
    dipole: Volume,
    steps: Spectrum,
    mu: np.float32,
    rho: np.float32,
    nu: np.float32,
    modelled: bool,
    out: Spectrum,
    slopes: Spectrum,
) -> None:
    """Solve for chi and w in k-space what the three splits leave.

    (mu D^2 + rho |e|^2) chi - rho e^H w = mu D field + rho e^H gradient
    -rho e chi + (rho + nu |e|^2 / 2) w + (nu / 2) e e^H w = nu bends - rho gradient
    with e the spectra of the three forward differences, one axis after another in ``steps``.
    Writes D chi if ``modelled``, else chi, and w to ``slopes``.
    """
    nx, ny, nz = dipole.shape
    half = np.float32(0.5)
    for i in nb.prange(nx):
        for j in range(ny):
            ex, ey = steps[i], steps[nx + j]
            for k in range(nz):
                ez = steps[nx + ny + k]
                cx, cy, cz = np.conj(ex), np.conj(ey), np.conj(ez)
                n = (ex * cx + ey * cy + ez * cz).real
                d = dipole[i, j, k]
                gx, gy, gz = gradient[0, i, j, k], gradient[1, i, j, k], gradient[2, i, j, k]
                bx = nu * bends[0, i, j, k] - rho * gx
                by = nu * bends[1, i, j, k] - rho * gy
                bz = nu * bends[2, i, j, k] - rho * gz
                along = cx * bx + cy * by + cz * bz
                stiff = rho + nu * n
                right = mu * d * field[i, j, k] + rho * (cx * gx + cy * gy + cz * gz)
                right += rho / stiff * along
                left = mu * d * d + rho * nu * n * n / stiff + np.float32(1e-20)
                chi = right / left
                if modelled:
                    out[i, j, k] = d * chi
                else:
                    out[i, j, k] = chi
                    # e^H w is the part of w along e; across it e e^H does not see w
                    through = (along + rho * n * chi) / stiff
                    push = rho * chi - half * nu * through
                    soft = np.float32(1) / (rho + half * nu * n)
                    slopes[0, i, j, k] = soft * (bx + ex * push)
                    slopes[1, i, j, k] = soft * (by + ey * push)
                    slopes[2, i, j, k] = soft * (bz + ez * push)
    out[0, 0, 0] = 0  # the mean is free

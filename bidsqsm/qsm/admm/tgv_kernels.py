"""Compiled steps for total generalised variation.

The slopes w lie between two voxels, as the differences of chi do. Their own differences lie on voxels
along their axis, and between four voxels along the others, so that nothing tells one end of an axis
from the other. The length of grad chi - w is that of a voxel with the differences on both of its
sides, half of the square of each; the length of the second differences is that of the three on a
voxel, and of each mixed one by itself.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.admm.tv_kernels import Spectrum
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import kernel

#: Scales what a norm has twice to count once: differences of both sides, mixed parts
ROOT_OF_HALF = np.float32(0.5**0.5)

Codes = npt.NDArray[np.uint8]
row_loop = nb.njit(fastmath=True, nogil=True, inline='always')


def face_codes(mask: Mask) -> Codes:
    """Bit 0 for a voxel of a mask, bits 1 to 3 for a corner in it of the face ahead in xy, xz, yz."""
    codes = mask.astype(np.uint8)
    for bit, axes in enumerate(((0, 1), (0, 2), (1, 2)), 1):
        face = mask
        for axis in axes:
            face = face | np.roll(face, -1, axis)
        codes |= face.astype(np.uint8) << bit
    return codes


@kernel()
def shrink_slopes(
    chi: Volume,
    slopes: Volume,
    per_mm: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    split: Volume,
    share: Volume,
) -> None:
    """Update the split of grad(chi) - w by shrinkage; ``share`` becomes what y - u is of it.

    ``split`` holds y + u, (nx, ny, 6, nz): ahead and behind along x, y and z, over the root of two.
    ``thresholds`` are for voxels in the mask ``inside`` and elsewhere.
    """
    nx, ny, nz = chi.shape
    scales = ROOT_OF_HALF * per_mm
    for i in nb.prange(nx):
        sides = np.empty((6, nz), np.float32)
        square = np.empty(nz, np.float32)
        next_i, last_i = i + 1 if i + 1 < nx else 0, i - 1 if i > 0 else nx - 1
        for j in range(ny):
            next_j, last_j = j + 1 if j + 1 < ny else 0, j - 1 if j > 0 else ny - 1
            here = chi[i, j]
            _step(here, chi[next_i, j], slopes[0, i, j], scales[0], sides[0])
            _step(chi[last_i, j], here, slopes[0, last_i, j], scales[0], sides[1])
            _step(here, chi[i, next_j], slopes[1, i, j], scales[1], sides[2])
            _step(chi[i, last_j], here, slopes[1, i, last_j], scales[1], sides[3])
            _step(here[:-1], here[1:], slopes[2, i, j, :-1], scales[2], sides[4, :-1])
            sides[4, -1] = scales[2] * (here[0] - here[-1]) - ROOT_OF_HALF * slopes[2, i, j, -1]
            sides[5, 1:] = sides[4, :-1]
            sides[5, 0] = sides[4, -1]
            _shrink(sides, split[i, j], inside[i, j], thresholds, relax, share[i, j], square)


@row_loop
def _step(first: Volume, second: Volume, slope: Volume, scale: np.float32, out: Volume) -> None:
    for k in range(first.size):
        out[k] = scale * (second[k] - first[k]) - ROOT_OF_HALF * slope[k]


@row_loop
def _shrink(
    image: Volume,
    split: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    share: Volume,
    square: Volume,
) -> None:
    # split <- relax image + (1 - relax) y + u, its length shrunk; share becomes 2 s - 1, y = s split
    one, zero = np.float32(1), np.float32(0)
    nz = share.size
    for k in range(nz):
        square[k] = zero
    for part in range(split.shape[0]):
        for k in range(nz):
            square[k] += split[part, k] ** 2
    for k in range(nz):
        t = thresholds[0] if inside[k] else thresholds[1]
        share[k] = one - relax * (one - t / max(np.sqrt(square[k]), t))
        square[k] = zero
    for part in range(split.shape[0]):
        for k in range(nz):
            w = relax * image[part, k] + share[k] * split[part, k]
            split[part, k] = w
            square[k] += w * w
    for k in range(nz):
        t = thresholds[0] if inside[k] else thresholds[1]
        share[k] = one - np.float32(2) * t / max(np.sqrt(square[k]), t)


@kernel()
def pull_slopes(split: Volume, share: Volume, out: Volume) -> None:
    """What the splits of both voxels pull on the difference between them: the mean of their y - u."""
    nx, ny, _ = share.shape
    for i in nb.prange(nx):
        next_i = i + 1 if i + 1 < nx else 0
        for j in range(ny):
            next_j = j + 1 if j + 1 < ny else 0
            here, own = split[i, j], share[i, j]
            _mean(here[0], own, split[next_i, j, 1], share[next_i, j], out[0, i, j])
            _mean(here[2], own, split[i, next_j, 3], share[i, next_j], out[1, i, j])
            _mean(here[4, :-1], own[:-1], here[5, 1:], own[1:], out[2, i, j, :-1])
            out[2, i, j, -1] = ROOT_OF_HALF * (own[-1] * here[4, -1] + own[0] * here[5, 0])


@row_loop
def _mean(first: Volume, share: Volume, second: Volume, other: Volume, out: Volume) -> None:
    for k in range(out.size):
        out[k] = ROOT_OF_HALF * (share[k] * first[k] + other[k] * second[k])


@kernel()
def shrink_bends(
    slopes: Volume,
    per_mm: Volume,
    codes: Codes,
    thresholds: Volume,
    relax: np.float32,
    split: Volume,
    share: Volume,
) -> None:
    """Update the split of the symmetric differences of w by shrinkage.

    ``split`` holds h + u of the parts xx, yy, zz, xy, xz, yz; ``share`` becomes what h - u is of the
    first three, which are shrunk together. ``codes`` are from :func:`face_codes`.
    """
    _, nx, ny, nz = slopes.shape
    one = np.float32(1)
    px, py, pz = per_mm
    for i in nb.prange(nx):
        next_i, last_i = i + 1 if i + 1 < nx else 0, i - 1 if i > 0 else nx - 1
        mixed = np.empty(3, np.float32)
        for j in range(ny):
            next_j, last_j = j + 1 if j + 1 < ny else 0, j - 1 if j > 0 else ny - 1
            for k in range(nz):
                next_k, last_k = k + 1 if k + 1 < nz else 0, k - 1 if k > 0 else nz - 1
                x, y, z = slopes[0, i, j, k], slopes[1, i, j, k], slopes[2, i, j, k]
                a, b, c = split[0, i, j, k], split[1, i, j, k], split[2, i, j, k]
                code = codes[i, j, k]
                t = thresholds[0] if code & 1 else thresholds[1]
                keep = one - relax * (one - t / max(np.sqrt(a * a + b * b + c * c), t))
                a = keep * a + relax * px * (x - slopes[0, last_i, j, k])
                b = keep * b + relax * py * (y - slopes[1, i, last_j, k])
                c = keep * c + relax * pz * (z - slopes[2, i, j, last_k])
                split[0, i, j, k], split[1, i, j, k], split[2, i, j, k] = a, b, c
                size = max(np.sqrt(a * a + b * b + c * c), t)
                share[i, j, k] = one - np.float32(2) * t / size
                mixed[0] = py * (slopes[0, i, next_j, k] - x) + px * (slopes[1, next_i, j, k] - y)
                mixed[1] = pz * (slopes[0, i, j, next_k] - x) + px * (slopes[2, next_i, j, k] - z)
                mixed[2] = pz * (slopes[1, i, j, next_k] - y) + py * (slopes[2, i, next_j, k] - z)
                for m in range(3):
                    t = thresholds[0] if (code >> (m + 1)) & 1 else thresholds[1]
                    w = split[m + 3, i, j, k]
                    h = w - min(max(w, -t), t)
                    split[m + 3, i, j, k] = w + relax * (ROOT_OF_HALF * mixed[m] - h)


@row_loop
def _mixed(split: Volume, codes: Codes, thresholds: Volume, i: int, j: int, k: int) -> tuple:  # type: ignore[type-arg]
    # h - u of the three mixed parts, over the root of two; u is h + u cut off at the threshold
    code = codes[i, j, k]
    first = thresholds[0] if code & 2 else thresholds[1]
    second = thresholds[0] if code & 4 else thresholds[1]
    third = thresholds[0] if code & 8 else thresholds[1]
    xy, xz, yz = split[3, i, j, k], split[4, i, j, k], split[5, i, j, k]
    return (
        ROOT_OF_HALF * (xy - 2 * min(max(xy, -first), first)),
        ROOT_OF_HALF * (xz - 2 * min(max(xz, -second), second)),
        ROOT_OF_HALF * (yz - 2 * min(max(yz, -third), third)),
    )


@kernel()
def pull_bends(
    split: Volume, share: Volume, codes: Codes, thresholds: Volume, per_mm: Volume, out: Volume
) -> None:
    """Adjoint of the symmetric differences of w, of h - u as :func:`shrink_bends` left them."""
    nx, ny, nz = share.shape
    px, py, pz = per_mm
    for i in nb.prange(nx):
        next_i, last_i = i + 1 if i + 1 < nx else 0, i - 1 if i > 0 else nx - 1
        for j in range(ny):
            next_j, last_j = j + 1 if j + 1 < ny else 0, j - 1 if j > 0 else ny - 1
            for k in range(nz):
                next_k, last_k = k + 1 if k + 1 < nz else 0, k - 1 if k > 0 else nz - 1
                here, s = share[i, j, k], split[:3, i, j, k]
                x = px * (here * s[0] - share[next_i, j, k] * split[0, next_i, j, k])
                y = py * (here * s[1] - share[i, next_j, k] * split[1, i, next_j, k])
                z = pz * (here * s[2] - share[i, j, next_k] * split[2, i, j, next_k])
                xy, xz, yz = _mixed(split, codes, thresholds, i, j, k)
                xy_i, xz_i, _ = _mixed(split, codes, thresholds, last_i, j, k)
                xy_j, _, yz_j = _mixed(split, codes, thresholds, i, last_j, k)
                _, xz_k, yz_k = _mixed(split, codes, thresholds, i, j, last_k)
                out[0, i, j, k] = x + py * (xy_j - xy) + pz * (xz_k - xz)
                out[1, i, j, k] = y + px * (xy_i - xy) + pz * (yz_k - yz)
                out[2, i, j, k] = z + px * (xz_i - xz) + py * (yz_j - yz)


@kernel()
def right_of_slopes(
    gradient: Spectrum,
    bends: Spectrum,
    steps: Spectrum,
    rho: np.float32,
    nu: np.float32,
    out: Spectrum,
) -> None:
    """What both splits add to the right-hand side for chi, w being solved for: see solve_slopes."""
    nx, ny, nz = out.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                ex, ey, ez = steps[i], steps[nx + j], steps[nx + ny + k]
                cx, cy, cz = np.conj(ex), np.conj(ey), np.conj(ez)
                n = (ex * cx + ey * cy + ez * cz).real
                pull = cx * gradient[0, i, j, k] + cy * gradient[1, i, j, k]
                pull += cz * gradient[2, i, j, k]
                bent = cx * bends[0, i, j, k] + cy * bends[1, i, j, k] + cz * bends[2, i, j, k]
                out[i, j, k] = rho * nu / (rho + nu * n) * (n * pull + bent)


@kernel()
def follow_slopes(
    chi: Spectrum,
    gradient: Spectrum,
    bends: Spectrum,
    steps: Spectrum,
    rho: np.float32,
    nu: np.float32,
    slopes: Spectrum,
) -> None:
    """Solve for w in k-space, given chi: see solve_slopes."""
    nx, ny, nz = chi.shape
    half = np.float32(0.5)
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                ex, ey, ez = steps[i], steps[nx + j], steps[nx + ny + k]
                cx, cy, cz = np.conj(ex), np.conj(ey), np.conj(ez)
                n = (ex * cx + ey * cy + ez * cz).real
                bx = nu * bends[0, i, j, k] - rho * gradient[0, i, j, k]
                by = nu * bends[1, i, j, k] - rho * gradient[1, i, j, k]
                bz = nu * bends[2, i, j, k] - rho * gradient[2, i, j, k]
                through = (cx * bx + cy * by + cz * bz + rho * n * chi[i, j, k]) / (rho + nu * n)
                push = rho * chi[i, j, k] - half * nu * through
                soft = np.float32(1) / (rho + half * nu * n)
                slopes[0, i, j, k] = soft * (bx + ex * push)
                slopes[1, i, j, k] = soft * (by + ey * push)
                slopes[2, i, j, k] = soft * (bz + ez * push)


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

"""Poisson's equation inside a mask, zero on its edge: the operator and a multigrid cycle for it.

The cycle works with the 7-point Laplacian, the operator has 19 points: near enough for the one to
precondition the other. Every array here carries a border of voxels outside the domain, so that the
stencil needs no care at the faces. A level is a domain (uint8, 1 = unknown), a solution and a
right-hand side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.jit import kernel


def compact_stencil(voxel_size: Triple) -> Volume:
    r"""Coefficients of the 19-point Laplacian, in 1/mm^2.

    To the second differences :math:`\delta_a^2 / h_a^2` it adds
    :math:`\tfrac{1}{12} (h_a^{-2} + h_b^{-2}) \delta_a^2 \delta_b^2`, whose error for a harmonic
    function cancels that of the former: fourth order, on anisotropic voxels as well.

    Returns
    -------
    stencil : (7,) float32 array
        Centre, neighbours along x, y, z, and neighbours along two axes: xy, xz, yz.

    """
    cx, cy, cz = (1 / d**2 for d in voxel_size)
    xy, xz, yz = (cx + cy) / 12, (cx + cz) / 12, (cy + cz) / 12
    centre = -2 * (cx + cy + cz) + 4 * (xy + xz + yz)
    faces = cx - 2 * (xy + xz), cy - 2 * (xy + yz), cz - 2 * (xz + yz)
    return np.array([centre, *faces, xy, xz, yz], np.float32)


@kernel()
def minus_laplacian(
    x: Volume, domain: npt.NDArray[np.uint8], stencil: Volume, out: Volume
) -> None:
    """Minus the 19-point Laplacian of x inside a domain, zero outside of it.

    Parameters
    ----------
    x, out : (nx, ny, nz) float32 arrays
        The volume and where to write.
    domain : (nx, ny, nz) uint8 array
        1 where to write, 0 elsewhere and at the faces of the array.
    stencil
        From :func:`compact_stencil`.

    """
    nx, ny, nz = x.shape
    centre, sx, sy, sz, sxy, sxz, syz = stencil
    for i in nb.prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                faces = (
                    sx * (x[i - 1, j, k] + x[i + 1, j, k])
                    + sy * (x[i, j - 1, k] + x[i, j + 1, k])
                    + sz * (x[i, j, k - 1] + x[i, j, k + 1])
                )
                flat = sxy * (
                    (x[i - 1, j - 1, k] + x[i - 1, j + 1, k])
                    + (x[i + 1, j - 1, k] + x[i + 1, j + 1, k])
                )
                front = sxz * (
                    (x[i - 1, j, k - 1] + x[i - 1, j, k + 1])
                    + (x[i + 1, j, k - 1] + x[i + 1, j, k + 1])
                )
                side = syz * (
                    (x[i, j - 1, k - 1] + x[i, j - 1, k + 1])
                    + (x[i, j + 1, k - 1] + x[i, j + 1, k + 1])
                )
                total = centre * x[i, j, k] + faces + flat + front + side
                out[i, j, k] = -total if domain[i, j, k] else np.float32(0)


@kernel()
def continue_outwards(x: Volume, known: Mask, out: Volume) -> None:
    """Copy x where it is known and continue it by one voxel: parabolas along the axes, averaged.

    Voxels with no two known ones in line with them, and those at the faces, are left as they are.
    """
    nx, ny, nz = x.shape
    for i in nb.prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                if known[i, j, k]:
                    out[i, j, k] = x[i, j, k]
                    continue
                total, count = np.float32(0), 0
                for direction in range(6):
                    step = 1 - 2 * (direction % 2)
                    di = step if direction < 2 else 0
                    dj = step if 2 <= direction < 4 else 0
                    dk = step if direction >= 4 else 0
                    a, b, c = i + 3 * di, j + 3 * dj, k + 3 * dk
                    if not (0 <= a < nx and 0 <= b < ny and 0 <= c < nz):
                        continue
                    if known[i + di, j + dj, k + dk] and known[i + 2 * di, j + 2 * dj, k + 2 * dk]:
                        near, far = (
                            x[i + di, j + dj, k + dk],
                            x[i + 2 * di, j + 2 * dj, k + 2 * dk],
                        )
                        if known[a, b, c]:
                            total += 3 * (near - far) + x[a, b, c]
                        else:
                            total += 2 * near - far
                        count += 1
                if count > 0:
                    out[i, j, k] = total / np.float32(count)


@kernel()
def _relax(
    x: Volume, right: Volume, domain: npt.NDArray[np.uint8], couple: Volume, colour: int
) -> None:
    # Gauss-Seidel on the voxels of one colour of a chessboard
    nx, ny, nz = x.shape
    cx, cy, cz = couple
    scale = np.float32(1) / (2 * (cx + cy + cz))
    for i in nb.prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1 + (i + j + 1 + colour) % 2, nz - 1, 2):
                if domain[i, j, k]:
                    x[i, j, k] = scale * (
                        right[i, j, k]
                        + cx * (x[i - 1, j, k] + x[i + 1, j, k])
                        + cy * (x[i, j - 1, k] + x[i, j + 1, k])
                        + cz * (x[i, j, k - 1] + x[i, j, k + 1])
                    )


@kernel()
def _residual(
    x: Volume, right: Volume, domain: npt.NDArray[np.uint8], couple: Volume, out: Volume
) -> None:
    # out = right - A x with the 7-point A, zero outside the domain
    nx, ny, nz = x.shape
    cx, cy, cz = couple
    centre = 2 * (cx + cy + cz)
    for i in nb.prange(1, nx - 1):
        for j in range(1, ny - 1):
            for k in range(1, nz - 1):
                value = right[i, j, k] - centre * x[i, j, k]
                value += cx * (x[i - 1, j, k] + x[i + 1, j, k])
                value += cy * (x[i, j - 1, k] + x[i, j + 1, k])
                value += cz * (x[i, j, k - 1] + x[i, j, k + 1])
                out[i, j, k] = value if domain[i, j, k] else np.float32(0)


@kernel()
def _restrict(
    fine: Volume,
    factors: npt.NDArray[np.int64],
    coarse: Volume,
    coarse_domain: npt.NDArray[np.uint8],
) -> None:
    # full weighting: 1/4, 1/2, 1/4 along halved axes, the transpose of _prolong up to a factor
    mx, my, mz = coarse.shape
    fx, fy, fz = factors
    half = np.float32(0.5)
    for a in nb.prange(1, mx - 1):
        row = np.empty(fine.shape[2], np.float32)
        for b in range(1, my - 1):
            row[:] = np.float32(0)
            for di in range(1 - fx, fx):
                share_i = (half if di else np.float32(1)) / fx
                for dj in range(1 - fy, fy):
                    share = share_i * (half if dj else np.float32(1)) / fy
                    for k in range(fine.shape[2]):
                        row[k] += share * fine[fx * a + di, fy * b + dj, k]
            for c in range(1, mz - 1):
                value = row[fz * c]
                if fz == 2:
                    value = half * (value + half * (row[2 * c - 1] + row[2 * c + 1]))
                coarse[a, b, c] = value if coarse_domain[a, b, c] else np.float32(0)


@kernel()
def _prolong(
    coarse: Volume, domain: npt.NDArray[np.uint8], factors: npt.NDArray[np.int64], x: Volume
) -> None:
    # x += trilinear interpolation of the coarse correction
    nx, ny, nz = x.shape
    fx, fy, fz = factors
    half, quarter = np.float32(0.5), np.float32(0.25)
    for i in nb.prange(1, nx - 1):
        a = i // fx
        a1 = a + i % fx
        row = np.empty(coarse.shape[2], np.float32)
        for j in range(1, ny - 1):
            b = j // fy
            b1 = b + j % fy
            for c in range(coarse.shape[2]):
                row[c] = quarter * (
                    (coarse[a, b, c] + coarse[a, b1, c]) + (coarse[a1, b, c] + coarse[a1, b1, c])
                )
            for k in range(1, nz - 1):
                c = k // fz
                if domain[i, j, k]:
                    x[i, j, k] += half * (row[c] + row[c + k % fz])


@dataclass
class Level:
    """One grid of the hierarchy, with the step to the next coarser one."""

    domain: npt.NDArray[np.uint8]
    couple: Volume
    factors: npt.NDArray[np.int64]
    x: Volume
    right: Volume
    residual: Volume


def hierarchy(domain: Mask, voxel_size: Triple) -> list[Level]:
    """Coarser and coarser grids of a domain; axes of wide spacing wait for the others.

    Coarse voxel a lies on fine voxel 2a and is unknown where that one is. The array must carry a
    border of voxels outside the domain.
    """
    levels: list[Level] = []
    inside, spacing = domain.astype(np.uint8), np.asarray(voxel_size, float)
    while True:
        couple = (1 / spacing**2).astype(np.float32)
        # wide axes hardly couple: halving the close ones first brings all spacings together
        near = spacing < 1.5 * spacing.min()
        factors = np.where(near, 2, 1)
        levels.append(
            Level(
                inside,
                couple,
                factors,
                *(np.zeros(inside.shape, np.float32) for _ in range(3)),
            )
        )
        coarse = np.zeros(
            [n // 2 + 1 if f == 2 else n for n, f in zip(inside.shape, factors, strict=True)],
            np.uint8,
        )
        taken = inside[:: factors[0], :: factors[1], :: factors[2]]
        coarse[tuple(slice(0, n) for n in taken.shape)] = taken
        if coarse.sum() < 8 or min(coarse.shape) < 4:
            return levels
        inside, spacing = coarse, spacing * factors


def cycle(levels: list[Level], depth: int = 0) -> None:
    """Symmetric V-cycle: x of this level becomes nearly A^-1 right, from zero.

    Red before black on the way down and black before red on the way up make it a symmetric
    operator, which conjugate gradients ask of a preconditioner.
    """
    level = levels[depth]
    level.x.fill(0)
    system = level.right, level.domain, level.couple
    # few voxels are left: relaxing solves them, there and back to stay symmetric
    if depth == len(levels) - 1:
        for colour in (0, 1) * 8 + (1, 0) * 8:
            _relax(level.x, *system, colour)
        return
    # relaxing takes off the error that changes from voxel to voxel and leaves the smooth one
    for colour in (0, 1):
        _relax(level.x, *system, colour)
    below = levels[depth + 1]
    # which a coarser grid can hold, and solve for at an eighth of the cost
    _residual(level.x, *system, level.residual)
    _restrict(level.residual, level.factors, below.right, below.domain)
    cycle(levels, depth + 1)
    _prolong(below.x, level.domain, level.factors, level.x)
    # in reverse order: the cycle is its own adjoint, as conjugate gradients ask
    for colour in (1, 0):
        _relax(level.x, *system, colour)

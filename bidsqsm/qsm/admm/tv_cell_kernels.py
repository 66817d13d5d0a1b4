"""Compiled step for total variation whose gradient belongs to the cell between eight voxels.

The squared length of the gradient is the mean square of the four differences of a cell along each
axis, summed over the axes: the same whichever way an axis is stored. From twelve differences of eight
values follow seven parts, whose squares add up to it: the three slopes of the cell and four ways in
which its differences along one axis are not the same.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.jit import kernel

#: Of a cell: along x, along y, unlike along x and y; along z and what is unlike of these along z
N_PARTS = 7

# The loops of a row are short and many: with few arrays in each, the compiler makes vectors of all.
# Inlined before it compiles, it knows that their arrays do not overlap.
row_loop = nb.njit(fastmath=True, nogil=True, inline='always')


def part_factors(voxel_size: Triple) -> Volume:
    """What makes sums and differences of a cell's eight values its parts, in 1/mm.

    Examples
    --------
    >>> [round(float(q), 3) for q in part_factors((1.0, 1.0, 1.0))[:4]]
    [0.25, 0.25, 0.354, 0.25]

    """
    x, y, z = (1 / np.asarray(voxel_size, float)) ** 2
    squares = np.array([x, y, x + y, z, x + z, y + z, x + y + z])
    factors: Volume = (np.sqrt(squares) / 4).astype(np.float32)
    return factors


def cells_of(mask: Mask) -> Mask:
    """Cells that have a corner in a mask; circular.

    Examples
    --------
    >>> mask = np.zeros((4, 4, 4), bool)
    >>> mask[2, 2, 2] = True
    >>> int(cells_of(mask).sum())
    8

    """
    cells = mask
    for axis in range(3):
        cells = cells | np.roll(cells, -1, axis)
    return cells


@kernel()
def shrink_cells(
    chi: Volume,
    split: Volume,
    factors: Volume,
    cells: Mask,
    thresholds: Volume,
    relax: np.float32,
    pull: Volume,
    seam: Volume,
) -> None:
    """Update the split of the gradient and return what it pulls on chi, in one pass.

    split <- w = relax * grad(chi) + (1 - relax) * y + u;  pull = grad^T (y - u), new y and u.
    ``split`` has the parts of a row of cells side by side, (nx, ny, 7, nz); the first voxel of a cell
    has its index; differences are circular. y is the shrinkage of w's length by the first threshold
    in ``cells`` and by the second elsewhere.
    The volume is swept in as many slabs as ``seam`` has planes; what the last cells of a slab
    pull on the first plane of the next is left in ``seam``, for :func:`join_slabs`.
    """
    nx, ny, nz = chi.shape
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        front = seam[slab]  # what the cells behind pull on the next plane
        front[:, :] = np.float32(0)
        rows = np.empty((4, nz), np.float32)  # sums and differences along x of two rows
        corners, out = np.empty((4, nz + 1), np.float32), np.empty((4, nz), np.float32)
        carry = np.empty((2, nz), np.float32)  # what the cells before pull on the next row
        share, square = np.empty((2, nz), np.float32)
        for i in range(slab * nx // slabs, (slab + 1) * nx // slabs):
            here, there = chi[i], chi[i + 1 if i + 1 < nx else 0]
            carry[:, :] = np.float32(0)
            _add_along_x(here[0], there[0], rows[:2])
            for j in range(ny):
                after = j + 1 if j + 1 < ny else 0
                last, new = rows[2 * (j % 2) :], rows[2 * (1 - j % 2) :]
                _add_along_x(here[after], there[after], new)
                _add_along_y(last, new, corners)
                _shrink_row(
                    corners, split[i, j], factors, cells[i, j], thresholds, relax, share, square
                )
                _take_back_along_z(split[i, j], factors, share, out)
                _take_back(out, carry, pull[i, j], front[j])
            for k in range(nz):
                pull[i, 0, k] += carry[0, k]
                front[0, k] += carry[1, k]


@kernel()
def join_slabs(seam: Volume, pull: Volume) -> None:
    """Add to the first plane of each slab what the slab before it pulls."""
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        i = slab * pull.shape[0] // slabs
        for j in range(pull.shape[1]):
            for k in range(pull.shape[2]):
                pull[i, j, k] += seam[slab - 1, j, k]


@row_loop
def _add_along_x(here: Volume, there: Volume, rows: Volume) -> None:
    for k in range(here.size):
        rows[0, k] = there[k] + here[k]
        rows[1, k] = there[k] - here[k]


@row_loop
def _add_along_y(last: Volume, new: Volume, corners: Volume) -> None:
    # sums over the corners of the faces across z; first to second row along y, then so along x
    nz = last.shape[1]
    for k in range(nz):
        corners[0, k] = last[0, k] + new[0, k]
        corners[2, k] = new[0, k] - last[0, k]
    for k in range(nz):
        corners[1, k] = last[1, k] + new[1, k]
        corners[3, k] = new[1, k] - last[1, k]
    corners[:, nz] = corners[:, 0]


@row_loop
def _shrink_row(
    corners: Volume,
    split: Volume,
    factors: Volume,
    cells: Mask,
    thresholds: Volume,
    relax: np.float32,
    share: Volume,
    square: Volume,
) -> None:
    # split becomes w; share becomes 2 s - 1, s the share of w that y keeps
    one, zero = np.float32(1), np.float32(0)
    nz = share.size
    for k in range(nz):
        square[k] = zero
    for part in range(split.shape[0]):
        for k in range(nz):
            square[k] += split[part, k] ** 2
    for k in range(nz):
        # w_old -> (1 - relax) y + u = w_old (1 - relax s)
        t = thresholds[0] if cells[k] else thresholds[1]
        share[k] = one - relax * (one - t / max(np.sqrt(square[k]), t))
        square[k] = zero
    for part in range(3):
        scale = relax * factors[part]
        for k in range(nz):
            slope = corners[part + 1, k + 1] + corners[part + 1, k]
            w = scale * slope + share[k] * split[part, k]
            split[part, k] = w
            square[k] += w * w
    for part in range(4):
        scale = relax * factors[part + 3]
        for k in range(nz):
            slope = corners[part, k + 1] - corners[part, k]
            w = scale * slope + share[k] * split[part + 3, k]
            split[part + 3, k] = w
            square[k] += w * w
    for k in range(nz):
        t = thresholds[0] if cells[k] else thresholds[1]
        share[k] = one - np.float32(2) * t / max(np.sqrt(square[k]), t)


@row_loop
def _take_back_along_z(split: Volume, factors: Volume, share: Volume, out: Volume) -> None:
    # adjoint of the differences and sums along z, of y - u = share w
    nz = share.size
    for part in range(4):
        q = factors[part + 3]
        out[part, 0] = q * (share[-1] * split[part + 3, -1] - share[0] * split[part + 3, 0])
        for k in range(1, nz):
            out[part, k] = q * (
                share[k - 1] * split[part + 3, k - 1] - share[k] * split[part + 3, k]
            )
    for part in range(3):
        q = factors[part]
        out[part + 1, 0] += q * (share[-1] * split[part, -1] + share[0] * split[part, 0])
        for k in range(1, nz):
            out[part + 1, k] += q * (share[k - 1] * split[part, k - 1] + share[k] * split[part, k])


@row_loop
def _take_back(out: Volume, carry: Volume, pull: Volume, front: Volume) -> None:
    # adjoint of the sums and differences along x and y: to two rows of this plane and of the next
    for k in range(pull.size):
        pull[k] = front[k] + carry[0, k] + out[0, k] + out[3, k] - out[1, k] - out[2, k]
    for k in range(pull.size):
        carry[0, k] = out[0, k] - out[3, k] - out[1, k] + out[2, k]
    for k in range(pull.size):
        front[k] = carry[1, k] + out[0, k] - out[3, k] + out[1, k] - out[2, k]
    for k in range(pull.size):
        carry[1, k] = out[0, k] + out[3, k] + out[1, k] + out[2, k]

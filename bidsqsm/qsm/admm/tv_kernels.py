"""Compiled steps of the ADMM iteration for total variation.

A split variable y with its scaled multiplier u is kept as the one sum w = y + u, from which both
are had by the proximal map, y = prox(w) and u = w - y: half the memory to cross.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel

Spectrum = npt.NDArray[np.complex64]


@kernel()
def shrink_gradient(
    chi: Volume,
    split: Volume,
    per_mm: Volume,
    inside: Mask,
    thresholds: Volume,
    relax: np.float32,
    pull: Volume,
    seam: Volume,
) -> None:
    """Update the split of the gradient and return what it pulls on chi, in one pass.

    split <- w = relax * grad(chi) + (1 - relax) * y + u;  pull = grad^T (y - u), new y and u.
    Differences are forward, per mm and circular; y is the shrinkage of w's length by the first
    threshold in the mask ``inside`` and by the second elsewhere.
    The volume is swept in as many slabs as ``seam`` has planes; what the last plane of a slab
    pulls on the first of the next is left in ``seam``, for :func:`close_seams`.
    """
    nx, ny, nz = chi.shape
    one, zero = np.float32(1), np.float32(0)
    px, py, pz = per_mm
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        behind = seam[slab]  # y - u along x, one plane back
        behind[:, :] = zero
        row = np.zeros((3, nz), np.float32)  # y - u of this row; along y, of the row before
        before = np.zeros(nz, np.float32)
        for i in range(slab * nx // slabs, (slab + 1) * nx // slabs):
            after_i = i + 1 if i + 1 < nx else 0
            before[:] = zero
            for j in range(ny):
                after_j = j + 1 if j + 1 < ny else 0
                for k in range(nz):
                    after_k = k + 1 if k + 1 < nz else 0
                    threshold = thresholds[0] if inside[i, j, k] else thresholds[1]
                    here = chi[i, j, k]
                    wx, wy, wz = split[0, i, j, k], split[1, i, j, k], split[2, i, j, k]
                    size = np.sqrt(wx * wx + wy * wy + wz * wz)
                    # w_old -> (1 - relax) y + u = w_old (1 - relax s), s the share that y keeps
                    share = one - threshold / max(size, threshold)
                    keep = one - relax * share
                    wx = relax * px * (chi[after_i, j, k] - here) + keep * wx
                    wy = relax * py * (chi[i, after_j, k] - here) + keep * wy
                    wz = relax * pz * (chi[i, j, after_k] - here) + keep * wz
                    split[0, i, j, k] = wx
                    split[1, i, j, k] = wy
                    split[2, i, j, k] = wz
                    size = np.sqrt(wx * wx + wy * wy + wz * wz)
                    share = one - threshold / max(size, threshold)
                    both = share + share - one  # y - u = (2 s - 1) w
                    row[0, k] = px * both * wx
                    row[1, k] = py * both * wy
                    row[2, k] = pz * both * wz
                for k in range(nz):
                    before_k = k - 1 if k > 0 else nz - 1
                    pull[i, j, k] = (
                        behind[j, k]
                        - row[0, k]
                        + before[k]
                        - row[1, k]
                        + row[2, before_k]
                        - row[2, k]
                    )
                    behind[j, k] = row[0, k]
                    before[k] = row[1, k]
            for k in range(nz):
                pull[i, 0, k] += before[k]


@kernel()
def shrink_differences(
    chi: Volume,
    split: Volume,
    per_mm: Volume,
    codes: Labels,
    thresholds: Volume,
    relax: np.float32,
    pull: Volume,
    seam: Volume,
) -> None:
    """Update the split of the gradient and return what it pulls on chi, in one pass.

    As :func:`shrink_gradient`, but each difference is shrunk by itself:
    not at all across an edge, by the first threshold in the mask and the second outside of it. With
    w = y + u, the multiplier u is w cut off at the threshold.
    """
    nx, ny, nz = chi.shape
    zero = np.float32(0)
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        behind = seam[slab]  # y - u along x, one plane back
        behind[:, :] = zero
        row = np.zeros((3, nz), np.float32)  # y - u of this row; along y, of the row before
        before = np.zeros(nz, np.float32)
        for i in range(slab * nx // slabs, (slab + 1) * nx // slabs):
            after_i = i + 1 if i + 1 < nx else 0
            before[:] = zero
            for j in range(ny):
                after_j = j + 1 if j + 1 < ny else 0
                for k in range(nz):
                    code, here = codes[i, j, k], chi[i, j, k]
                    for axis in range(3):
                        if axis == 0:
                            there = chi[after_i, j, k]
                        elif axis == 1:
                            there = chi[i, after_j, k]
                        else:
                            there = chi[i, j, k + 1 if k + 1 < nz else 0]
                        t = thresholds[(code >> (3 + axis)) & 1]
                        t = zero if (code >> axis) & 1 else t
                        w = split[axis, i, j, k]
                        u = min(max(w, -t), t)
                        w += relax * (per_mm[axis] * (there - here) - (w - u))
                        split[axis, i, j, k] = w
                        u = min(max(w, -t), t)
                        row[axis, k] = per_mm[axis] * (w - u - u)
                for k in range(nz):
                    before_k = k - 1 if k > 0 else nz - 1
                    pull[i, j, k] = (
                        behind[j, k]
                        - row[0, k]
                        + before[k]
                        - row[1, k]
                        + row[2, before_k]
                        - row[2, k]
                    )
                    behind[j, k] = row[0, k]
                    before[k] = row[1, k]
            for k in range(nz):
                pull[i, 0, k] += before[k]


@kernel()
def close_seams(seam: Volume, pull: Volume) -> None:
    """Add to the first plane of each slab what the slab before it pulls."""
    slabs = seam.shape[0]
    for slab in nb.prange(slabs):
        i = slab * pull.shape[0] // slabs
        for j in range(pull.shape[1]):
            for k in range(pull.shape[2]):
                pull[i, j, k] += seam[slab - 1, j, k]


@kernel()
def solve_spectrum(
    field: Spectrum,
    gradient: Spectrum,
    dipole: Volume,
    edges: Volume,
    mu: np.float32,
    rho: np.float32,
    modelled: bool,
    out: Spectrum,
) -> None:
    """Solve the quadratic for chi in k-space: (mu D^2 + rho |E|^2) chi = mu D field + rho gradient.

    ``field`` and ``gradient`` are the spectra of what the two splits pull; ``edges`` holds |E|^2 of
    the three axes, one after another, in 1/mm^2. Writes chi or, if ``modelled``, D chi.
    """
    nx, ny, nz = dipole.shape
    tiny = np.float32(1e-20)  # at k = 0, where nothing is known of chi; see below
    for i in nb.prange(nx):
        for j in range(ny):
            flat = edges[i] + edges[nx + j]
            for k in range(nz):
                d = dipole[i, j, k]
                scale = np.float32(1) / (mu * d * d + rho * (flat + edges[nx + ny + k]) + tiny)
                scale *= d if modelled else np.float32(1)
                by_field, by_gradient = scale * mu * d, scale * rho
                out[i, j, k] = complex(
                    by_field * field[i, j, k].real + by_gradient * gradient[i, j, k].real,
                    by_field * field[i, j, k].imag + by_gradient * gradient[i, j, k].imag,
                )
    out[0, 0, 0] = 0  # the mean is free


@kernel()
def solve_coloured(
    field: Spectrum,
    gradient: Spectrum,
    dipole: Volume,
    edges: Volume,
    pulls: Volume,
    mu: np.float32,
    rho: np.float32,
    modelled: bool,
    out: Spectrum,
) -> None:
    """Solve the quadratic for chi in k-space, beside an error of the model with a spectrum of its own.

    As :func:`solve_spectrum`, with a ``pulls`` for mu that differs with frequency: what is left of
    mu where the error e is free to take a part of the field. Writes chi or, if ``modelled``, D chi + e.
    """
    nx, ny, nz = dipole.shape
    tiny = np.float32(1e-20)
    for i in nb.prange(nx):
        for j in range(ny):
            flat = edges[i] + edges[nx + j]
            for k in range(nz):
                d, m = dipole[i, j, k], pulls[i, j, k]
                scale = np.float32(1) / (m * d * d + rho * (flat + edges[nx + ny + k]) + tiny)
                by_field, by_gradient = scale * m * d, scale * rho
                chi = by_field * field[i, j, k] + by_gradient * gradient[i, j, k]
                if modelled:
                    out[i, j, k] = d * chi + (np.float32(1) - m / mu) * (field[i, j, k] - d * chi)
                else:
                    out[i, j, k] = chi
    # the mean is free
    out[0, 0, 0] = (np.float32(1) - pulls[0, 0, 0] / mu) * field[0, 0, 0] if modelled else 0


@kernel()
def solve_known(
    known: Spectrum,
    trust: Volume,
    gradient: Spectrum,
    edges: Volume,
    rho: np.float32,
    out: Spectrum,
) -> None:
    """Solve (trust + rho |E|^2) chi = known + rho gradient in k-space.

    ``known`` is the given spectrum times its trust, ``gradient`` the spectrum of what the split
    pulls; ``edges`` holds |E|^2 of the three axes, one after another, in 1/mm^2.
    """
    nx, ny, nz = trust.shape
    tiny = np.float32(1e-20)  # at k = 0
    for i in nb.prange(nx):
        for j in range(ny):
            flat = edges[i] + edges[nx + j]
            for k in range(nz):
                scale = np.float32(1) / (trust[i, j, k] + rho * (flat + edges[nx + ny + k]) + tiny)
                pull = scale * rho
                out[i, j, k] = complex(
                    scale * known[i, j, k].real + pull * gradient[i, j, k].real,
                    scale * known[i, j, k].imag + pull * gradient[i, j, k].imag,
                )
    out[0, 0, 0] = 0  # the mean is free

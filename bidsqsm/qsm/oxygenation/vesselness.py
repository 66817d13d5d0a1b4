"""How much a map looks like a bright tube, voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba as nb
import numpy as np
from scipy import ndimage

from bidsqsm.qsm.grid import Mask, Triple, Volume
from bidsqsm.qsm.jit import kernel


def vesselness(
    values: Volume, mask: Mask, voxel_size: Triple, radii: Sequence[float], contrast: float
) -> Volume:
    r"""Likeness to a bright tube of any direction, the best over several radii [frangi1998]_.

    With :math:`|\lambda_1| \le |\lambda_2| \le |\lambda_3|` the eigenvalues of the Hessian of the
    map after a Gaussian of the radius :math:`\sigma`, times :math:`\sigma^2`,

    .. math:: v = \left(1 - e^{-2 \lambda_2^2 / \lambda_3^2}\right)
       e^{-2 \lambda_1^2 / |\lambda_2 \lambda_3|}
       \left(1 - e^{-\sum_i \lambda_i^2 / 2 c^2}\right)

    where :math:`\lambda_2, \lambda_3 < 0`, and zero elsewhere: the first factor is small for a
    sheet, the second for a ball, the third for noise.

    Parameters
    ----------
    values : (nx, ny, nz) float32 array
        The map, zero outside the mask.
    mask : (nx, ny, nz) bool array
        Voxels to look at.
    voxel_size
        In mm.
    radii
        Radii of the tubes, in mm.
    contrast
        Curvature :math:`c` of a tube that counts, in the map's unit.

    Returns
    -------
    vesselness : (nx, ny, nz) float32 array
        From 0 to 1; zero outside the mask.

    References
    ----------
    .. [frangi1998] Frangi et al., MICCAI, Lect Notes Comput Sci 1496:130-137 (1998).
       doi:10.1007/BFb0056195

    """
    best = np.zeros(mask.shape, np.float32)
    per_mm = (1 / np.asarray(voxel_size)).astype(np.float32)
    for radius in radii:
        smooth = ndimage.gaussian_filter(values, [radius / d for d in voxel_size], truncate=3.0)
        # a border of one voxel, so that every voxel has neighbours
        padded = np.pad(smooth, 1, mode='edge')
        _keep_best(padded, mask, per_mm, float(radius) ** 2, float(contrast), best)
    return best


@nb.njit(fastmath=True, nogil=True)
def _mixed(
    s: Volume, at: tuple[int, int, int], a: tuple[int, int, int], b: tuple[int, int, int]
) -> Any:
    # mixed second difference along the axes whose unit steps are a and b
    i, j, k = at
    x, y, z = a[0] + b[0], a[1] + b[1], a[2] + b[2]
    u, v, w = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    same = s[i + x, j + y, k + z] + s[i - x, j - y, k - z]
    return np.float32(0.25) * (same - s[i + u, j + v, k + w] - s[i - u, j - v, k - w])


@nb.njit(fastmath=True, nogil=True)
def _curvatures(s: Volume, i: int, j: int, k: int, per_mm: Volume) -> Any:
    # eigenvalues of the Hessian at a voxel, per mm^2
    at, ex, ey, ez = (i, j, k), (1, 0, 0), (0, 1, 0), (0, 0, 1)
    px, py, pz = per_mm[0], per_mm[1], per_mm[2]
    twice = 2 * s[i, j, k]
    xx = (s[i + 1, j, k] + s[i - 1, j, k] - twice) * px * px
    yy = (s[i, j + 1, k] + s[i, j - 1, k] - twice) * py * py
    zz = (s[i, j, k + 1] + s[i, j, k - 1] - twice) * pz * pz
    xy = _mixed(s, at, ex, ey) * px * py
    xz = _mixed(s, at, ex, ez) * px * pz
    yz = _mixed(s, at, ey, ez) * py * pz
    return _eigenvalues(xx, yy, zz, xy, xz, yz)


@nb.njit(fastmath=True, nogil=True)
def _eigenvalues(
    xx: float, yy: float, zz: float, xy: float, xz: float, yz: float
) -> tuple[float, float, float]:
    # of a symmetric matrix, descending, by the trigonometric form of Cardano's formula
    third = (xx + yy + zz) / 3
    off = xy * xy + xz * xz + yz * yz
    a, b, c = xx - third, yy - third, zz - third
    spread = np.sqrt((a * a + b * b + c * c + 2 * off) / 6)
    if spread <= 0:
        return third, third, third
    det = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    turn = np.arccos(min(1.0, max(-1.0, det / (2 * spread**3)))) / 3
    high = third + 2 * spread * np.cos(turn)
    low = third + 2 * spread * np.cos(turn + 2 * np.pi / 3)
    return high, 3 * third - high - low, low


@nb.njit(fastmath=True, nogil=True)
def _likeness(along: float, second: float, third: float, square: float, contrast: float) -> Any:
    # eigenvalues descending: a bright tube has two that are negative, and one near zero
    if second >= 0 or abs(along) > abs(second):
        return 0.0
    sheet = second / third
    ball = along * along / (second * third)
    strength = (along**2 + second**2 + third**2) * (square / contrast) ** 2
    return (1 - np.exp(-2 * sheet * sheet)) * np.exp(-2 * ball) * (1 - np.exp(-strength / 2))


@kernel()
def _keep_best(
    padded: Volume,
    mask: Mask,
    per_mm: Volume,
    square: float,
    contrast: float,
    best: Volume,
) -> None:
    nx, ny, nz = mask.shape
    for i in nb.prange(nx):
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                along, second, third = _curvatures(padded, i + 1, j + 1, k + 1, per_mm)
                found = _likeness(along, second, third, square, contrast)
                best[i, j, k] = max(best[i, j, k], np.float32(found))

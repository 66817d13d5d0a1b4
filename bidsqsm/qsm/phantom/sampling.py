"""Voxel loops that look up a subject's tissues on a fine grid."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from bidsqsm.qsm.grid import Volume
from bidsqsm.qsm.jit import kernel

Labels = npt.NDArray[np.uint8]

# rows of the tissue table
AIR, WHITE, GRAY, CSF, BONE, FAT, MUSCLE = range(7)
#: Labels of the tissues inside the brain, before nuclei and vessels are painted
LABEL_WHITE, LABEL_GRAY, LABEL_CSF = 20, 21, 22

#: Air spaces as ellipsoids in template mm: centre, half axes, share of air (cells are partly bone)
AIR_SPACES = np.array(
    [
        (0, 13, -38, 12, 10, 8, 1.0),  # sphenoid sinus
        (9, 41, -43, 7, 17, 9, 0.9),  # ethmoid cells
        (-9, 41, -43, 7, 17, 9, 0.9),
        (11, 77, -15, 13, 5, 12, 1.0),  # frontal sinus
        (-10, 77, -13, 11, 5, 10, 1.0),
        (30, 45, -64, 13, 15, 15, 1.0),  # maxillary sinus
        (-30, 45, -64, 13, 15, 15, 1.0),
        (0, 56, -64, 6, 28, 17, 1.0),  # nose
        (0, 6, -82, 9, 9, 24, 1.0),  # throat
        (66, -21, -47, 24, 4, 4, 1.0),  # ear canals
        (-66, -21, -47, 24, 4, 4, 1.0),
        (44, -21, -46, 5, 6, 6, 0.9),  # middle ears
        (-44, -21, -46, 5, 6, 6, 0.9),
        (54, -38, -48, 7, 11, 12, 0.7),  # mastoid cells
        (-54, -38, -48, 7, 11, 12, 0.7),
    ],
    np.float32,
)


@register_jitable
def _ramp(x: Any) -> Any:
    return min(max(x, np.float32(0)), np.float32(1))


@register_jitable
def _look_up(volume: Any, a: Any, b: Any, c: Any, found: Any) -> Any:
    # trilinear, all channels of one place at once; a, b, c already within the volume
    ia, ib, ic = int(a), int(b), int(c)
    fa, fb, fc = np.float32(a - ia), np.float32(b - ib), np.float32(c - ic)
    one = np.float32(1)
    found[:] = 0
    for da in range(2):
        wa = fa if da else one - fa
        for db in range(2):
            wb = wa * (fb if db else one - fb)
            for dc in range(2):
                weight = wb * (fc if dc else one - fc)
                for q in range(found.size):
                    found[q] += weight * volume[ia + da, ib + db, ic + dc, q]


@register_jitable
def _within(a: Any, n: Any) -> Any:
    return min(max(a, np.float32(0)), np.float32(n - 1.001))


@register_jitable
def _skin(x: Any, y: Any, z: Any, far: Any, skull: Any) -> Any:
    # signed distance from the skin: scalp, face and neck together
    face = np.sqrt((x / 60) ** 2 + ((y - 38) / 52) ** 2 + ((z + 62) / 58) ** 2)
    skin = min(far - skull - np.float32(6.0), (face - 1) * 55)
    if z < -40:
        neck = np.sqrt((x / 54) ** 2 + ((y + 22) / 56) ** 2)
        skin = min(skin, (neck - 1) * 54)
    return np.float32(skin)


@register_jitable
def _air_share(x: Any, y: Any, z: Any, spaces: Any) -> Any:
    air = np.float32(0)
    for s in range(spaces.shape[0]):
        qx = (x - spaces[s, 0]) / spaces[s, 3]
        qy = (y - spaces[s, 1]) / spaces[s, 4]
        qz = (z - spaces[s, 2]) / spaces[s, 5]
        r = qx * qx + qy * qy + qz * qz
        if r < 1.6:
            small = min(spaces[s, 3], spaces[s, 4], spaces[s, 5])
            inside = _ramp(np.float32(0.5) - (np.sqrt(r) - 1) * small / np.float32(0.8))
            air = max(air, inside * spaces[s, 6])
    return air


@register_jitable
def _compose(x: Any, y: Any, z: Any, m: Any, table: Any, spaces: Any, value: Any) -> Any:
    # mixes one place's tissues from outside in, writes chi, R2* and signal, gives the share of fat
    gray, white, myelin, far, texture, coarse = m[0], m[1], m[2], m[3], m[4], m[5]
    half = np.float32(0.5)
    skull = np.float32(8.5) + np.float32(1.2) * coarse
    skin = _skin(x, y, z, far, skull)
    head = _ramp(half - skin / np.float32(0.8))
    greasy = _ramp(skin + np.float32(4.5)) * _ramp(
        half - (skin + np.float32(1.2)) / np.float32(0.8)
    )
    hard = _ramp(half - (far - skull) / np.float32(0.8))  # skull, and vertebrae round the cord
    dura = _ramp(half - (far - np.float32(2.6)) / np.float32(0.6))
    fluid = _ramp(half - (far - np.float32(1.9)) / np.float32(0.6))
    air = np.float32(0)
    if far > np.float32(2.4) and z < 5:  # never in the brain or its dura
        air = _air_share(x, y, z, spaces) * _ramp(far - np.float32(2.4))
    for q in range(3):
        v = table[MUSCLE, q] + greasy * (table[FAT, q] - table[MUSCLE, q])
        v = table[AIR, q] + head * (v - table[AIR, q])
        v += hard * (table[BONE, q] - v)
        v += dura * (table[MUSCLE, q] - v)
        v += fluid * (table[CSF, q] - v)
        v += gray * (table[GRAY, q] - table[CSF, q]) + white * (table[WHITE, q] - table[CSF, q])
        value[q] = v + air * (table[AIR, q] - v)
    # what varies within a tissue
    value[0] += white * (-0.0035 * myelin + 0.0025 * coarse + 0.0015 * texture)
    value[0] += gray * (0.003 * coarse + 0.002 * texture)
    value[1] *= 1 + (gray + white) * (0.03 * coarse + 0.02 * texture)
    value[2] *= 1 + (gray + white) * (0.015 * coarse + 0.015 * texture)
    return greasy * head * (1 - hard) * (1 - air)


@register_jitable
def _surely_air(x: Any, y: Any, z: Any) -> Any:
    # world mm: well outside of every head and neck, so that nothing need be looked up
    return z > 110 or (x / 98) ** 2 + ((y + 12) / 122) ** 2 > 1


@register_jitable
def _find(
    x: Any, y: Any, z: Any, warp: Any, geometry: Any, scale: Any, maps: Any, t: Any, u: Any, m: Any
) -> Any:
    # world to template mm (returned, with the third map index), and the maps' values there (in m)
    step, half = geometry
    n = warp.shape[0]
    a, b, c = (x + half) / step, (y + half) / step, (z + half) / step
    _look_up(warp, _within(a, n), _within(b, n), _within(c, n), u)
    x, y, z = x / scale[0] + u[0], y / scale[1] + u[1], z / scale[2] + u[2]

    # beyond the maps' edge everything is further from the brain, but for the cord
    a, b, c = t[0, 0] * x + t[0, 3], t[1, 1] * y + t[1, 3], t[2, 2] * z + t[2, 3]
    tx, ty, tz, _ = maps.shape
    ea, eb, ec = _within(a, tx), _within(b, ty), _within(c, tz)
    _look_up(maps, ea, eb, ec, m)
    m[3] += (abs(a - ea) + abs(b - eb) + max(c - ec, 0)) / t[0, 0]
    return x, y, z, c


@register_jitable
def _label(m: Any, floor: Any) -> Any:
    gray, white, far = m[0], m[1], m[3]
    if far >= 0 or floor < -0.5:
        return 0
    if gray <= 0.4 and white <= 0.4:
        return LABEL_CSF
    return LABEL_GRAY if gray > white else LABEL_WHITE


@kernel()
def sample(
    maps: Volume,
    to_maps: Volume,
    warp: Volume,
    warp_geometry: Volume,
    scale: Volume,
    to_world: Volume,
    origin: Volume,
    table: Volume,
    spaces: Volume,
    chi: Volume,
    r2star: Volume,
    signal: Volume,
    fat: Labels,
    labels: Labels,
) -> None:
    """Fill ``chi`` (padded) and, on the inner grid, R2*, signal, fat (0..255) and labels.

    ``to_maps`` (4, 4) goes from template mm to voxels of ``maps`` and is diagonal; ``to_world``
    (4, 4) from inner voxels to world mm; ``origin`` is the place of the inner grid in the padded
    one; ``table`` has rows of chi, R2* and signal; ``spaces`` rows of :data:`AIR_SPACES`.
    """
    mx, my, mz = r2star.shape
    p = to_world
    for ii in nb.prange(chi.shape[0]):
        value, u, m = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(6, np.float32)
        i = ii - origin[0]
        fi = np.float32(i)  # an integer times a float32 would be a float64
        for jj in range(chi.shape[1]):
            j = jj - origin[1]
            fj = np.float32(j)
            for kk in range(chi.shape[2]):
                k = kk - origin[2]
                fk = np.float32(k)
                x = p[0, 0] * fi + p[0, 1] * fj + p[0, 2] * fk + p[0, 3]
                y = p[1, 0] * fi + p[1, 1] * fj + p[1, 2] * fk + p[1, 3]
                z = p[2, 0] * fi + p[2, 1] * fj + p[2, 2] * fk + p[2, 3]
                inner = 0 <= i < mx and 0 <= j < my and 0 <= k < mz
                if _surely_air(x, y, z):
                    chi[ii, jj, kk] = table[AIR, 0]
                    if inner:
                        r2star[i, j, k] = signal[i, j, k] = 0
                        fat[i, j, k] = labels[i, j, k] = 0
                    continue
                x, y, z, floor = _find(x, y, z, warp, warp_geometry, scale, maps, to_maps, u, m)
                grease = _compose(x, y, z, m, table, spaces, value)
                chi[ii, jj, kk] = value[0]
                if inner:
                    r2star[i, j, k] = value[1]
                    signal[i, j, k] = value[2]
                    fat[i, j, k] = np.uint8(255 * grease)
                    labels[i, j, k] = _label(m, floor)

"""How well each field explains the echoes of a voxel as water and fat, over all fields in question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba as nb
import numpy as np

from bidsqsm.qsm.fieldmap.spectrum import Complex
from bidsqsm.qsm.grid import Labels, Mask, Volume
from bidsqsm.qsm.jit import kernel

TRIED_RATES = (10.0, 60.0, 180.0)  # 1/s, decays tried at each field
PER_LOBE = 6  # fields per width 1 / (last - first echo time) of a minimum
FIELD_REACH_PPM = 5.0  # ppm: a field is looked for up to so far from zero where nothing repeats
RASTER_TURNS = 0.03  # turns that echo times may be off a common raster
ZERO = 1e-3  # of the signal: what the largest field costs, so that equals are settled


class Search(NamedTuple):
    """Fields to try, and the tables from which their misfit follows.

    With z the data freed of a field, the part of it that no water and fat explain is z^H (1 - P) z,
    P the projection on the two. It depends on the field only through the products of pairs of
    echoes, turned by the field times their distance.

    Attributes
    ----------
    fields : (n_fields,) float32 array
        In Hz, evenly spaced.
    step
        Distance between them in Hz.
    circular
        Whether the misfit repeats, so that the last field is a neighbour of the first.
    pairs : (n_pairs, 2) int32 array
        Echoes, the earlier first.
    cosine, sine : (n_pairs, n_fields) float32 arrays
        Of the phase that a field gathers between the echoes of a pair.
    own : (n_rates, n_echoes) float32 array
        Diagonal of P.
    real, imag : (n_rates, n_pairs) float32 arrays
        Twice the elements of P off the diagonal.
    bias : (n_fields,) float32 array
        Added to the misfit: a little for fields far from zero.

    """

    fields: Volume
    step: float
    circular: bool
    pairs: Labels
    cosine: Volume
    sine: Volume
    own: Volume
    real: Volume
    imag: Volume
    bias: Volume


def make_search(echo_times: Sequence[float], fat: Complex, reach: float) -> Search:
    """Prepare the search for echo times (s) and the signal of fat, up to a field of ``reach`` Hz.

    Where the echoes repeat within that range, one period is searched.
    """
    times = np.asarray(echo_times, float)
    span = times[-1] - times[0]
    period = repetition(times, 2 * reach)
    width = period or 2 * reach
    count = max(16, int(np.ceil(PER_LOBE * width * span)))
    step = width / count
    fields = (np.arange(count) - count // 2) * step
    pairs = np.array([(m, n) for n in range(len(times)) for m in range(n)], np.int32)
    turns = 2 * np.pi * np.outer(times[pairs[:, 1]] - times[pairs[:, 0]], fields)
    own, across = [], []
    for rate in TRIED_RATES:
        decay = np.exp(-rate * times)
        # P(R2*): projection on what water and fat can look like, whatever their amounts
        q = np.linalg.qr(np.stack([decay, fat * decay], axis=1))[0]
        projection = q @ q.conj().T
        own.append(np.diag(projection).real)
        across.append(2 * projection[pairs[:, 0], pairs[:, 1]])
    tables = (
        np.cos(turns),
        np.sin(turns),
        own,
        np.real(across),
        np.imag(across),
        ZERO * np.abs(fields) / (width / 2),
    )
    ready = [np.ascontiguousarray(table, np.float32) for table in tables]
    return Search(fields.astype(np.float32), float(step), period > 0, pairs, *ready)


def repetition(times: Volume, limit: float) -> float:
    """Smallest frequency (Hz) that turns all echoes by whole turns; 0 if it exceeds ``limit``."""
    gaps = np.diff(times)
    for turns in range(1, 100):
        period = turns / float(gaps.min())
        if period > limit and turns > 1:
            break
        off = gaps * period
        if np.abs(off - np.rint(off)).max() < RASTER_TURNS:
            # the raster that fits all gaps best, not that of the smallest alone
            return float(np.rint(off).sum() / gaps.sum())
    return 0.0


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _costs(  # noqa: C901, PLR0912 - sums over a box, then over fields, fused for numba
    phase: Any,
    magnitude: Any,
    mask: Any,
    box: Any,
    sign: Any,
    floor: Any,
    tables: Any,
    room: Any,
    out: Any,
) -> None:
    # misfit of the voxels of a box together, as a share of their signal, for every field
    _, _, _, pairs, cosine, sine, own, real, imag, bias = tables
    signal, product, energy, profile = room
    for n in range(len(energy)):
        energy[n] = 0
    for p in range(len(product)):
        product[p, 0] = product[p, 1] = 0
    count = 0
    for i in range(box[0], box[1]):
        for j in range(box[2], box[3]):
            for k in range(box[4], box[5]):
                if not mask[i, j, k]:
                    continue
                count += 1
                for n in range(len(energy)):
                    m, angle = magnitude[n, i, j, k], sign * phase[n, i, j, k]
                    signal[n, 0], signal[n, 1] = m * np.cos(angle), m * np.sin(angle)
                    energy[n] += m * m
                for p in range(len(product)):
                    a, b = pairs[p]
                    product[p, 0] += signal[a, 0] * signal[b, 0] + signal[a, 1] * signal[b, 1]
                    product[p, 1] += signal[a, 0] * signal[b, 1] - signal[a, 1] * signal[b, 0]
    total = np.float32(0)
    for n in range(len(energy)):
        total += energy[n]
    scale = np.float32(1) / (total + floor * count) if total > 0 else np.float32(0)
    for f in range(len(out)):
        out[f] = total
    for r in range(len(own)):
        base = total
        for n in range(len(energy)):
            base -= own[r, n] * energy[n]
        for f in range(len(out)):
            profile[f] = base
        for p in range(len(product)):
            # z^H (1 - P) z by pairs of echoes: the data are touched once, not once for every field
            x = real[r, p] * product[p, 0] - imag[r, p] * product[p, 1]
            y = real[r, p] * product[p, 1] + imag[r, p] * product[p, 0]
            for f in range(len(out)):
                profile[f] -= x * cosine[p, f] + y * sine[p, f]
        for f in range(len(out)):
            out[f] = min(out[f], profile[f])
    for f in range(len(out)):
        out[f] = max(out[f], np.float32(0)) * scale + bias[f]


@nb.njit(fastmath=True, nogil=True, error_model='numpy')
def _room(n_echoes: Any, n_pairs: Any, n_fields: Any) -> Any:
    return (
        np.empty((n_echoes, 2), np.float32),
        np.empty((n_pairs, 2), np.float32),
        np.empty(n_echoes, np.float32),
        np.empty(n_fields, np.float32),
    )


@kernel()
def block_costs(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    number: Labels,
    factors: Labels,
    sign: np.float32,
    floor: np.float32,
    tables: Search,
    cost: Volume,
) -> None:
    """Fill ``cost`` (n_blocks, n_fields): misfit of each block of voxels as a share of its signal.

    ``number`` is the row of a block, -1 for none; ``floor`` the energy of a signal too faint to
    be heeded.
    """
    nx, ny, nz = mask.shape
    f, g, h = factors
    for u in nb.prange(number.shape[0]):
        room = _room(len(phase), len(tables.pairs), len(tables.fields))
        for v in range(number.shape[1]):
            for w in range(number.shape[2]):
                row = number[u, v, w]
                if row < 0:
                    continue
                box = (
                    u * f,
                    min(nx, u * f + f),
                    v * g,
                    min(ny, v * g + g),
                    w * h,
                    min(nz, w * h + h),
                )
                _costs(phase, magnitude, mask, box, sign, floor, tables, room, cost[row])


@kernel()
def pick_fields(
    phase: Volume,
    magnitude: Volume,
    mask: Mask,
    number: Labels,
    factors: Labels,
    sign: np.float32,
    floor: np.float32,
    tables: Search,
    label: Labels,
    slope: np.float32,
    field: Volume,
) -> None:
    """Fill ``field`` (Hz) with each voxel's best field near the one of its block.

    A step away from the block's field costs ``slope``.
    """
    nx, ny, nz = mask.shape
    f, g, h = factors
    for i in nb.prange(nx):
        room = _room(len(phase), len(tables.pairs), len(tables.fields))
        cost = np.empty(len(tables.fields), np.float32)
        for j in range(ny):
            for k in range(nz):
                if not mask[i, j, k]:
                    continue
                centre = label[number[i // f, j // g, k // h]]
                box = (i, i + 1, j, j + 1, k, k + 1)
                _costs(phase, magnitude, mask, box, sign, floor, tables, room, cost)
                best, least = centre, np.float32(np.inf)
                for n in range(len(cost)):
                    away = abs(n - centre)
                    if tables.circular:
                        away = min(away, len(cost) - away)
                    worth = cost[n] + slope * away
                    if worth < least:
                        best, least = n, worth
                field[i, j, k] = tables.fields[best]

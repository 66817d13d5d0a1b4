"""Water, fat and field of a whole volume: from a search in space to a fit in each voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bidsqsm.qsm.fieldmap.noise import noise_from_misfit
from bidsqsm.qsm.fieldmap.search import (
    FIELD_REACH_PPM,
    Search,
    block_costs,
    make_search,
    pick_fields,
)
from bidsqsm.qsm.fieldmap.spectrum import MAIN_SHIFT, Complex
from bidsqsm.qsm.fieldmap.trees import smooth_labels
from bidsqsm.qsm.fieldmap.waterfat import WaterFatMaps, fit_water_fat
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.phase.smooth import smooth_phase
from bidsqsm.qsm.units import TURN_RAD
from bidsqsm.qsm.unwrap.romeo import romeo

#: Size of the blocks of the search, and distance that the smoothness is measured over
SEARCH_BLOCK_MM = 2.0
#: Of the cost, what the phase running backwards must stay below to be believed
BACKWARD_COST_SHARE = 0.95
FAINT_ENERGY_SHARE = 0.02  # of the energy of the bright voxels: less does not count in full


class SeparationEchoes(NamedTuple):
    """What goes into the separation.

    Attributes
    ----------
    phase, magnitude : (n_echoes, nx, ny, nz) float32 arrays
        In rad, wrapped or not, and any unit.
    mask : (nx, ny, nz) bool array
        Voxels to separate.
    echo_times
        In s.
    imaging_frequency
        In MHz.
    grid
        Voxel size.

    """

    phase: Volume
    magnitude: Volume
    mask: Mask
    echo_times: Sequence[float]
    imaging_frequency: float
    grid: Grid


def separate(
    echoes: SeparationEchoes,
    fat: Complex,
    sign: int,
    *,
    weight: float,
    offset_width: float,
    max_iter: int,
) -> tuple[WaterFatMaps, int]:
    """Separate water and fat; ``sign`` 0 to find out which way the phase runs.

    Returns the maps of phase that grows with the field (``turned`` the relative residual,
    ``spread`` the noise of the field in Hz), and the sign that the phase was multiplied by.
    """
    phase, magnitude, mask, times, frequency, grid = echoes
    maps = WaterFatMaps(*(np.zeros(mask.shape, np.float32) for _ in WaterFatMaps._fields))
    if not mask.any():
        return maps, sign or 1
    search = make_search(times, fat, FIELD_REACH_PPM * frequency)
    energy = np.sum(magnitude**2, axis=0)
    floor = np.float32(FAINT_ENERGY_SHARE * np.percentile(energy[mask], 95))
    # fat lies on one side of water: phase that runs backwards fits worse where there is fat
    if not sign:
        along, against = (
            _search(echoes, search, way, floor, 2 * SEARCH_BLOCK_MM, weight, max_iter, None)
            for way in (1, -1)
        )
        sign = -1 if against < BACKWARD_COST_SHARE * along else 1
    _search(echoes, search, sign, floor, SEARCH_BLOCK_MM, weight, max_iter, maps.field)
    parts = np.ascontiguousarray(np.stack([fat.real, fat.imag], axis=1), np.float32)

    def fit(free_offset: bool) -> None:
        fit_water_fat(
            phase,
            magnitude,
            mask,
            np.float32(sign),
            np.asarray(times, np.float32),
            parts,
            free_offset,
            max_iter,
            maps,
        )

    # theta = (W, F, psi, R2*, phi_0) in each voxel, from the field of the search
    fit(True)
    trust = np.where(maps.spread > 0, energy, np.float32(0))
    smooth = offset_width > 0 and bool(trust.any())
    # phi_0 comes from the coil and is smooth: held, it costs the field no precision
    if smooth:
        maps.offset[:] = smooth_phase(maps.offset, trust, grid, offset_width) * mask
        fit(False)
    _finish(maps, energy, 2 * len(times) - (4 if smooth else 5))
    if search.circular:
        maps.field[:] = _without_jumps(maps.field, np.sqrt(energy), mask, search)
    return maps, sign


def _search(
    echoes: SeparationEchoes,
    search: Search,
    sign: int,
    floor: np.float32,
    size: float,
    weight: float,
    max_iter: int,
    field: Volume | None,
) -> float:
    # field (Hz, written) that is smooth over blocks of this size (mm); returns what it costs
    phase, magnitude, mask, _, frequency, grid = echoes
    factors = np.array([max(1, round(size / d)) for d in grid.voxel_size], np.int32)
    number, count = _blocks(mask, factors)
    cost = np.empty((count, len(search.fields)), np.float32)
    block_costs(phase, magnitude, mask, number, factors, np.float32(sign), floor, search, cost)
    step = weight * search.step / (MAIN_SHIFT * frequency)
    sides = [d * f for d, f in zip(grid.voxel_size, factors.tolist(), strict=True)]
    slopes = np.array([step * SEARCH_BLOCK_MM / side for side in sides], np.float32)
    name = 'smoothing of the field' if field is not None else 'search for the sign of the phase'
    labels, total = smooth_labels(
        cost, number, slopes, circular=search.circular, max_iter=max_iter, name=name
    )
    if field is not None:
        pick_fields(
            phase,
            magnitude,
            mask,
            number,
            factors,
            np.float32(sign),
            floor,
            search,
            labels,
            np.float32(3 * step),
            field,
        )
    return total


def _blocks(mask: Mask, factors: Labels) -> tuple[Labels, int]:
    # rows of the blocks of voxels that hold any of the mask, -1 for the others
    pads = [(0, -n % f) for n, f in zip(mask.shape, factors.tolist(), strict=True)]
    full = np.pad(mask, pads)
    (a, b, c), (f, g, h) = full.shape, factors.tolist()
    held = full.reshape(a // f, f, b // g, g, c // h, h).any(axis=(1, 3, 5))
    number = np.full(held.shape, -1, np.int32)
    count = int(held.sum())
    number[held] = np.arange(count, dtype=np.int32)
    return number, count


def _finish(maps: WaterFatMaps, energy: Volume, freedom: int) -> None:
    # misfit and spread become relative residual and noise
    used = maps.spread > 0
    sigma = noise_from_misfit(maps.misfit, used, max(freedom, 1)) if used.any() else 0.0
    maps.spread[:] *= np.float32(sigma)
    maps.turned[used] = np.sqrt(maps.turned[used] / energy[used])
    maps.turned[~used] = 0


def _without_jumps(field: Volume, magnitude: Volume, mask: Mask, search: Search) -> Volume:
    # the echoes do not tell a field from one a period away: follow it through space
    period = search.step * len(search.fields)
    turns = np.asarray(TURN_RAD / period * field, np.float32)
    followed = romeo(turns[np.newaxis], magnitude[np.newaxis], mask, [1.0]).phase[0]
    return np.asarray(followed * np.float32(period / TURN_RAD), np.float32)

"""Veins that are known, and the oxygen that their susceptibility stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.oxygenation.blood import extraction, saturation
from bidsqsm.qsm.oxygenation.segments import number_segments
from bidsqsm.qsm.oxygenation.susceptometry import susceptometry
from bidsqsm.qsm.oxygenation.vesselness import vesselness
from helpers.analytic_fields import ball, positions, shell_of

GRIDS = {
    '1 mm': Grid((48, 44, 40), (1.0, 1.0, 1.0)),
    'anisotropic': Grid((48, 50, 30), (1.0, 0.9, 1.4)),
}
GRID = GRIDS['1 mm']
SVO2, HEMATOCRIT, TISSUE = 0.65, 0.42, -0.02
BLOOD = TISSUE + 3.39 * HEMATOCRIT * (1 - SVO2)  # ppm
OBLIQUE = (0.6, 0.0, 0.8)


def tube(grid, through, along, radius, half=np.inf, fine=3):
    """Share of each voxel within a tube (mm) that ends ``half`` mm from the point it runs through."""
    along = np.asarray(along) / np.linalg.norm(along)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    total = np.zeros(grid.shape)
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets), -1).reshape(-1, 3):
        x = [
            p - c + s * d
            for p, c, s, d in zip(positions(grid), through, shift, grid.voxel_size, strict=True)
        ]
        far = sum(a * p for a, p in zip(along, x, strict=True))
        total += (sum(p**2 for p in x) - far**2 < radius**2) & (np.abs(far) < half)
    return (total / fine**3).astype(np.float32)


def maps_of(grid, *shares):
    """Chi (ppm) and R2* (1/s) of blood in tissue, with noise."""
    random = np.random.default_rng(0)
    blood = np.clip(sum(shares), 0, 1)
    chi = TISSUE + blood * (BLOOD - TISSUE) + random.normal(0, 0.004, grid.shape)
    r2star = 18 + 30 * blood + random.normal(0, 1, grid.shape)
    return chi.astype(np.float32), r2star.astype(np.float32)


@pytest.fixture(scope='module', params=GRIDS)
def veins(request):
    """A wide vein, oblique, and a fine one, in a mask; what is found of them."""
    grid = GRIDS[request.param]
    wide = tube(grid, (-5, 0, 0), OBLIQUE, 2.6)
    fine = tube(grid, (9, 3, 0), (0, 1, 0.2), 0.6)
    chi, r2star = maps_of(grid, wide, fine)
    mask = shell_of(grid, 0)
    return grid, chi, r2star, mask, wide, fine


def test_a_tube_of_any_direction_looks_like_one_a_ball_and_a_sheet_do_not():
    for grid in GRIDS.values():
        mask = np.ones(grid.shape, bool)
        middle = tuple(n // 2 for n in grid.shape)

        def at_centre(values, grid=grid, mask=mask, middle=middle):
            found = vesselness(0.3 * values, mask, grid.voxel_size, (1.0, 2.0), 0.03)
            return found[middle]

        tubes = [at_centre(tube(grid, (0, 0, 0), b, 2.0)) for b in ((0, 0, 1), OBLIQUE, (1, 2, 2))]
        assert min(tubes) > 0.75
        sheet = (np.abs(positions(grid)[0]) < 2.0) * np.ones(grid.shape, np.float32)
        assert at_centre(sheet.astype(np.float32)) < 0.1
        assert at_centre(ball(grid, (0, 0, 0), 2.5, 3)) < 0.35
        assert at_centre(-tube(grid, (0, 0, 0), OBLIQUE, 2.0)) == 0


def test_saturation_is_that_of_the_formula():
    # 0.27 ppm (cgs), a haematocrit of 0.40 and a third of the oxygen taken
    assert saturation(4 * np.pi * 0.27 * 0.40 * 0.35, 0.40, 4 * np.pi * 0.27) == pytest.approx(
        0.65
    )
    assert saturation(0.1, 0.4, 3.39, oxygenated=0.1) == pytest.approx(1)
    assert extraction(0.49, 0.98) == pytest.approx(0.5)


def test_a_wide_vein_tells_its_saturation_and_a_fine_one_does_not(veins):
    grid, chi, r2star, mask, wide, fine = veins
    found = susceptometry(chi, mask, grid, r2star, hematocrit=HEMATOCRIT)
    core = found.core & mask
    assert (wide[core] == 1).all()
    assert core.sum() > 50
    large = found.table[0]
    assert large.svo2 == pytest.approx(SVO2, abs=0.01)
    assert large.oef == pytest.approx(1 - SVO2 / 0.98, abs=0.015)
    assert large.chi_around == pytest.approx(TISSUE, abs=0.003)
    assert large.chi_mean < large.chi_core - 0.03  # what the rim of the vein would have told
    thin = [v for v in found.table if v.n_core < 5]
    assert thin
    assert all(np.isnan(vein.svo2) for vein in thin)
    at = found.labels == thin[0].index
    assert fine[at].mean() > 0.3
    assert thin[0].centre == pytest.approx(np.argwhere(at).mean(axis=0))


def test_veins_cover_the_tubes_and_nothing_else(veins):
    grid, chi, r2star, mask, wide, fine = veins
    found = susceptometry(chi, mask, grid, r2star)
    assert found.veins[mask & (wide > 0.6)].mean() > 0.97
    assert not found.veins[(wide + fine) == 0].any()
    assert ((found.labels > 0) == found.veins).all()
    volume = sum(vein.volume for vein in found.table)
    assert volume == pytest.approx(found.veins.sum() * np.prod(grid.voxel_size))


def test_nuclei_bleeds_and_what_decays_slowly_are_no_veins():
    nucleus = ball(GRID, (-9, 0, 0), 7.0, 3)
    bleed = ball(GRID, (8, -8, 0), 2.5, 3)
    slow = tube(GRID, (10, 8, 0), (0, 0, 1), 2.0)
    mask = np.ones(GRID.shape, bool)
    chi, r2star = maps_of(GRID, nucleus, bleed, slow)
    r2star[slow > 0] = 18
    assert not susceptometry(chi, mask, GRID, r2star).veins.any()
    # the tube alone was told from a vein by its decay
    assert susceptometry(chi, mask, GRID).veins[slow == 1].mean() > 0.9


def test_the_zero_of_the_map_counts_only_where_it_is_asked_for(veins):
    grid, chi, r2star, mask, *_ = veins
    plain, moved = (
        susceptometry(values, mask, grid, r2star, hematocrit=HEMATOCRIT).table[0].svo2
        for values in (chi, chi + np.float32(0.05))
    )
    assert moved == pytest.approx(plain, abs=1e-4)
    own = susceptometry(chi, mask, grid, r2star, hematocrit=HEMATOCRIT, zero='map').table[0]
    assert own.svo2 - plain == pytest.approx(-TISSUE / (3.39 * HEMATOCRIT), abs=0.003)


def test_the_constants_scale_the_extraction(veins):
    grid, chi, r2star, mask, *_ = veins
    one, half, old, full = (
        1 - susceptometry(chi, mask, grid, r2star, **values).table[0].svo2
        for values in (
            {'hematocrit': 0.4},
            {'hematocrit': 0.2},
            {'hematocrit': 0.4, 'deoxygenation': 2.26},
            {'hematocrit': 0.4, 'oxygenated': -0.05},
        )
    )
    assert half == pytest.approx(2 * one)
    assert old == pytest.approx(one * 3.39 / 2.26)
    assert full - one == pytest.approx(0.05 / (3.39 * 0.4))


def test_veins_are_numbered_from_branch_to_branch():
    stem = tube(GRID, (0.5, 0.5, -8), (0, 0, 1), 1.8, half=8)
    arms = [tube(GRID, (s * 5 + 0.5, 0.5, 6), (s * 5, 0, 6), 1.8, half=8) for s in (-1, 1)]
    apart = tube(GRID, (-14, 12, 0), (0, 0, 1), 1.8, half=12)
    tree = sum((stem, *arms, apart)) > 0.5
    labels = number_segments(tree, GRID.voxel_size, 5.0)
    assert ((labels > 0) == tree).all()
    sizes = np.bincount(labels.ravel())[1:]
    assert (np.diff(sizes) <= 0).all()
    ends = [labels[24, 22, 6], labels[14, 22, 30], labels[34, 22, 30], labels[10, 34, 20]]
    assert sorted(ends) == [1, 2, 3, 4] == [*range(1, labels.max() + 1)]


def test_a_head_without_veins_has_an_empty_table():
    chi, r2star = maps_of(GRID, np.zeros(GRID.shape))
    found = susceptometry(chi, shell_of(GRID, 0), GRID, r2star)
    assert not found.veins.any()
    assert found.table == ()
    # and an empty mask is no exception
    empty = susceptometry(chi, np.zeros(GRID.shape, bool), replace(GRID), r2star)
    assert empty.table == ()

"""Venous saturation against truth: ``python benchmarks/oxygenation.py [--save TABLE.tsv]``.

One straight vein of known radius and saturation (haematocrit 0.40, 3.39 ppm) lies in even tissue, at
an angle to the main field. Its field is worked out at half the voxel size, noise of 2 ppb is added, and
the default inversion and ``--oxygenation`` follow with their defaults; R2* is 18 1/s in tissue and
50 in blood. Columns: radius (mm), angle (degrees), true saturation, core voxels of the veins found,
saturation by their core (none where there is too little of it), and what the mean over all voxels of
the vein would have told in its place.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.oxygenation.blood import saturation
from bidsqsm.qsm.phantom.subvoxels import mean2

RADII = (1.0, 1.5, 2.0, 2.5, 3.0)
ANGLES = (0.0, 45.0, 90.0)
SATURATIONS = (0.55, 0.65, 0.75)
WIDE = 48.0  # mm, side of the box
HEMATOCRIT, DEOXYGENATION, NOISE = 0.40, 3.39, 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write it where a path is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', type=float, default=1.0, metavar='MM')
    parser.add_argument('--onestep', default=STEPS['onestep'].default, help='inversion, e.g. sstv')
    parser.add_argument('--save', type=Path, metavar='TABLE.tsv')
    args = parser.parse_args(arguments)
    cases = [(radius, angle, 0.65) for radius in RADII for angle in ANGLES]
    cases += [(2.5, 45.0, true) for true in SATURATIONS if true != 0.65]
    rows = [measured(*case, args.voxel_size, args.onestep) for case in cases]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if args.save:
        table.to_csv(args.save, sep='\t', index=False, na_rep='n/a')


def measured(
    radius: float, angle: float, true: float, voxel_size: float, onestep: str
) -> dict[str, float]:
    """Row of one vein."""
    grid, blood, field, mask = made(radius, angle, true, voxel_size)
    random = np.random.default_rng(0)
    noisy = (field + random.normal(0, NOISE, field.shape)).astype(np.float32) * mask
    chi = STEPS['onestep'].choose(onestep)(noisy, mask, grid)
    r2star = np.where(mask, 18 + 32 * blood, 0).astype(np.float32)
    found = STEPS['oxygenation'].choose(STEPS['oxygenation'].default)(chi, mask, grid, r2star)
    told = [vein for vein in found.table if math.isfinite(vein.svo2)]
    core = [vein.n_core for vein in told]
    around = np.median(chi[mask & (blood == 0)])
    whole = chi[found.veins].mean() - around if found.table else math.nan
    return {
        'radius': radius,
        'angle': angle,
        'true': true,
        'n_core': int(sum(vein.n_core for vein in found.table)),
        'svo2': round(float(np.average([v.svo2 for v in told], weights=core)), 3)
        if told
        else math.nan,
        'svo2_all': round(float(saturation(whole, HEMATOCRIT, DEOXYGENATION)), 3),
    }


def made(
    radius: float, angle: float, true: float, voxel_size: float
) -> tuple[Grid, Volume, Volume, Mask]:
    """Grid, share of blood, field (ppm) and mask of one vein of 32 mm in a ball of tissue."""
    n = round(WIDE / voxel_size)
    fine = Grid((2 * n, 2 * n, 2 * n), (voxel_size / 2,) * 3)
    axis = (np.arange(2 * n) - n + 0.5) * voxel_size / 2
    x, y, z = np.meshgrid(axis, axis, axis, indexing='ij', sparse=True)
    u, v = x - 0.3, y - 0.2  # off the middle, so that voxels cut it unevenly
    along = u * math.sin(math.radians(angle)) + z * math.cos(math.radians(angle))
    away = u**2 + v**2 + z**2 - along**2
    vein = ((away < radius**2) & (np.abs(along) < 16)).astype(np.float32)
    chi = np.float32(DEOXYGENATION * HEMATOCRIT * (1 - true)) * vein
    field = mean2(convolve(chi, dipole_kernel(fine)))
    mask = mean2((x**2 + y**2 + z**2 < 22**2) * np.ones_like(vein)) > 0.5
    return Grid((n, n, n), (voxel_size,) * 3), mean2(vein), field, mask


if __name__ == '__main__':
    main()

"""How much of a known susceptibility is left in vials, along and across the field.

Run ``python benchmarks/vials.py`` (about two minutes on 2 cores); it saves ``docs/data/vials.tsv``.
Six vials of 8.4 mm in a bottle of water, at 1 mm and 3 T: gadolinium from 0 to 5 mmol/L (0.319 ppm
and 5 1/s per mmol/L) and CaCO3 from 0 to 5 mol/L (taken as -0.15 ppm and 12 1/s per mol/L). The
field is that of the true susceptibility with noise of 0.004 ppm, and is zero outside the bottle;
R2* is fitted to three echoes of an SNR of 200. Vials are measured less a rim of 1 mm and fitted as
`bidsqsm phantom` does: slope and its 95 % confidence interval as a share of the true slope,
R2, and the error of the concentration of each vial that the line leaves (RMSE over the slope).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bidsqsm.catalog import STEPS
from bidsqsm.qsm.concentration.vial_line import Line, core_of, line_through
from bidsqsm.qsm.grid import Grid, Labels, Mask, Volume
from bidsqsm.qsm.kernels import convolve, dipole_kernel
from bidsqsm.qsm.phantom.vial_phantom import vials
from bidsqsm.qsm.relaxometry.loglinear import loglinear

OUT = Path(__file__).parent.parent / 'docs' / 'data' / 'vials.tsv'
#: Ppm and 1/s per unit
SUBSTANCES = {'gadolinium': (0.319, 5.0), 'CaCO3': (-0.15, 12.0)}
CONCENTRATIONS = (0, 1, 2, 3, 4, 5)
METHODS = (('dipole', 'tkd'), ('dipole', 'tikhonov'), ('dipole', 'wh'), ('onestep', 'sstv'))
GRID = Grid((48, 48, 48), (1.0, 1.0, 1.0))
TIMES = (0.004, 0.010, 0.016)


def main() -> None:
    """Print and save a line for each substance, direction and map."""
    lines = ['substance\tvials\tmap\tslope / truth\t95 % CI\tR2\terror of a vial']
    for name, (ppm, rate) in SUBSTANCES.items():
        for axis, way in ((2, 'along B0'), (0, 'across B0')):
            labels, bottle = vials(GRID, axis)
            inside = np.array([0, *CONCENTRATIONS])[labels]
            for key, (values, true) in measured(inside, bottle, ppm, rate).items():
                lines.append('\t'.join([name, way, key, *told(line_of(labels, values), true)]))
                print(lines[-1], flush=True)
    OUT.write_text('\n'.join(lines) + '\n')


def measured(
    inside: Volume, bottle: Mask, ppm: float, rate: float
) -> Mapping[str, tuple[Volume, float]]:
    """Maps by the name of their method, each with its true slope."""
    random = np.random.default_rng(1)
    field = convolve((ppm * inside).astype(np.float32), dipole_kernel(GRID))
    field = ((field + random.normal(0, 0.004, field.shape)) * bottle).astype(np.float32)
    decay = np.exp(-(1.5 + rate * inside) * np.reshape(TIMES, (-1, 1, 1, 1)))
    magnitude = (100 * decay + random.normal(0, 0.5, decay.shape)).astype(np.float32)
    found = {}
    for step, method in METHODS:
        chi = STEPS[step][method].function(field, bottle, GRID)
        found[f'chi, {method}'] = (getattr(chi, 'chi', chi), ppm)
    return {**found, 'R2*, loglinear': (loglinear(magnitude, bottle, TIMES).r2star, rate)}


def line_of(labels: Labels, values: Volume) -> Line:
    """Through the means of the vials, less 1 mm along their walls."""
    cores = [core_of(labels, index, GRID.voxel_size, 1.0) for index in range(1, 7)]
    return line_through(CONCENTRATIONS, [values[core].mean(dtype=float) for core in cores])


def told(line: Line, true: float) -> list[str]:
    """Slope and interval as a share of the truth, R2, and the error in units of concentration."""
    low, high = sorted(end / true for end in line.slope_interval)
    return [
        f'{line.slope / true:.3f}',
        f'{low:.3f} to {high:.3f}',
        f'{line.r2:.4f}',
        f'{line.rmse / abs(line.slope):.2f}',
    ]


if __name__ == '__main__':
    main()

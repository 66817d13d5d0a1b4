"""What each stage of a run costs, beside what its FFTs would: ``python benchmarks/speed.py``.

Writes a demo head (1 mm, 192x224x192, 5 echoes, unless ``--voxel-size`` says otherwise) and runs the
app on it twice with ``--nprocs 2 --omp-nthreads 2 --resource-monitor``, the first time with an empty
cache of compiled code. Of every stage of the second run it prints wall seconds, CPU seconds, peak
memory, and how many bare pairs of FFTs on the grid of the run would have taken as much CPU time: a
number that depends little on the machine, so that a change that slows a stage is seen. The report is
written once more by itself for its wall time. Then one step of the TV iteration is timed in turn
with the FFT pairs that it needs; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
from chain import call
from scipy import fft

from bidsqsm.qsm.admm.data_terms import LeastSquares
from bidsqsm.qsm.admm.modelled_fields import OneField
from bidsqsm.qsm.admm.solver import Admm
from bidsqsm.qsm.admm.total_variation import TotalVariation
from bidsqsm.qsm.grid import Grid
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.kernels import dipole_kernel

THREADS = 2
REPEATS = 9
WRITING = ('write_derivatives', 'report')


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', nargs=3, default=['1', '1', '1'], metavar=('X', 'Y', 'Z'))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ['NUMBA_CACHE_DIR'] = f'{folder}/compiled'
        table, grid, (first, second) = stages(Path(folder), args.voxel_size)
    pair = pair_cpu_seconds(grid)
    table['fft_pairs'] = (table['cpu_seconds'] / pair).round(1)
    print(table.to_string(index=False))
    numerics = table[~table['step'].isin(WRITING)]
    print(
        f'\nnumerics {numerics["cpu_seconds"].sum():.1f} CPU s, all {table["cpu_seconds"].sum():.1f} '
        f'CPU s, peak {table["peak_gb"].max():.2f} GB; an FFT pair {pair:.3f} CPU s\n'
        f'whole command {second:.0f} s, the first after an installation {first - second:.0f} s more\n'
    )
    for line in tv_step(grid.padded(0)):
        print(line)


def stages(root: Path, voxel_size: list[str]) -> tuple[pd.DataFrame, Grid, tuple[float, float]]:
    """Resources of every stage, the grid, and wall seconds without and with compiled code at hand."""
    call('demo', str(root / 'bids'), '--voxel-size', *voxel_size, '--no-t1w')
    options = ['--nprocs', str(THREADS), '--omp-nthreads', str(THREADS), '--resource-monitor']
    options += ['--skip-bids-validation', '--atlases', str(root / 'bids/derivatives/atlas')]

    def run(name: str, *more: str) -> float:
        place = [
            str(root / 'bids'),
            str(root / name),
            'participant',
            '-w',
            str(root / f'w_{name}'),
        ]
        return timed(lambda: call(*place, *options, *more))[1]

    spent = run('first'), run('second')
    (found,) = (root / 'second' / 'logs').glob('*.resources.tsv')
    table = pd.read_csv(found, sep='\t').drop(columns='run')
    # the report is no step of the graph; it takes one process, so that wall time tells its cost
    idle = run('second', '--boilerplate-only')
    report = run('second', '--reports-only') - idle
    table.loc[len(table)] = ['report', report, report, np.nan]
    image = nb.load(next(root.glob('second/sub-*/anat/*_Chimap.nii.gz')))
    return table, Grid.from_affine(image.shape, image.affine), spent


def pair_cpu_seconds(grid: Grid) -> float:
    """CPU seconds of a real FFT and its inverse on one thread, the median of some."""
    field = np.random.default_rng(0).standard_normal(grid.shape, dtype=np.float32)
    rows = [timed(lambda: pair(field))[0] for _ in range(REPEATS)]
    return float(np.median(rows))


def pair(field: np.ndarray) -> None:
    """One FFT and its inverse."""
    fft.irfftn(fft.rfftn(field), s=field.shape, overwrite_x=True)


def tv_step(grid: Grid) -> list[str]:
    """Time a TV step against the FFT pairs that it needs, in turn, so that load weighs alike."""
    rng = np.random.default_rng(0)
    field = rng.standard_normal(grid.shape, dtype=np.float32)
    inside = np.zeros(grid.shape, bool)
    inside[20:-20, 20:-20, 20:-20] = True
    fidelity = LeastSquares(field, inside.astype(np.float32), 0.05)
    penalty = TotalVariation(grid, inside, (2e-4, 2e-5), rho=0.02)
    admm = Admm(OneField(dipole_kernel(grid), fidelity), penalty)
    with threads(THREADS):
        spent = {name: [] for name in ('pair', 'step')}
        for _ in range(REPEATS + 1):
            spent['pair'].append(timed(lambda: pair(field)))
            spent['step'].append(timed(admm.step))
    (pair_cpu, pair_wall), (step_cpu, step_wall) = (
        np.median(rows[1:], axis=0) for rows in spent.values()
    )
    return [
        f'grid {grid.shape}, {THREADS} threads',
        f'FFT pair  cpu {pair_cpu:.3f} s  wall {pair_wall:.3f} s',
        f'TV step   cpu {step_cpu:.3f} s  wall {step_wall:.3f} s (it needs two pairs)',
        f'ratio to its two FFT pairs {step_cpu / (2 * pair_cpu):.2f}, to one {step_cpu / pair_cpu:.2f}',
    ]


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == '__main__':
    main()

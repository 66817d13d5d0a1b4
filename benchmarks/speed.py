"""What each stage of a run costs, and how near a TV step comes to its FFTs: ``python benchmarks/speed.py``.

Writes a demo head (1 mm, 192x224x192, 5 echoes, unless ``--voxel-size`` says otherwise), runs the
app on it twice with ``--nprocs 2 --omp-nthreads 2 --resource-monitor`` (the first run compiles the
voxel loops) and prints wall seconds, CPU seconds and peak memory of every stage of the second.
Then one step of the TV iteration is timed in turn with the FFT pairs that it needs, all on 2
threads, on the grid that the run uses; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', nargs=3, default=['1', '1', '1'], metavar=('X', 'Y', 'Z'))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = stages(Path(folder), args.voxel_size)
    print(table.to_string(index=False))
    steps = table[~table['step'].isin(['write_derivatives'])]
    print(
        f'\nnumerics {steps["cpu_seconds"].sum():.1f} CPU s, with writing '
        f'{table["cpu_seconds"].sum():.1f} CPU s, peak {table["peak_gb"].max():.2f} GB\n'
    )
    shape = [round(n / float(v)) for n, v in zip((188, 220, 196), args.voxel_size, strict=True)]
    for line in tv_step(Grid((shape[0], shape[1], shape[2]), (1.0, 1.0, 1.0)).padded(0)):
        print(line)


def stages(root: Path, voxel_size: list[str]) -> pd.DataFrame:
    """Resources of every stage, compiled code at hand."""
    call('demo', str(root / 'bids'), '--voxel-size', *voxel_size, '--no-t1w')
    options = ['--nprocs', str(THREADS), '--omp-nthreads', str(THREADS), '--resource-monitor']
    for name in ('first', 'second'):
        work = ['-w', str(root / 'work'), '--skip-bids-validation', '--clean-workdir']
        work += ['--atlases', str(root / 'bids/derivatives/atlas')]
        call(str(root / 'bids'), str(root / name), 'participant', *work, *options)
    (found,) = (root / 'second' / 'logs').glob('*.resources.tsv')
    return pd.read_csv(found, sep='\t').drop(columns='run')


def tv_step(grid: Grid) -> list[str]:
    """Time a TV step against the FFT pairs that it needs, in turn, so that load weighs alike."""
    rng = np.random.default_rng(0)
    field = rng.standard_normal(grid.shape, dtype=np.float32)
    inside = np.zeros(grid.shape, bool)
    inside[20:-20, 20:-20, 20:-20] = True
    fidelity = LeastSquares(field, inside.astype(np.float32), 0.05)
    penalty = TotalVariation(grid, inside, (2e-4, 2e-5), rho=0.02)
    admm = Admm(OneField(dipole_kernel(grid), fidelity), penalty)

    def pair() -> None:
        fft.irfftn(fft.rfftn(field), s=grid.shape, overwrite_x=True)

    with threads(THREADS):
        spent = {name: [] for name in ('pair', 'step')}
        for _ in range(REPEATS + 1):
            spent['pair'].append(timed(pair))
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

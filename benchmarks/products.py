"""What the products beside susceptibility cost: ``python benchmarks/products.py``.

Writes a demo head (1 mm unless ``--voxel-size`` says otherwise), runs the app on it with its default
products and with all of them, each with ``--nprocs 2 --omp-nthreads 2 --resource-monitor`` (a run
before the last compiles the voxel loops), and prints wall seconds, CPU seconds and peak memory of
every stage that only the last run has, and their sums with and without DECOMPOSE.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from chain import call

from bidsqsm.derivatives.product_groups import DEFAULT_GROUPS, GROUPS

THREADS = 2
APART = 'decompose'
MOST = (120.0, 4.0)  # CPU s without DECOMPOSE, GB


def main() -> None:
    """Print the table of stages and what they add up to."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--voxel-size', nargs=3, default=['1', '1', '1'], metavar=('X', 'Y', 'Z'))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        call('demo', str(root / 'bids'), '--voxel-size', *args.voxel_size, '--no-t1w')
        plain = stages(root, 'plain', DEFAULT_GROUPS)
        stages(root, 'compiling', [*GROUPS])
        every = stages(root, 'every', [*GROUPS])
    added = every[~every['step'].isin(plain['step'])]
    print(added.to_string(index=False))
    apart = added['step'].str.contains(APART)
    rest, memory = added[~apart]['cpu_seconds'].sum(), added['peak_gb'].max()
    met = rest <= MOST[0] and memory <= MOST[1]
    print(
        f'\nwithout DECOMPOSE {rest:.1f} CPU s, DECOMPOSE {added[apart]["cpu_seconds"].sum():.1f} '
        f'CPU s, peak {memory:.2f} GB: {"met" if met else "missed"}'
    )


def stages(root: Path, name: str, products: list[str] | tuple[str, ...]) -> pd.DataFrame:
    """Resources of every stage of a call with these products."""
    work = ['-w', str(root / f'work_{name}'), '--skip-bids-validation', '--clean-workdir']
    options = ['--nprocs', str(THREADS), '--omp-nthreads', str(THREADS), '--resource-monitor']
    atlas = ['--atlases', str(root / 'bids/derivatives/atlas')]
    out = root / name
    call(
        str(root / 'bids'),
        str(out),
        'participant',
        '--products',
        *products,
        *atlas,
        *work,
        *options,
    )
    (found,) = (out / 'logs').glob('*.resources.tsv')
    return pd.read_csv(found, sep='\t').drop(columns='run')


if __name__ == '__main__':
    main()

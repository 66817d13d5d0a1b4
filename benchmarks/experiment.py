"""The experiment behind the default chain: background removal x inversion x mask x SNR x rounds.

Run ``python benchmarks/experiment.py`` (two 2 mm heads, one of them tilted, two SNRs; about half an
hour on 2 cores; ``--rounds 1 2`` for repeated removals). Every chain starts from the true total
field with the noise of the signal and from a mask that is exact, 2 mm too small, 2 mm too large or
ragged (a third of its outer layer missing at random, in patches); where the mask reaches into
places without signal, the field there is as noisy as the signal says. Scores are NRMSE (%), XSIM
and the mean error over the nuclei (ppb), on the true brain without 5 mm around lesions, whatever
the mask was; the table gives the mean over the heads. ``--save`` writes it.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import THREADS, Case, call, read
from scipy import ndimage

from bidsqsm.catalog import STEPS
from bidsqsm.interfaces.weights import inverse_noise
from bidsqsm.qsm import metrics
from bidsqsm.qsm.background.known_local_field import remove_beside
from bidsqsm.qsm.grid import Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.phantom.labels import NUCLEUS_VALUES

HEADS = ([], ['--tilt', 'x', '20', '--tilt', 'y', '15'])
MASKS = ('exact', 'small', 'large', 'ragged')
REACH = 2.0  # mm


def main() -> None:
    """Print one line for each chain, a column for each mask and SNR."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--background', nargs='+', default=['lbv', 'vsharp', 'pdf'])
    parser.add_argument('--dipole', nargs='+', default=['tv', 'wh', 'medi', 'hd', 'rts'])
    parser.add_argument('--rounds', nargs='+', type=int, default=[1])
    parser.add_argument('--onestep', nargs='*', default=['sstv', 'tfi', 'tgv'])
    parser.add_argument('--masks', nargs='+', default=MASKS, choices=MASKS)
    parser.add_argument('--snr', nargs='+', default=['70', '25'])
    parser.add_argument('--seed', type=int, default=41)
    parser.add_argument('--keep', type=Path, help='folder to keep the heads in')
    parser.add_argument('--save', type=Path, help='file to write the table to')
    args = parser.parse_args()
    chains = [*itertools.product(args.background, args.dipole, args.rounds)]
    chains += [('', text, 1) for text in args.onestep]
    rows = []
    with tempfile.TemporaryDirectory() as scratch, threads(THREADS):
        for head, snr in itertools.product(range(len(HEADS)), args.snr):
            case = read(make(args.keep or Path(scratch), head, snr, args.seed))
            for quality in args.masks:
                mask = spoil(case, quality)
                for chain in chains:
                    chi = run(case, mask, *chain)
                    found = metrics.score(chi, case.chi, case.labels, case.scored, NUCLEUS_VALUES)
                    row = {'chain': name(*chain), 'mask': quality, 'snr': snr, 'head': head}
                    row |= {key: found[key] for key in ('nrmse', 'xsim', 'roi_error')}
                    print(
                        *(f'{v:.4g}' if isinstance(v, float) else v for v in row.values()),
                        flush=True,
                    )
                    rows.append(row)
    table = (
        pd.DataFrame(rows)
        .groupby(['chain', 'mask', 'snr'], sort=False)
        .mean()
        .drop(columns='head')
    )
    wide = table.reset_index().pivot_table(index='chain', columns=['mask', 'snr'], sort=False)
    print(wide.round(3).to_string())
    if args.save:
        table.reset_index().to_csv(args.save, sep='\t', index=False, float_format='%.4g')


def make(root: Path, head: int, snr: str, seed: int) -> Path:
    """Write a head, unless it is there."""
    folder = root / f'experiment{seed + head}_snr{snr}'
    if not folder.exists():
        size = ['--voxel-size', '2', '2', '2', '--no-t1w', '--snr', snr]
        call('demo', str(folder), *size, '--seed', str(seed + head), *HEADS[head])
    return folder


def name(background: str, inversion: str, rounds: int) -> str:
    """How the table calls a chain."""
    return ' + '.join(filter(None, [background, inversion, f'{rounds} rounds' * (rounds > 1)]))


def spoil(case: Case, quality: str) -> Mask:
    """A mask that is as good as its name says."""
    brain, size = case.brain, case.grid.voxel_size
    inside = ndimage.distance_transform_edt(np.pad(brain, 1), size)[1:-1, 1:-1, 1:-1]
    if quality == 'small':
        return np.asarray(inside > REACH)
    if quality == 'large':
        return np.asarray(ndimage.distance_transform_edt(~brain, size) <= REACH)
    if quality == 'ragged':
        patches = np.random.default_rng(2).standard_normal(brain.shape, np.float32)
        patches = ndimage.gaussian_filter(patches, [3 / d for d in size])
        rim = brain & (inside <= 2 * REACH)
        return brain & ~(rim & (patches > np.quantile(patches[rim], 2 / 3)))
    return brain


def run(case: Case, mask: Mask, background: str, inversion: str, rounds: int) -> Volume:
    """Go through one chain as the app does."""
    trust = {'weight_map': inverse_noise(case.noise, mask), 'noise': case.noise}
    if not background:
        choice = STEPS['onestep'].choose(inversion)
        return choice(
            case.total_field, mask, case.grid, **case.data(choice) | known(choice, trust)
        )
    remove, invert = STEPS['background'].choose(background), STEPS['dipole'].choose(inversion)
    chi = None
    for _ in range(rounds):
        local, left = remove_beside(
            remove, case.total_field, mask, case.grid, chi, **known(remove, trust)
        )
        weights = {'weight_map': inverse_noise(case.noise, left)}
        data = case.data(invert) | known(invert, weights)
        chi = invert(local, mask if invert.method.takes('weight_map') else left, case.grid, **data)
    return chi


def known(choice, data):
    """Of some data what a method takes."""
    return {key: value for key, value in data.items() if choice.method.takes(key)}


if __name__ == '__main__':
    main()

"""How well sources that share a voxel are told apart.

Run ``python benchmarks/separation.py`` (two simulated heads at 2 mm, one of them tilted; about three
minutes on 2 cores; ``--save docs/data/separation.tsv`` writes the table). The truth is that of the
head: paramagnetic and diamagnetic parts of every tissue, and an R2' that follows no single relaxivity.
``true`` gives the methods the true susceptibility, field and R2'; ``measured`` a susceptibility by
``sstv`` from the total field with the noise of the signal, the R2* fitted to the noisy magnitude less
the true R2, and the field of that map; ``measured, two steps`` one by ``vsharp`` and ``wh`` with the
local field that was inverted; ``pseudo`` the first of these with R2* in place of R2'. Scores are on the
brain without 5 mm around lesions and its outer 5 mm: XSIM of both parts, their root mean square error
(ppb) after the mean is taken off, and the CPU seconds of the separation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bidsqsm.catalog import STEPS
from bidsqsm.demo.simulate import SimulatedScan, head_pose, simulate, subject_anatomy
from bidsqsm.qsm import lesion_scores, metrics
from bidsqsm.qsm.background.vsharp import vsharp
from bidsqsm.qsm.dipole.wh import wh
from bidsqsm.qsm.forward import field_of
from bidsqsm.qsm.grid import Grid, Mask, Volume
from bidsqsm.qsm.jit import threads
from bidsqsm.qsm.masking.morphology import erode
from bidsqsm.qsm.onestep.sstv import sstv
from bidsqsm.qsm.phantom.head_anatomy import Subject
from bidsqsm.qsm.phantom.labels import LESIONS
from bidsqsm.qsm.phantom.source_split import SourceSplit, sources_of
from bidsqsm.qsm.relaxometry.auto import auto
from bidsqsm.qsm.units import imaging_frequency_of

SIZE = (2.0, 2.0, 2.0)
HEADS = ((Subject(201, 45, 'F'), ()), (Subject(202, 65, 'M'), (('x', 20.0), ('y', 10.0))))
THREADS = 2


@dataclass(frozen=True)
class Given:
    """What a separation takes."""

    chi: Volume
    r2prime: Volume | None
    r2star: Volume
    local_field: Volume
    mask: Mask


def main() -> None:
    """Print a line for each method and what it was given, the mean over the heads."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n', 1)[0])
    parser.add_argument('--heads', nargs='+', type=int, default=[*range(len(HEADS))])
    parser.add_argument('--methods', nargs='+', default=['closed', 'iterative'])
    parser.add_argument('--save', type=Path, help='file to write the table to')
    args = parser.parse_args()
    rows = []
    with threads(THREADS):
        for number in args.heads:
            subject, tilts = HEADS[number]
            scan = simulate(SIZE, subject=subject, tilts=tilts)
            truth = sources_of(
                scan.head, subject_anatomy(subject, SIZE), subject, pose=head_pose()
            )
            for name, given in cases(scan, truth):
                rows += [
                    {'given': name, 'method': text, **score(text, given, scan, truth)}
                    for text in args.methods
                ]
    table = pd.DataFrame(rows).groupby(['given', 'method'], sort=False).mean().reset_index()
    print(table.round(3).to_string(index=False))
    if args.save:
        table.to_csv(args.save, sep='\t', index=False, float_format='%.4g')


def cases(scan: SimulatedScan, truth: SourceSplit) -> Iterator[tuple[str, Given]]:
    """What the methods are given, from the truth to R2* alone."""
    head = scan.head
    yield 'true', Given(head.chi, truth.r2prime, head.r2star, head.local_field, head.mask)
    field = head.total_field + field_noise(scan)
    r2star = auto(scan.magnitude, head.mask, scan.sequence.echo_times).r2star
    r2prime = np.maximum(r2star - truth.r2, 0) * head.mask
    level = head.chi[head.mask].mean(dtype=float)

    def zeroed(chi: Volume, mask: Mask) -> Volume:
        shift = level - chi[mask].mean(dtype=float)
        return np.where(mask, chi + np.float32(shift), 0).astype(np.float32)

    chi = sstv(field, head.mask, head.grid)
    own = field_of(chi, head.mask, head.grid)
    one_step = Given(zeroed(chi, head.mask), r2prime, r2star, own, head.mask)
    yield 'measured', one_step
    local, mask = vsharp(field, head.mask, head.grid)[:2]
    two = Given(zeroed(wh(local, mask, head.grid), mask), r2prime, r2star, local, mask)
    yield 'measured, two steps', two
    yield 'pseudo', Given(one_step.chi, None, r2star, own, head.mask)


def field_noise(scan: SimulatedScan) -> Volume:
    """Noise (ppm) of a fit to all echoes, as large as that of their signal makes it."""
    head, times = scan.head, np.reshape(scan.sequence.echo_times, (-1, 1, 1, 1))
    noise = scan.magnitude[0][head.white_matter].mean() / scan.sequence.snr
    turn = 2 * np.pi * imaging_frequency_of(head.field_strength)  # rad per ppm and second
    sd = noise / (turn * np.sqrt(((scan.magnitude * times) ** 2).sum(0) + noise**2 * 1e-4))
    random = np.random.default_rng(7)
    return np.asarray(sd * random.standard_normal(sd.shape), np.float32)


def score(text: str, given: Given, scan: SimulatedScan, truth: SourceSplit) -> dict[str, float]:
    """XSIM, error (ppb) and CPU seconds of a method."""
    separate, head = STEPS['separation'].choose(text), scan.head
    data = {'local_field': given.local_field} if separate.method.takes('local_field') else {}
    where: tuple[Mask, Grid, float] = (given.mask, head.grid, head.field_strength)
    separate(given.chi, given.r2prime, *where, r2star=given.r2star, **data)  # compiled
    start = time.process_time()
    found = separate(given.chi, given.r2prime, *where, r2star=given.r2star, **data)
    spent = time.process_time() - start
    scored = lesion_scores.away_from(
        erode(head.mask, 5.0, head.grid.voxel_size) & given.mask,
        head.labels,
        LESIONS,
        head.grid,
        5.0,
    )
    told: dict[str, float] = {}
    for part in ('paramagnetic', 'diamagnetic'):
        ours, true = getattr(found, part), getattr(truth, part)
        told[f'xsim {part}'] = metrics.xsim(ours, true, scored)
        told[f'error {part}'] = 1000 * float(np.std((ours - true)[scored]))
    return {**told, 'cpu_s': spent}


if __name__ == '__main__':
    main()
